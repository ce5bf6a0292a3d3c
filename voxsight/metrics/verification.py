"""Figures of speaker identification and verification, and which speakers are confused.

Conventions
-----------
Rows are pieces of speech or recordings, columns of scores are the speakers that a classifier
knows; the highest score is the speaker predicted. Speakers are named by text.

Identification: precision, recall and F1 are means over the speakers that occur in the truth,
each with the same weight (macro averages); a speaker who is never predicted has a precision of 0.
The 95 % intervals are from the 2.5th to the 97.5th percentile over draws of rows. Rows of one
recording or speaker are drawn independently of each other, so these intervals are narrower than
those of a bootstrap over speakers.

Verification: a positive pair is two rows of the same speaker, its score their cosine. The equal
error rate is where the fractions of false alarms and of misses are equal [1]_.

References
----------
.. [1] Martin et al., "The DET curve in assessment of detection task performance", 1997
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

DRAWS = 500  # of rows, for intervals
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
                           draws: int = DRAWS, seed: int = 0) -> dict[str, dict[str, float]]:
    """Figures of speaker identification, each with a 95 % interval.

    Parameters
    ----------
    scores : np.ndarray [shape=(n, speakers)]
    names : np.ndarray of str [shape=(speakers,)]
    truth : np.ndarray of str [shape=(n,)]
    draws : int
        Of the bootstrap over the rows.
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
    rng = np.random.default_rng(seed)
    values = _point_figures(predicted, in_top, truth)
    drawn = []
    for _ in range(draws):
        rows = rng.integers(len(truth), size=len(truth))
        drawn.append(_point_figures(predicted[rows], in_top[rows], truth[rows]))
    result = {}
    for name, value in values.items():
        low, high = np.percentile([figures[name] for figures in drawn], [2.5, 97.5])
        result[name] = {"value": value, "low": float(low), "high": float(high)}
    return result


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
        At the threshold where both kinds of error are closest, their mean.
    n_same, n_different : int
        Pairs.

    Examples
    --------
    >>> vectors = np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]])
    >>> equal_error_rate(vectors, np.array(["a", "a", "b"]))
    (0.0, 1, 2)
    """
    from sklearn.metrics import roc_curve

    cosines = unit_length(values) @ unit_length(values).T
    rows, columns = np.triu_indices(len(values), 1)
    same = speakers[rows] == speakers[columns]
    false_alarms, hits, _ = roc_curve(same, cosines[rows, columns], drop_intermediate=False)
    misses = 1 - hits
    crossing = int(np.argmin(np.abs(false_alarms - misses)))
    return (float((false_alarms[crossing] + misses[crossing]) / 2), int(same.sum()),
            int((~same).sum()))


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


def _point_figures(predicted: np.ndarray, in_top: np.ndarray,
                   truth: np.ndarray) -> dict[str, float]:
    """Figures of identification without intervals; counts per speaker of the truth."""
    names, truth_index = np.unique(truth, return_inverse=True)
    index = np.searchsorted(names, predicted)
    known = (index < len(names)) & (names[np.minimum(index, len(names) - 1)] == predicted)
    right = predicted == truth
    hits = np.bincount(truth_index, right, len(names))
    recall = hits / np.bincount(truth_index, minlength=len(names))
    n_predicted = np.bincount(index[known], minlength=len(names))
    precision = np.where(n_predicted > 0, hits / np.maximum(n_predicted, 1), 0.0)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return {"accuracy": float(right.mean()), "precision": float(precision.mean()),
            "recall": float(recall.mean()), "f1": float(f1.mean()), "top5": float(in_top.mean())}
