"""Calibrates log-odds, and chooses the confidence below which the label is "uncertain".

Conventions
-----------
Log-odds are natural logarithms of p(female) / p(male): positive ones favour female. What a
model computes are its log-odds; the calibrated ones are ``(log_odds - bias) / temperature``, and
their logistic function is the probability ``p_female``. Confidence is the larger of ``p_female``
and ``1 - p_female``, from 0.5 to 1.

The calibration is fitted on one value per recording, of speakers that the model did not train
on. Every speaker of a label has the same weight, however many recordings there are, and both
labels have the same, so that probabilities hold where both are equally frequent.

The confidence below which a label is uncertain is chosen by a bound [3]_ and not by the accuracy
of the sample, which is too good at the confidence that was chosen for it. The bound is the lower
end of Clopper and Pearson's interval for the effective number of speakers (see `bootstrap`; here
it is at most their number, since some may be wrong who were not met): at the confidence chosen,
the accuracy of the answers given is lower in at most 5 % of the draws of calibration speakers.
Several confidences are looked at, so they share these 5 %, and steps from each of them to lower
ones are tested in a fixed sequence until one fails [4]_. The lowest confidence whose bound is as
promised is taken. At least 183 speakers without a mistake are needed for 98 %, and 60 for 94 %. If
no confidence is found, that with the highest bound is taken among those at which the sample is as
promised, and the bound stands beside it.

MAPIE's `BinaryClassificationController` and crepes' conformal predictors take samples and labels,
but neither weights nor speakers, so recordings of one voice would count as independent.

References
----------
.. [1] Platt, "Probabilistic outputs for support vector machines and comparisons to regularized
       likelihood methods", 1999 (temperature and bias)
.. [2] Guo et al., "On calibration of modern neural networks", 2017 (temperature alone)
.. [3] Geifman and El-Yaniv, "Selective classification for deep neural networks", 2017
.. [4] Angelopoulos et al., "Learn then test: calibrating predictive algorithms to achieve risk
       control", 2022, fixed sequence testing with several starts
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from voxsight.metrics.intervals import effective_number

CLIP = 60.0  # log-odds; keeps the exponential from overflowing in single precision
LEVEL = 0.05  # probability that the accuracy of the answers given is below its bound
_STARTS = (0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5)  # answer rates that are tested, beside that of all
_STEP = 1.02  # from one answer rate to the next that is tested


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
    accuracy_bound : float or None
        Accuracy of the answers given, at least, for speakers like those of the calibration; it
        is lower in at most 5 % of the draws of such speakers. None if it was not determined.

    Examples
    --------
    >>> float(Calibration(temperature=2.0, bias=1.0).p_female(1.0))
    0.5
    """

    temperature: float = 1.0
    min_confidence: float = 0.5
    bias: float = 0.0
    accuracy_bound: float | None = None

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


def fit_calibration(log_odds: ArrayLike, is_female: ArrayLike,
                    speakers: Sequence[str] | np.ndarray | None = None, *, shifted: bool = False,
                    promised_accuracy: float = 0.98) -> Calibration:
    """Calibration fitted on recordings of speakers that the model did not train on.

    Parameters
    ----------
    log_odds : array of float [shape=(n,)]
        Of the model.
    is_female : array of bool [shape=(n,)]
        Both labels must occur.
    speakers : sequence of str [shape=(n,)], optional
        Those of a label have the same weight (default: each recording is of another).
    shifted : bool
        Fit a bias too, which needs more recordings than a temperature alone.
    promised_accuracy : float
        Fraction of the labels given at or above ``min_confidence`` that must be right.

    Returns
    -------
    Calibration
        Its ``accuracy_bound`` is `promised_accuracy` if there are speakers enough to tell;
        otherwise it is what these speakers can show.
    """
    from sklearn.linear_model import LogisticRegression

    log_odds, is_female = np.asarray(log_odds, float), np.asarray(is_female, bool)
    member, weights = _speaker_weights(is_female, speakers)
    scale = float(weights @ np.abs(log_odds)) or 1.0
    # At this scale and strength, the penalty matters only if there are few speakers without a
    # mistake; the slope would otherwise be infinite.
    model = LogisticRegression(fit_intercept=shifted, C=10.0)
    model.fit(log_odds[:, None] / scale, is_female, sample_weight=weights * (member.max() + 1))
    slope = max(float(model.coef_[0, 0]), 1e-3) / scale
    bias = -float(model.intercept_[0]) / slope if shifted else 0.0
    return with_min_confidence(Calibration(1 / slope, 0.5, bias), log_odds, is_female, speakers,
                               promised_accuracy=promised_accuracy)


def with_min_confidence(calibration: Calibration, log_odds: ArrayLike, is_female: ArrayLike,
                        speakers: Sequence[str] | np.ndarray | None = None, *,
                        is_ambiguous: ArrayLike = False,
                        promised_accuracy: float = 0.98) -> Calibration:
    """A calibration of the same probabilities whose least confidence is chosen anew.

    Parameters
    ----------
    calibration : Calibration
    log_odds, is_female, speakers
        As for `fit_calibration`.
    is_ambiguous : array of bool [shape=(n,)], optional
        Recordings that nobody can tell, such as voices altered to a child's. Any answer to one
        counts as half right, so that it should be "uncertain".
    promised_accuracy : float
        As for `fit_calibration`.

    Returns
    -------
    Calibration
    """
    is_female = np.asarray(is_female, bool)
    member, weights = _speaker_weights(is_female, speakers)
    calibrated = calibration.calibrated_log_odds(log_odds)
    confidence = 1 / (1 + np.exp(-np.clip(np.abs(calibrated), 0, CLIP)))
    right = np.where(is_ambiguous, 0.5, (calibrated > 0) == is_female)
    answers = _Answers(confidence, right, weights, member)
    threshold, bound = answers.safest(promised_accuracy)
    return dataclasses.replace(calibration, min_confidence=threshold, accuracy_bound=bound)


def _speaker_weights(is_female: np.ndarray, speakers: Sequence[str] | np.ndarray | None
                     ) -> tuple[np.ndarray, np.ndarray]:
    """Number of the speaker of each recording, and its weight; the weights add up to 1."""
    names = np.arange(len(is_female)) if speakers is None else np.asarray(speakers, str)
    _, member = np.unique(names, return_inverse=True)
    weights = np.zeros(len(is_female))
    for label in (is_female, ~is_female):
        counts = np.bincount(member[label])
        weights[label] = 0.5 / counts[member[label]] / np.count_nonzero(counts)
    return member, weights


class _Answers:
    """Answers of calibration speakers from the most to the least confident."""

    def __init__(self, confidence: np.ndarray, right: np.ndarray, weights: np.ndarray,
                 member: np.ndarray) -> None:
        order = np.argsort(-confidence, kind="stable")
        self._confidence, self._right = confidence[order], right[order]
        self._weights, self._member = weights[order], member[order]
        self._answered = np.cumsum(self._weights) / self._weights.sum()

    def safest(self, promised: float) -> tuple[float, float]:
        """Lowest confidence that keeps the promise, or else that most likely does; its bound."""
        kept, starts = [], []
        for rate, level in self._starts(promised):
            bound = self._bound(rate, level)
            starts.append((self._accuracy(rate) >= promised, bound, rate))
            while bound >= promised:
                kept.append(rate)
                if rate >= 1:
                    break
                rate = min(rate * _STEP, 1.0)
                bound = self._bound(rate, level)
        if kept:
            return self._confidence_at(max(kept)), promised
        _, bound, rate = max(starts)
        return self._confidence_at(rate), bound

    def _starts(self, promised: float) -> list[tuple[float, float]]:
        """Answer rates at which tests begin, and their parts of `LEVEL`; no label is looked at.

        All answers have half of it, since that needs the fewest speakers. Lower rates are added
        as long as there are twice the speakers that could show the promise.
        """
        needed = np.log(LEVEL / 8) / np.log(promised) if promised < 1 else np.inf
        rates = list(_STARTS)
        while rates[-1] / 2 * (self._member.max() + 1) >= 2 * needed:
            rates.append(rates[-1] / 2)
        return [(1.0, LEVEL / 2), *((rate, LEVEL / 2 / len(rates)) for rate in rates)]

    def _confidence_at(self, rate: float) -> float:
        """Confidence of the last of the answers if so many are given; 0.5 if all are."""
        if rate >= 1:
            return 0.5
        return float(max(0.5, self._confidence[np.searchsorted(self._answered, rate - 1e-9)]))

    def _accuracy(self, rate: float) -> float:
        """Accuracy of the answers given at an answer rate, in the sample."""
        given = self._confidence >= self._confidence_at(rate)
        return float(self._weights[given] @ self._right[given] / self._weights[given].sum())

    def _bound(self, rate: float, level: float) -> float:
        """Lower bound of the accuracy of the answers given at an answer rate."""
        from scipy.stats import beta

        given = self._confidence >= self._confidence_at(rate)
        weights, member = self._weights[given], self._member[given]
        wholes = np.bincount(member, weights)
        parts = np.bincount(member, weights * self._right[given])
        there = wholes > 0
        value, number = effective_number(parts[there], wholes[there], most=float(there.sum()))
        return float(beta.ppf(level, value * number, (1 - value) * number + 1))
