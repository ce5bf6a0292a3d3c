"""Figures of speaker identification and verification, and which speakers are confused.

Conventions
-----------
Rows are pieces of speech or recordings, columns of scores are the speakers that a classifier
knows; the highest score is the speaker predicted. Speakers are named by text.

Identification: precision, recall and F1 are means over the speakers that occur in the truth,
each with the same weight (macro averages); a speaker who is never predicted has a precision of 0.
Intervals are over speakers, as in `bootstrap`: all rows of a speaker are drawn together. They say
what is to be expected of other speakers, when as many are known to the model; not of other
recordings of the same speakers.

Verification: a positive pair is two rows of the same speaker, its score their cosine. The equal
error rate is where the fractions of false alarms and of misses are equal [1]_. Where speakers are
drawn, a pair of two speakers counts as often as the product of how often they were drawn, and a
speaker's own pairs as often as the speaker: somebody drawn twice is no match for themselves.

References
----------
.. [1] Martin et al., "The DET curve in assessment of detection task performance", 1997
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from voxsight.metrics.bootstrap import DRAWS, bootstrap_weights, ratio_over_speakers
from voxsight.metrics.intervals import NOT_DEFINED, Figure, bounded_figure, kish

PAIR_DRAWS = 200  # of speakers, for the equal error rate; each sorts nothing, but sums all pairs
TOP = 5  # speakers with the highest scores, for top-5 accuracy


def mean_by_recording(scores: np.ndarray, paths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean scores, or other values, of each recording's chunks.

    Parameters
    ----------
    scores : np.ndarray [shape=(n, d)]
        One row per chunk.
    paths : np.ndarray of str [shape=(n,)]
        Recording of each chunk.

    Returns
    -------
    recordings : np.ndarray of str [shape=(m,)]
        Sorted.
    scores : np.ndarray [shape=(m, d)]

    Examples
    --------
    >>> paths, scores = mean_by_recording(np.array([[1.0], [3.0]]), np.array(["a", "a"]))
    >>> paths.tolist(), scores.tolist()
    (['a'], [[2.0]])
    """
    recordings, member = np.unique(paths, return_inverse=True)
    sums = np.zeros((len(recordings), scores.shape[1]))
    np.add.at(sums, member, scores)
    return recordings, sums / np.bincount(member)[:, None]


def identification_figures(scores: np.ndarray, names: np.ndarray, truth: np.ndarray,
                           draws: int = DRAWS, seed: int = 0) -> dict[str, Figure]:
    """Figures of speaker identification, each with a 95 % interval over speakers.

    Parameters
    ----------
    scores : np.ndarray [shape=(n, speakers)]
    names : np.ndarray of str [shape=(speakers,)]
    truth : np.ndarray of str [shape=(n,)]
    draws : int
        Of the bootstrap over speakers.
    seed : int

    Returns
    -------
    dict of str to dict
        ``value``, ``low`` and ``high`` of ``accuracy``, ``precision``, ``recall``, ``f1`` and
        ``top5``.
    """
    predicted = names[scores.argmax(axis=1)]
    best = names[np.argsort(-scores, axis=1)[:, :TOP]]
    in_top = (best == truth[:, None]).any(axis=1)
    tested, member = np.unique(truth, return_inverse=True)
    hits, in_top, rows = (np.bincount(member, values, len(tested))
                          for values in (predicted == truth, in_top, np.ones(len(truth))))
    n_predicted = np.array([np.sum(predicted == name) for name in tested])
    recall, precision = hits / rows, hits / np.maximum(n_predicted, 1)
    f1 = 2 * hits / (rows + n_predicted)
    one_each = np.ones(len(tested))
    weights = bootstrap_weights(len(tested), draws, seed)
    return {name: ratio_over_speakers(parts, wholes, most=len(truth), weights=weights)
            for name, parts, wholes in (
                ("accuracy", hits, rows), ("precision", precision, one_each),
                ("recall", recall, one_each), ("f1", f1, one_each), ("top5", in_top, rows))}


def equal_error_rate(values: np.ndarray, speakers: np.ndarray) -> tuple[float, int, int]:
    """Equal error rate of "is this the same speaker?", over all pairs.

    Parameters
    ----------
    values : np.ndarray [shape=(n, d)]
        Vectors, which are compared pair by pair by their cosine.
    speakers : np.ndarray of str [shape=(n,)]

    Returns
    -------
    rate : float
        At the threshold where both kinds of error are closest, their mean; NaN if there are
        pairs of one kind only.
    n_same, n_different : int
        Pairs.

    Examples
    --------
    >>> vectors = np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]])
    >>> equal_error_rate(vectors, np.array(["a", "a", "b"]))
    (0.0, 1, 2)
    """
    pairs = _Pairs(values, speakers)
    rate, _ = pairs.rate(np.ones(pairs.n_speakers))
    return rate, pairs.n_same, pairs.n_different


def verification_figure(values: np.ndarray, speakers: np.ndarray, *, draws: int = PAIR_DRAWS,
                        seed: int = 0) -> dict[str, Any]:
    """Equal error rate of "is this the same speaker?" with its 95 % interval over speakers.

    Parameters
    ----------
    values : np.ndarray [shape=(n, d)]
        Vectors, which are compared pair by pair by their cosine.
    speakers : np.ndarray of str [shape=(n,)]
    draws, seed : int
        Of the bootstrap over speakers.

    Returns
    -------
    dict
        ``value``, ``low`` and ``high``, which are None if there are pairs of one kind only;
        ``pairs_same`` and ``pairs_different``. Where no pair is mistaken, the interval is that
        of the number of speakers with two rows.
    """
    pairs = _Pairs(values, speakers)
    counts = {"pairs_same": pairs.n_same, "pairs_different": pairs.n_different}
    value, threshold = pairs.rate(np.ones(pairs.n_speakers))
    if np.isnan(value):
        return NOT_DEFINED | counts
    drawn = np.array([pairs.rate(weights)[0]
                      for weights in bootstrap_weights(pairs.n_speakers, draws, seed)])
    own, influence = pairs.own_pairs, pairs.influence(threshold, value)
    return counts | bounded_figure(value, float(np.nanvar(drawn)), [influence[own > 0]],
                                   fewest=kish(own[own > 0]), most=pairs.n_same)


class _Pairs:
    """All pairs of rows, by their cosine from high to low."""

    def __init__(self, values: np.ndarray, speakers: np.ndarray) -> None:
        names, member = np.unique(speakers, return_inverse=True)
        self.n_speakers = len(names)
        rows, columns = np.triu_indices(len(values), 1)
        cosines = (unit_length(values) @ unit_length(values).T)[rows, columns]
        order = np.argsort(-cosines, kind="stable")
        first, second = member[rows][order], member[columns][order]
        # Pairs of the same two speakers have one weight.
        self._kind = first * self.n_speakers + second
        self._number = np.bincount(self._kind, minlength=self.n_speakers ** 2).reshape(
            self.n_speakers, self.n_speakers)
        self._same = np.flatnonzero(first == second)
        self.own_pairs = np.diag(self._number).astype(float)
        self.n_same, self.n_different = len(self._same), len(order) - len(self._same)
        # Pairs accepted at each threshold; equal cosines are accepted together.
        self._accepted = np.flatnonzero(np.append(np.diff(cosines[order]) != 0, len(order) > 0)) + 1

    def rate(self, weights: np.ndarray) -> tuple[float, int]:
        """Equal error rate for weights of the speakers, and how many pairs are accepted there."""
        of_kind = np.outer(weights, weights)
        np.fill_diagonal(of_kind, 0)
        different, same = np.sum(of_kind * self._number), weights @ self.own_pairs
        if not different or not same:
            return np.nan, 0
        of_kind /= different
        np.fill_diagonal(of_kind, weights / same)
        share = of_kind.ravel()[self._kind]
        # False alarms less misses, plus 1: a sum that grows with every pair accepted.
        sums = np.cumsum(share)[self._accepted - 1]
        right_of = int(np.searchsorted(sums, 1.0 - 1e-12))
        nearest = [i for i in (right_of - 1, right_of) if -1 <= i < len(sums)]
        crossing = min(nearest, key=lambda i: abs(sums[i] - 1) if i >= 0 else 1.0)
        accepted = int(self._accepted[crossing]) if crossing >= 0 else 0
        hits = share[self._same[:np.searchsorted(self._same, accepted)]].sum()
        false_alarms = (sums[crossing] if crossing >= 0 else 0.0) - hits
        return max(float(false_alarms + 1 - hits) / 2, 0.0), accepted

    def influence(self, accepted: int, rate: float) -> np.ndarray:
        """How much each speaker moves the misses if so many pairs are accepted."""
        missed = self._kind[self._same[np.searchsorted(self._same, accepted):]]
        misses = np.bincount(missed // self.n_speakers, minlength=self.n_speakers)
        return (misses - rate * self.own_pairs) / self.n_same


def confusions(predicted: np.ndarray, truth: np.ndarray, gender_of: Mapping[str, str]
               ) -> tuple[list[dict[str, Any]], float | None, float]:
    """Which speakers are taken for which others, and whether gender explains it.

    Parameters
    ----------
    predicted, truth : np.ndarray of str [shape=(n,)]
        Speakers.
    gender_of : dict of str to str
        Label of each speaker.

    Returns
    -------
    pairs : list of dict
        ``speaker``, ``taken_for``, ``times`` and ``same_gender``, most frequent first.
    same_gender : float or None
        Fraction of the errors within a gender; None if there are no errors.
    by_chance : float
        The fraction to expect if the other speaker were drawn at random.
    """
    wrong = predicted != truth
    pairs, times = np.unique(np.stack([truth[wrong], predicted[wrong]], axis=1), axis=0,
                             return_counts=True)
    most_frequent_first = sorted(zip(pairs.tolist(), times), key=lambda pair: -pair[1])
    rows = [{"speaker": speaker, "taken_for": other, "times": int(n),
             "same_gender": gender_of[speaker] == gender_of[other]}
            for (speaker, other), n in most_frequent_first]
    total = sum(row["times"] for row in rows)
    within = sum(row["times"] for row in rows if row["same_gender"])
    genders = list(gender_of.values())
    by_chance = np.mean([(genders.count(gender) - 1) / max(len(genders) - 1, 1)
                         for gender in genders])
    return rows, within / total if total else None, float(by_chance)


def unit_length(values: np.ndarray) -> np.ndarray:
    """Vectors divided by their lengths.

    Parameters
    ----------
    values : np.ndarray [shape=(..., d)]

    Returns
    -------
    np.ndarray [shape=(..., d)]
        Zeros stay zeros.

    Examples
    --------
    >>> unit_length(np.array([3.0, 4.0])).tolist()
    [0.6, 0.8]
    """
    return values / np.maximum(np.linalg.norm(values, axis=-1, keepdims=True), 1e-12)
