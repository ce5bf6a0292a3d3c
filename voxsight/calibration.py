"""From log-odds to probabilities that hold, and to the point where to say "uncertain"."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Calibration:
    """How a model's log-odds become an answer.

    Attributes
    ----------
    temperature : float
        log-odds are divided by it (Guo et al., "On Calibration of Modern Neural
        Networks", 2017)
    min_confidence : float
        below it, max(p_female, p_male) is called uncertain
    bias : float
        log-odds at which both labels are as likely

    Examples
    --------
    >>> float(Calibration(temperature=2.0, bias=1.0).p_female(1.0))
    0.5
    """

    temperature: float = 1.0
    min_confidence: float = 0.5
    bias: float = 0.0

    def evidence(self, log_odds):
        """Log-odds of female that hold; an array of the same shape."""
        return (np.asarray(log_odds) - self.bias) / self.temperature

    def p_female(self, log_odds):
        """Probability of the label female; log-odds may be an array."""
        return 1 / (1 + np.exp(-np.clip(self.evidence(log_odds), -60, 60)))


def fit_calibration(log_odds, is_female, *, shifted=False, promised_accuracy=0.98):
    """Calibration fitted on recordings of speakers that the model did not train on.

    Both labels weigh the same, whatever their share in the recordings.

    Parameters
    ----------
    log_odds : array of float [shape=(n,)]
    is_female : array of bool [shape=(n,)]
    shifted : bool
        fit a bias too (Platt, "Probabilistic Outputs for Support Vector Machines", 1999),
        which takes more recordings than a temperature alone
    promised_accuracy : float
        share of answers above ``min_confidence`` that shall be right

    Returns
    -------
    Calibration
    """
    from sklearn.linear_model import LogisticRegression

    log_odds, is_female = np.asarray(log_odds, float), np.asarray(is_female, bool)
    scale = float(np.abs(log_odds).mean()) or 1.0
    # Of unit strength, the penalty only bounds what a few recordings without a mistake say.
    model = LogisticRegression(class_weight="balanced", fit_intercept=shifted, C=1.0)
    model.fit(log_odds[:, None] / scale, is_female)
    slope = max(float(model.coef_[0, 0]), 1e-3) / scale
    bias = -float(model.intercept_[0]) / slope if shifted else 0.0
    calibration = Calibration(1 / slope, 0.5, bias)
    evidence = calibration.evidence(log_odds)
    weights = np.where(is_female, 0.5 / is_female.sum(), 0.5 / (~is_female).sum())
    confident = _threshold(1 / (1 + np.exp(-np.abs(evidence))), (evidence > 0) == is_female,
                           weights, promised_accuracy)
    return dataclasses.replace(calibration, min_confidence=confident)


def _threshold(confidence, right, weights, promised):
    """Lowest confidence from which on the weighted accuracy is as promised."""
    order = np.argsort(-confidence, kind="stable")
    accuracy = np.cumsum((weights * right)[order]) / np.cumsum(weights[order])
    kept = np.flatnonzero(accuracy >= promised)
    if not len(kept):
        return 0.99
    return float(max(0.5, confidence[order][kept[-1]]))
