"""Figures of binary predictions, with 95 % intervals by a bootstrap over speakers.

Conventions
-----------
Arrays have one entry per recording. The positive label is female: ``is_female`` is what the
corpus states and ``p_female`` the predicted probability of that label. A probability of 0.5 or
more is called female. ``answered`` is true where the model gave a label, and false where it said
that it is uncertain.

Every recording has the same weight. The bootstrap draws speakers, see `bootstrap`; an interval
is from the 2.5th to the 97.5th percentile of the figure over the draws in which it is defined.
The ECE cannot be negative and grows with the noise of a draw, so its interval is biased upwards
and may lie above its value.

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
                       between predicted and observed fraction of female recordings [2]_ [3]_
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
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from voxsight.metrics.bootstrap import DRAWS, PERCENTILES, bootstrap_weights, speaker_draws

BINS = 15  # of reliability and calibration error
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
    values = predictions.figures(np.ones((1, predictions.n_speakers)))
    drawn = _in_parts(predictions, bootstrap_weights(predictions.n_speakers, draws, seed))
    result: dict[str, Any] = {"n": len(predictions.is_female),
                              "n_speakers": predictions.n_speakers}
    for name, value in values.items():
        defined = drawn[name][~np.isnan(drawn[name])]
        low, high = np.percentile(defined, PERCENTILES) if len(defined) else (np.nan, np.nan)
        result[name] = {"value": _or_none(value[0]), "low": _or_none(low),
                        "high": _or_none(high)}
    return result


def uar_gain(is_female: ArrayLike, before: ArrayLike, after: ArrayLike,
             speakers: Sequence[str] | np.ndarray, *, draws: int = DRAWS,
             seed: int = 0) -> dict[str, float | None]:
    """Gain in unweighted average recall of one model over another on the same recordings.

    Parameters
    ----------
    is_female : array of bool [shape=(n,)]
    before, after : array of float [shape=(n,)]
        Predicted probabilities of female.
    speakers : sequence of str [shape=(n,)]
    draws, seed : int
        Of the bootstrap over speakers; both models are given the same draws.

    Returns
    -------
    dict
        ``before`` and ``after``, and of their difference ``value``, ``low`` and ``high``. None
        if one label is missing.
    """
    weights, _ = speaker_draws(speakers, draws, seed)
    uar_before, uar_after = (
        _in_parts(_SortedPredictions(is_female, p_female, speakers, None), weights)["uar"]
        for p_female in (before, after))
    gains = uar_after - uar_before
    if np.isnan(gains[0]):
        return dict.fromkeys(("before", "after", "value", "low", "high"))
    low, high = np.nanpercentile(gains[1:], PERCENTILES)
    return {"before": float(uar_before[0]), "after": float(uar_after[0]),
            "value": float(gains[0]), "low": float(low), "high": float(high)}


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
        The figures of the table at the head of this module; NaN where one is not defined.

    Examples
    --------
    >>> is_female = np.array([True, True, False])
    >>> point_figures(is_female, np.array([0.9, 0.4, 0.2]))["uar"]
    0.75
    """
    predictions = _SortedPredictions(is_female, p_female, np.zeros(len(is_female)), answered)
    return {name: float(value[0])
            for name, value in predictions.figures(np.ones((1, 1))).items()}


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
    order = np.argsort(p_female, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return (np.array([p_female[part].mean() for part in parts]),
            np.array([is_female[part].mean() for part in parts]),
            np.array([len(part) for part in parts]))


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
    """Predictions sorted by probability, whose figures can be computed for many weightings."""

    def __init__(self, is_female: ArrayLike, p_female: ArrayLike,
                 speakers: Sequence[str] | np.ndarray, answered: ArrayLike | None) -> None:
        order = np.argsort(p_female, kind="stable")
        self.is_female = np.asarray(is_female, bool)[order]
        self.p = np.asarray(p_female, float)[order]
        self.answered = None if answered is None else np.asarray(answered, bool)[order]
        names, self.member = np.unique(np.asarray(speakers, str)[order], return_inverse=True)
        self.n_speakers = len(names)
        # First recording of each run of equal probabilities.
        self.run_starts = np.flatnonzero(np.append(True, np.diff(self.p) != 0))

    def figures(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Figures for each row of weights of the speakers, shape (rows, n_speakers)."""
        called_female, is_female = self.p >= 0.5, self.is_female
        right_label = called_female == is_female
        n, n_female, n_called, hits, right, squares = self._sums(
            weights, np.ones(len(is_female)), is_female, called_female,
            called_female & is_female, right_label, np.square(self.p - is_female))
        with np.errstate(invalid="ignore", divide="ignore"):
            recall = hits / n_female
            recall_male = (right - hits) / (n - n_female)
            result = {
                "accuracy": right / n, "error_rate": 1 - right / n,
                "uar": (recall + recall_male) / 2, "precision": hits / n_called,
                "recall": recall, "recall_male": recall_male,
                "f1_female": 2 * hits / (n_female + n_called),
                "auc": self._auc(weights), "ece": self._ece(weights), "brier": squares / n}
            if self.answered is not None:
                n_answered, n_right = self._sums(weights, self.answered,
                                                 self.answered & right_label)
                result |= {"coverage": n_answered / n,
                           "accuracy_answered": n_right / n_answered}
        return result

    def _sums(self, weights: np.ndarray, *values: np.ndarray) -> np.ndarray:
        """Weighted sum of each array over the recordings, shape (arrays, rows)."""
        per_speaker = [np.bincount(self.member, value, self.n_speakers) for value in values]
        return (weights @ np.stack(per_speaker, axis=1)).T

    def _auc(self, weights: np.ndarray) -> np.ndarray:
        """Mass of pairs (female, male) in the right order; ties count one half."""
        weights = weights[:, self.member]
        male = np.add.reduceat(weights * ~self.is_female, self.run_starts, axis=1)
        female = np.add.reduceat(weights * self.is_female, self.run_starts, axis=1)
        male_below = np.cumsum(male, axis=1) - male / 2
        return (female * male_below).sum(axis=1) / (female.sum(axis=1) * male.sum(axis=1))

    def _ece(self, weights: np.ndarray) -> np.ndarray:
        """Mean distance of predicted and observed fraction in bins of equal mass.

        The weights of each row move the edges of the bins. Within a bin, the sum of prediction
        minus label is a difference of two cumulative sums.
        """
        weights = weights[:, self.member]
        mass = np.cumsum(weights, axis=1)
        excess = np.cumsum(weights * (self.p - self.is_female), axis=1)
        excess = np.pad(excess, ((0, 0), (1, 0)))
        fractions = np.arange(BINS + 1) / BINS
        edges = np.stack([np.searchsorted(row, fractions * row[-1] + 1e-9, side="right")
                          for row in mass])
        edges[:, 0], edges[:, -1] = 0, mass.shape[1]
        in_bins = np.diff(np.take_along_axis(excess, edges, axis=1), axis=1)
        return np.abs(in_bins).sum(axis=1) / mass[:, -1]


def _in_parts(predictions: _SortedPredictions, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Figures for each row of weights, a few rows at a time."""
    parts = [predictions.figures(weights[i: i + _AT_ONCE])
             for i in range(0, len(weights), _AT_ONCE)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _or_none(value: float) -> float | None:
    """A figure as JSON has it: None if it is not defined."""
    return None if np.isnan(value) else float(value)
