"""Figures from labels and probabilities, with intervals over speakers; NumPy only."""

import numpy as np

BINS = 15
DRAWS = 1000
_AT_ONCE = 50  # draws computed together; bounds memory


def figures(is_female, p_female, speakers, *, answered=None, draws=DRAWS, seed=0):
    """Figures of a set of answers, each with a 95 % interval.

    Speakers, not recordings, are drawn anew in the bootstrap: recordings of one voice
    are right or wrong together.

    Parameters
    ----------
    is_female : array of bool [shape=(n,)]
    p_female : array of float [shape=(n,)]
        probability of the label female
    speakers : sequence of str [shape=(n,)]
    answered : array of bool [shape=(n,)], optional
        where the model said female or male; adds ``coverage`` and ``accuracy_answered``
    draws : int
        of the bootstrap
    seed : int

    Returns
    -------
    dict
        ``n``, ``n_speakers`` and per figure of `point_figures` a dictionary ``value``,
        ``low``, ``high``; None where it is not defined
    """
    table = _Answers(is_female, p_female, speakers, answered)
    values = table.figures(np.ones((1, table.n_speakers)))
    times = drawn_anew(table.n_speakers, draws, seed)
    parts = [table.figures(times[i: i + _AT_ONCE]) for i in range(0, draws, _AT_ONCE)]
    result = {"n": len(table.is_female), "n_speakers": table.n_speakers}
    for name, value in values.items():
        drawn = np.concatenate([part[name] for part in parts])
        drawn = drawn[~np.isnan(drawn)]
        low, high = np.percentile(drawn, [2.5, 97.5]) if len(drawn) else (np.nan, np.nan)
        result[name] = {"value": _known(value[0]), "low": _known(low), "high": _known(high)}
    return result


def drawn_anew(n, draws, seed):
    """How often each of `n` speakers counts in each draw of a bootstrap, shape (draws, n)."""
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / max(n, 1)), size=draws)


def mean_over_speakers(values, speakers, *, draws=DRAWS, seed=0):
    """Mean of values in which every speaker weighs the same, with its 95 % interval.

    Parameters
    ----------
    values : sequence of float [shape=(n,)]
        NaN is left out
    speakers : sequence of str [shape=(n,)]
    draws, seed : int
        of the bootstrap over speakers

    Returns
    -------
    dict
        ``value``, ``low`` and ``high``; None where there is no value

    Examples
    --------
    >>> mean_over_speakers([1, 1, 1, 5], ["a", "a", "a", "b"])["value"]
    3.0
    """
    values = np.asarray(values, float)
    known = ~np.isnan(values)
    if not known.any():
        return {"value": None, "low": None, "high": None}
    _, member = np.unique(np.asarray(speakers, str)[known], return_inverse=True)
    means = np.bincount(member, values[known]) / np.bincount(member)
    drawn = drawn_anew(len(means), draws, seed) @ means / len(means)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return {"value": float(means.mean()), "low": float(low), "high": float(high)}


def uar_gain(is_female, before, after, speakers, *, draws=DRAWS, seed=0):
    """How much higher the mean recall of one model is than of another on the same recordings.

    Parameters
    ----------
    is_female : array of bool [shape=(n,)]
    before, after : array of float [shape=(n,)]
        probabilities of female
    speakers : sequence of str [shape=(n,)]
    draws, seed : int
        of the bootstrap over speakers, the same for both

    Returns
    -------
    dict
        ``before``, ``after``, and of their difference ``value``, ``low`` and ``high``; None
        where one label is missing
    """
    tables = [_Answers(is_female, p_female, speakers, None) for p_female in (before, after)]
    drawn = drawn_anew(tables[0].n_speakers, draws, seed)
    times = np.vstack([np.ones((1, tables[0].n_speakers)), drawn])
    uar = [np.concatenate([table.figures(times[i: i + _AT_ONCE])["uar"]
                           for i in range(0, len(times), _AT_ONCE)]) for table in tables]
    gains = uar[1] - uar[0]
    names = ("before", "after", "value", "low", "high")
    if np.isnan(gains[0]):
        return dict.fromkeys(names)
    low, high = np.nanpercentile(gains[1:], [2.5, 97.5])
    return dict(zip(names, map(float, (uar[0][0], uar[1][0], gains[0], low, high))))


def _known(value):
    """A figure as JSON has it: None where it is not defined."""
    return None if np.isnan(value) else float(value)


def point_figures(is_female, p_female, answered=None):
    """The figures without intervals; NaN where they are not defined.

    Returns
    -------
    dict of str to float
        ``accuracy``, ``error_rate``, ``uar`` (mean recall of the two labels), ``recall``,
        ``precision`` and ``f1_female`` of the label female, ``recall_male``, ``auc``,
        ``ece`` (over 15 bins of equal mass), ``brier``
    """
    table = _Answers(is_female, p_female, np.zeros(len(is_female)), answered)
    return {name: float(value[0]) for name, value in table.figures(np.ones((1, 1))).items()}


def reliability(is_female, p_female, bins=BINS):
    """Said and found share of females in bins of equal mass.

    Returns
    -------
    said, found : np.ndarray [shape=(bins,)]
    counts : np.ndarray of int [shape=(bins,)]
    """
    order = np.argsort(p_female, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return (np.array([p_female[part].mean() for part in parts]),
            np.array([is_female[part].mean() for part in parts]),
            np.array([len(part) for part in parts]))


def roc(is_female, p_female):
    """Share of males and of females called female, for every threshold from high to low.

    Returns
    -------
    false_positive_rate, true_positive_rate : np.ndarray
    """
    order = np.argsort(-p_female, kind="stable")
    last = np.append(np.diff(p_female[order]) != 0, True)
    hits, misses = np.cumsum(is_female[order])[last], np.cumsum(~is_female[order])[last]
    return (np.insert(misses / max(misses[-1], 1), 0, 0.0),
            np.insert(hits / max(hits[-1], 1), 0, 0.0))


class _Answers:
    """Answers sorted by probability, whose speakers can be weighted anew."""

    def __init__(self, is_female, p_female, speakers, answered):
        order = np.argsort(p_female, kind="stable")
        self.is_female = np.asarray(is_female, bool)[order]
        self.p = np.asarray(p_female, float)[order]
        self.answered = None if answered is None else np.asarray(answered, bool)[order]
        names, self.member = np.unique(np.asarray(speakers, str)[order], return_inverse=True)
        self.n_speakers = len(names)
        # Ties in probability count half in the ROC area.
        self.tie = np.append(0, np.cumsum(np.diff(self.p) != 0))

    def figures(self, times):
        """Figures where speaker s counts ``times[b, s]`` times; one value per b."""
        said = self.p >= 0.5
        female = self.is_female
        n, n_female, n_said, hits, right, squares = self._sums(
            times, np.ones(len(said)), female, said, said & female, said == female,
            np.square(self.p - female))
        with np.errstate(invalid="ignore", divide="ignore"):
            recall = hits / n_female
            recall_male = (right - hits) / (n - n_female)
            result = {
                "accuracy": right / n, "error_rate": 1 - right / n,
                "uar": (recall + recall_male) / 2, "precision": hits / n_said,
                "recall": recall, "recall_male": recall_male,
                "f1_female": 2 * hits / (n_female + n_said),
                "auc": self._auc(times), "ece": self._ece(times), "brier": squares / n}
            if self.answered is not None:
                given, good = self._sums(times, self.answered,
                                         self.answered & (said == female))
                result |= {"coverage": given / n, "accuracy_answered": good / given}
        return result

    def _sums(self, times, *values):
        per_speaker = [np.bincount(self.member, value, self.n_speakers) for value in values]
        return (times @ np.stack(per_speaker, axis=1)).T

    def _auc(self, times):
        weights = times[:, self.member]
        males = weights * ~self.is_female
        starts = np.flatnonzero(np.append(True, np.diff(self.tie) != 0))
        male_in = np.add.reduceat(males, starts, axis=1)
        female_in = np.add.reduceat(weights * self.is_female, starts, axis=1)
        below = np.cumsum(male_in, axis=1) - male_in / 2
        return (female_in * below).sum(axis=1) / (female_in.sum(axis=1) * male_in.sum(axis=1))

    def _ece(self, times):
        weights = times[:, self.member]
        mass = np.cumsum(weights, axis=1)
        gaps = np.cumsum(weights * (self.p - self.is_female), axis=1)
        gaps = np.pad(gaps, ((0, 0), (1, 0)))
        shares = np.arange(BINS + 1) / BINS
        edges = np.stack([np.searchsorted(row, shares * row[-1] + 1e-9, side="right")
                          for row in mass])
        edges[:, 0], edges[:, -1] = 0, mass.shape[1]
        bins = np.diff(np.take_along_axis(gaps, edges, axis=1), axis=1)
        return np.abs(bins).sum(axis=1) / mass[:, -1]
