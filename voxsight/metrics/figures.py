"""Figures of binary predictions, with 95 % intervals by a bootstrap over speakers.

Conventions
-----------
Arrays have one entry per recording. The positive label is female: ``is_female`` is what the
corpus states and ``p_female`` the predicted probability of that label. A probability of 0.5 or
more is called female. ``answered`` is true where the model gave a label, and false where it said
that it is uncertain.

Every recording has the same weight. Intervals are those of `bootstrap`: they hold their value,
have a width where nobody errs, and are wide where there are few speakers. That of ``uar`` joins
those of the two recalls. Where no speaker errs, those of ``brier`` and ``ece`` allow for the
mistakes of speakers who were not met.

=====================  =========================================================================
``accuracy``           fraction of recordings with the right label
``error_rate``         1 - accuracy
``uar``                unweighted average recall: mean of the recalls of the two labels
``precision``          fraction of those called female that are labelled female
``recall``             fraction of those labelled female that are called female
``recall_male``        fraction of those labelled male that are called male
``f1_female``          harmonic mean of precision and recall
``auc``                area under the ROC curve: probability that a female recording has a higher
                       ``p_female`` than a male one; ties count one half [1]_
``ece``                expected calibration error over 15 bins of equal mass: mean distance
                       between predicted and observed fraction of female recordings [2]_ [3]_.
                       It cannot be negative, so chance alone makes it greater than 0
``ece_debiased``       root of the mean squared distance over the same bins, less what chance
                       adds to it: the estimator of Kumar et al. [5]_, with the variance in a
                       bin taken over its speakers; about 0 for calibrated answers. None if no
                       bin holds two speakers
``brier``              mean squared difference between ``p_female`` and the label, 1 or 0 [4]_
``coverage``           fraction of recordings that were answered
``accuracy_answered``  accuracy among them
=====================  =========================================================================

References
----------
.. [1] Hanley and McNeil, "The meaning and use of the area under a receiver operating
       characteristic (ROC) curve", 1982
.. [2] Naeini et al., "Obtaining well calibrated probabilities using Bayesian binning", 2015
.. [3] Nguyen and O'Connor, "Posterior calibration and exploratory analysis for natural language
       processing models", 2015 (bins of equal mass)
.. [4] Brier, "Verification of forecasts expressed in terms of probability", 1950
.. [5] Kumar, Liang and Ma, "Verified uncertainty calibration", 2019, section 4
.. [6] Obuchowski, "Nonparametric analysis of clustered ROC curve data", 1997
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from voxsight.metrics.bootstrap import DRAWS, bootstrap_weights, ratio_over_speakers
from voxsight.metrics.calibration_error import BINS, CalibrationError
from voxsight.metrics.intervals import (
    NOT_DEFINED,
    Figure,
    bounded_figure,
    joined,
    kish,
    mean_of_certain,
    t_figure,
)

NAMES = ("accuracy", "error_rate", "uar", "precision", "recall", "recall_male", "f1_female", "auc",
         "ece", "ece_debiased", "brier", "coverage", "accuracy_answered")
_AT_ONCE = 50  # draws computed together; bounds memory


def figures(is_female: ArrayLike, p_female: ArrayLike, speakers: Sequence[str] | np.ndarray, *,
            answered: ArrayLike | None = None, draws: int = DRAWS,
            seed: int = 0) -> dict[str, Any]:
    """Figures of a set of predictions, each with a 95 % interval.

    Parameters
    ----------
    is_female : array of bool [shape=(n,)]
    p_female : array of float [shape=(n,)]
        Predicted probability of the label female.
    speakers : sequence of str [shape=(n,)]
    answered : array of bool [shape=(n,)], optional
        Where the model said female or male; adds ``coverage`` and ``accuracy_answered``.
    draws : int
        Of the bootstrap over speakers.
    seed : int
        Of the bootstrap.

    Returns
    -------
    dict
        ``n``, ``n_speakers`` and, for each figure of `point_figures`, a dictionary ``value``,
        ``low``, ``high``; None where it is not defined.
    """
    predictions = _SortedPredictions(is_female, p_female, speakers, answered)
    weights = bootstrap_weights(predictions.n_speakers, draws, seed)
    found = {name: ratio_over_speakers(parts, wholes, most=number, weights=weights)
             for name, (parts, wholes, number) in predictions.ratios.items()}
    found |= {"error_rate": _complement(found["accuracy"]), "uar": predictions.uar(found),
              "auc": predictions.auc_figure(weights),
              **predictions.calibration_error.figures(weights)}
    return {"n": len(predictions.is_female), "n_speakers": predictions.n_speakers,
            **{name: found[name] for name in predictions.names}}


def uar_gain(is_female: ArrayLike, before: ArrayLike, after: ArrayLike,
             speakers: Sequence[str] | np.ndarray, *, draws: int = DRAWS,
             seed: int = 0) -> dict[str, float | None]:
    """Gain in unweighted average recall of one model over another on the same recordings.

    The interval is of the speakers' differences. Models whose labels agree on all recordings may
    differ on those of others, unless their probabilities are the same.

    Parameters
    ----------
    is_female : array of bool [shape=(n,)]
    before, after : array of float [shape=(n,)]
        Predicted probabilities of female.
    speakers : sequence of str [shape=(n,)]
    draws, seed : int
        Of the bootstrap over speakers.

    Returns
    -------
    dict
        ``before`` and ``after``, and of their difference ``value``, ``low`` and ``high``. None
        if one label is missing.
    """
    is_female, before, after = (np.asarray(is_female, bool), np.asarray(before, float),
                                np.asarray(after, float))
    if is_female.all() or not is_female.any():
        return dict.fromkeys(("before", "after", "value", "low", "high"))
    old, new = ((p >= 0.5) == is_female for p in (before, after))
    names, member = np.unique(np.asarray(speakers, str), return_inverse=True)
    weights, influences, numbers = bootstrap_weights(len(names), draws, seed), [], []
    gain, drawn = 0.0, np.zeros(draws)
    for label in (is_female, ~is_female):
        counts, gained = np.bincount(member, label), np.bincount(member, label * (1.0 * new - old))
        change = gained.sum() / counts.sum()
        gain += change / 2
        with np.errstate(invalid="ignore", divide="ignore"):
            drawn += (weights @ gained) / (weights @ counts) / 2
        influences.append((gained - change * counts)[counts > 0] / counts.sum() / 2)
        numbers.append(float(np.count_nonzero(counts)))
    figure = t_figure(gain, float(np.nanvar(drawn)), influences)
    if (old == new).all() and (before != after).any():  # others may tell the models apart
        doubt = 1 - mean_of_certain(*numbers)
        figure = {"value": 0.0, "low": -doubt, "high": doubt}
    return {**{name: float(right[is_female].mean() + right[~is_female].mean()) / 2
               for name, right in (("before", old), ("after", new))}, **figure}


def point_figures(is_female: np.ndarray, p_female: np.ndarray,
                  answered: np.ndarray | None = None) -> dict[str, float]:
    """Figures of a set of predictions without intervals.

    Parameters
    ----------
    is_female : np.ndarray [shape=(n,), bool]
    p_female : np.ndarray [shape=(n,), float]
        Predicted probability of the label female.
    answered : np.ndarray [shape=(n,), bool], optional
        Where the model said female or male.

    Returns
    -------
    dict of str to float
        The figures of the table at the head of this module, but for ``ece_debiased``, which
        needs speakers; NaN where one is not defined.

    Examples
    --------
    >>> is_female = np.array([True, True, False])
    >>> point_figures(is_female, np.array([0.9, 0.4, 0.2]))["uar"]
    0.75
    """
    predictions = _SortedPredictions(is_female, p_female, np.arange(len(is_female)), answered)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = {name: parts.sum() / wholes.sum()
                 for name, (parts, wholes, _) in predictions.ratios.items()}
    found |= {"error_rate": 1 - found["accuracy"],
              "uar": (found["recall"] + found["recall_male"]) / 2,
              "auc": predictions.auc(np.ones((1, predictions.n_speakers)))[0],
              "ece": predictions.calibration_error.value}
    return {name: float(found[name]) for name in predictions.names if name in found}


def reliability(is_female: np.ndarray, p_female: np.ndarray,
                bins: int = BINS) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predicted and observed fraction of female recordings in bins of equal mass.

    Parameters
    ----------
    is_female : np.ndarray [shape=(n,), bool]
    p_female : np.ndarray [shape=(n,), float]
        Predicted probability of the label female.
    bins : int
        Number of bins; fewer if there are fewer recordings.

    Returns
    -------
    predicted, observed : np.ndarray [shape=(bins,), float]
    counts : np.ndarray [shape=(bins,), int]
        Recordings in each bin.

    Examples
    --------
    >>> predicted, observed, counts = reliability(np.array([False, True]), np.array([0.25, 0.75]))
    >>> predicted.tolist(), observed.tolist(), counts.tolist()
    ([0.25, 0.75], [0.0, 1.0], [1, 1])
    """
    parts = _bins(p_female, bins)
    return (np.array([p_female[part].mean() for part in parts]),
            np.array([is_female[part].mean() for part in parts]),
            np.array([len(part) for part in parts]))


def reliability_interval(is_female: np.ndarray, p_female: np.ndarray,
                         speakers: Sequence[str] | np.ndarray,
                         bins: int = BINS) -> tuple[np.ndarray, np.ndarray]:
    """95 % intervals over speakers of the observed fractions of `reliability`.

    Parameters
    ----------
    is_female : np.ndarray [shape=(n,), bool]
    p_female : np.ndarray [shape=(n,), float]
        Predicted probability of the label female.
    speakers : sequence of str [shape=(n,)]
    bins : int
        Number of bins; fewer if there are fewer recordings.

    Returns
    -------
    low, high : np.ndarray [shape=(bins,), float]
    """
    names, found = np.asarray(speakers, str), []
    for part in _bins(p_female, bins):
        _, member = np.unique(names[part], return_inverse=True)
        found.append(ratio_over_speakers(np.bincount(member, is_female[part]),
                                         np.bincount(member), most=len(part)))
    return (np.array([figure["low"] for figure in found], float),
            np.array([figure["high"] for figure in found], float))


def _bins(p_female: np.ndarray, bins: int) -> list[np.ndarray]:
    """Indices of the recordings in each bin of equal mass that holds some."""
    order = np.argsort(p_female, kind="stable")
    return [part for part in np.array_split(order, bins) if len(part)]


def roc(is_female: np.ndarray, p_female: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """ROC curve: fractions called female at every threshold, from high to low.

    Parameters
    ----------
    is_female : np.ndarray [shape=(n,), bool]
    p_female : np.ndarray [shape=(n,), float]
        Predicted probability of the label female.

    Returns
    -------
    false_positive_rate : np.ndarray [shape=(thresholds + 1,)]
        Fraction of male recordings that are called female.
    true_positive_rate : np.ndarray [shape=(thresholds + 1,)]
        Fraction of female recordings that are called female.

    Examples
    --------
    >>> x, y = roc(np.array([True, False]), np.array([0.9, 0.1]))
    >>> x.tolist(), y.tolist()
    ([0.0, 0.0, 1.0], [0.0, 1.0, 1.0])
    """
    order = np.argsort(-p_female, kind="stable")
    last = np.append(np.diff(p_female[order]) != 0, True)  # of each run of equal probabilities
    true_positives = np.cumsum(is_female[order])[last]
    false_positives = np.cumsum(~is_female[order])[last]
    return (np.insert(false_positives / max(false_positives[-1], 1), 0, 0.0),
            np.insert(true_positives / max(true_positives[-1], 1), 0, 0.0))


class _SortedPredictions:
    """Predictions sorted by probability, and what their figures are made of."""

    def __init__(self, is_female: ArrayLike, p_female: ArrayLike,
                 speakers: Sequence[str] | np.ndarray, answered: ArrayLike | None) -> None:
        order = np.argsort(p_female, kind="stable")
        self.is_female = np.asarray(is_female, bool)[order]
        self.p = np.asarray(p_female, float)[order]
        self._answered = None if answered is None else np.asarray(answered, bool)[order]
        names, self.member = np.unique(np.asarray(speakers, str)[order], return_inverse=True)
        self.n_speakers = len(names)
        self.all_right = bool(((self.p >= 0.5) == self.is_female).all())
        # First recording of each run of equal probabilities.
        self._run_starts = np.flatnonzero(np.append(True, np.diff(self.p) != 0))

    @property
    def calibration_error(self) -> CalibrationError:
        """Its distances, and what chance adds to them."""
        return CalibrationError(self.is_female, self.p, self.member)

    @property
    def names(self) -> Sequence[str]:
        """Names of the figures, in their order."""
        return NAMES if self._answered is not None else NAMES[:-2]

    @property
    def ratios(self) -> dict[str, tuple[np.ndarray, np.ndarray, float]]:
        """Figures that are ratios of sums over speakers: parts, wholes, number of recordings."""
        called, is_female = self.p >= 0.5, self.is_female
        right, every = called == is_female, np.ones(len(is_female), bool)
        pairs: dict[str, tuple[np.ndarray, np.ndarray]] = {
            "accuracy": (right, every), "precision": (called & is_female, called),
            "recall": (right & is_female, is_female),
            "recall_male": (right & ~is_female, ~is_female),
            "f1_female": (2 * (called & is_female), 1 * is_female + called)}
        if self._answered is not None:
            pairs |= {"coverage": (self._answered, every),
                      "accuracy_answered": (self._answered & right, self._answered)}
        result = {name: (self.by_speaker(part), self.by_speaker(whole), float(whole.sum()))
                  for name, (part, whole) in pairs.items()}
        squares = self.by_speaker(np.square(self.p - is_female))
        # Those who are right differ little; others may not be right.
        number = 0.0 if self.all_right else float(len(is_female))
        return result | {"brier": (squares, self.by_speaker(every), number)}

    def by_speaker(self, values: np.ndarray) -> np.ndarray:
        """Sum over the recordings of each speaker, shape (n_speakers,)."""
        return np.bincount(self.member, values, self.n_speakers)

    def uar(self, found: dict[str, Figure]) -> Figure:
        """Mean of two recalls that are given."""
        recalls = found["recall"], found["recall_male"]
        figure = joined([(0.5, recall) for recall in recalls])
        if figure["value"] in (0, 1):
            least = mean_of_certain(np.unique(self.member[self.is_female]).size,
                                    np.unique(self.member[~self.is_female]).size)
            return figure | ({"low": least} if figure["value"] else {"high": 1 - least})
        return figure

    def auc(self, weights: np.ndarray) -> np.ndarray:
        """Mass of pairs (female, male) in the right order; ties count one half."""
        parts = []
        for start in range(0, len(weights), _AT_ONCE):
            of_recordings = weights[start: start + _AT_ONCE, self.member]
            male = np.add.reduceat(of_recordings * ~self.is_female, self._run_starts, axis=1)
            female = np.add.reduceat(of_recordings * self.is_female, self._run_starts, axis=1)
            male_below = np.cumsum(male, axis=1) - male / 2
            with np.errstate(invalid="ignore", divide="ignore"):
                parts.append((female * male_below).sum(axis=1)
                             / (female.sum(axis=1) * male.sum(axis=1)))
        return np.concatenate(parts)

    def auc_figure(self, weights: np.ndarray) -> Figure:
        """Area under the curve; speakers contribute what their recordings outrank [6]_."""
        value = float(self.auc(np.ones((1, self.n_speakers)))[0])
        if np.isnan(value):
            return dict(NOT_DEFINED)
        influences, numbers = [], []
        for label, sign in ((self.is_female, 1), (~self.is_female, -1)):
            others = np.add.reduceat((~label).astype(float), self._run_starts)
            below = (np.cumsum(others) - others / 2) / others.sum()
            runs = np.repeat(below, np.diff(np.append(self._run_starts, len(label))))
            outranked = runs if sign > 0 else 1 - runs
            counts = self.by_speaker(label)
            there = counts > 0
            influences.append(self.by_speaker(label * (outranked - value))[there] / counts.sum())
            numbers.append(kish(counts[there]))
        return bounded_figure(value, float(np.nanvar(self.auc(weights))), influences,
                              fewest=min(numbers), most=len(self.p))


def _complement(figure: Figure) -> Figure:
    """One less a fraction."""
    other = {"value": "value", "low": "high", "high": "low"}
    return {key: None if (end := figure[other[key]]) is None else 1 - end for key in other}
