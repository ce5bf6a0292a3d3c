"""Calibrates log-odds, and chooses the confidence below which the label is "uncertain".

Conventions
-----------
Log-odds are natural logarithms of p(female) / p(male): positive ones favour female. What a
model computes are its log-odds; the calibrated ones are ``(log_odds - bias) / temperature``, and
their logistic function is the probability ``p_female``. Confidence is the larger of ``p_female``
and ``1 - p_female``, from 0.5 to 1.

The calibration is fitted on one value per recording, of speakers that the model did not train
on. Both labels have the same total weight, however many recordings each of them has, so that
probabilities hold where both are equally frequent.

References
----------
.. [1] Platt, "Probabilistic outputs for support vector machines and comparisons to regularized
       likelihood methods", 1999 (temperature and bias)
.. [2] Guo et al., "On calibration of modern neural networks", 2017 (temperature alone)
"""

import dataclasses

import numpy as np
from numpy.typing import ArrayLike

CLIP = 60.0  # log-odds; keeps the exponential from overflowing in single precision
NEVER_REACHED = 0.99  # minimum confidence if no confidence gives the promised accuracy


@dataclasses.dataclass(frozen=True)
class Calibration:
    """Maps the log-odds of a model to probabilities.

    Attributes
    ----------
    temperature : float
        Log-odds are divided by it.
    min_confidence : float
        A recording with a lower confidence is labelled uncertain.
    bias : float
        Log-odds at which both labels are equally likely.

    Examples
    --------
    >>> float(Calibration(temperature=2.0, bias=1.0).p_female(1.0))
    0.5
    """

    temperature: float = 1.0
    min_confidence: float = 0.5
    bias: float = 0.0

    def calibrated_log_odds(self, log_odds: ArrayLike) -> np.ndarray:
        """Calibrated log-odds of female.

        Parameters
        ----------
        log_odds : float or array of float
            Of the model.

        Returns
        -------
        np.ndarray
            Of the same shape; a NumPy scalar for a number.
        """
        return (np.asarray(log_odds) - self.bias) / self.temperature

    def p_female(self, log_odds: ArrayLike) -> np.ndarray:
        """Probability of the label female.

        Parameters
        ----------
        log_odds : float or array of float
            Of the model.

        Returns
        -------
        np.ndarray
            Of the same shape; a NumPy scalar for a number.
        """
        return 1 / (1 + np.exp(-np.clip(self.calibrated_log_odds(log_odds), -CLIP, CLIP)))


def fit_calibration(log_odds: ArrayLike, is_female: ArrayLike, *, shifted: bool = False,
                    promised_accuracy: float = 0.98) -> Calibration:
    """Calibration fitted on recordings of speakers that the model did not train on.

    Parameters
    ----------
    log_odds : array of float [shape=(n,)]
        Of the model.
    is_female : array of bool [shape=(n,)]
        Both labels must occur.
    shifted : bool
        Fit a bias too, which needs more recordings than a temperature alone.
    promised_accuracy : float
        Fraction of the labels given at or above ``min_confidence`` that must be right.

    Returns
    -------
    Calibration
    """
    from sklearn.linear_model import LogisticRegression

    log_odds, is_female = np.asarray(log_odds, float), np.asarray(is_female, bool)
    scale = float(np.abs(log_odds).mean()) or 1.0
    # At this scale and strength, the penalty matters only if there are few recordings without a
    # mistake; the slope would otherwise be infinite.
    model = LogisticRegression(class_weight="balanced", fit_intercept=shifted, C=1.0)
    model.fit(log_odds[:, None] / scale, is_female)
    slope = max(float(model.coef_[0, 0]), 1e-3) / scale
    bias = -float(model.intercept_[0]) / slope if shifted else 0.0
    calibration = Calibration(1 / slope, 0.5, bias)
    calibrated = calibration.calibrated_log_odds(log_odds)
    weights = np.where(is_female, 0.5 / is_female.sum(), 0.5 / (~is_female).sum())
    confidence = 1 / (1 + np.exp(-np.abs(calibrated)))
    threshold = _min_confidence(confidence, (calibrated > 0) == is_female, weights,
                                promised_accuracy)
    return dataclasses.replace(calibration, min_confidence=threshold)


def _min_confidence(confidence: np.ndarray, right: np.ndarray, weights: np.ndarray,
                    promised_accuracy: float) -> float:
    """Lowest confidence at or above which the weighted accuracy is as promised."""
    order = np.argsort(-confidence, kind="stable")
    accuracy = np.cumsum((weights * right)[order]) / np.cumsum(weights[order])
    sufficient = np.flatnonzero(accuracy >= promised_accuracy)
    if not len(sufficient):
        return NEVER_REACHED
    return float(max(0.5, confidence[order][sufficient[-1]]))
