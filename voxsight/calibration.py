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
    """

    temperature: float = 1.0
    min_confidence: float = 0.5

    def p_female(self, log_odds):
        """Probability of the label female; log-odds may be an array."""
        return 1 / (1 + np.exp(-np.clip(np.asarray(log_odds) / self.temperature, -60, 60)))


def fit_calibration(log_odds, is_female, *, promised_accuracy=0.98):
    """Calibration fitted on recordings of speakers that the model did not train on.

    Both labels weigh the same, whatever their share in the recordings.

    Parameters
    ----------
    log_odds : array of float [shape=(n,)]
    is_female : array of bool [shape=(n,)]
    promised_accuracy : float
        share of answers above ``min_confidence`` that shall be right

    Returns
    -------
    Calibration
    """
    log_odds, is_female = np.asarray(log_odds, float), np.asarray(is_female, bool)
    weights = np.where(is_female, 0.5 / max(is_female.sum(), 1), 0.5 / max((~is_female).sum(), 1))
    temperatures = np.geomspace(0.25, 1000.0, 800)
    signed = np.where(is_female, log_odds, -log_odds)
    losses = [np.sum(weights * np.logaddexp(0, -signed / t)) for t in temperatures]
    temperature = float(temperatures[int(np.argmin(losses))])
    confidence = 1 / (1 + np.exp(-np.abs(log_odds) / temperature))
    return Calibration(temperature, _threshold(confidence, signed > 0, weights,
                                               promised_accuracy))


def _threshold(confidence, right, weights, promised):
    """Lowest confidence from which on the weighted accuracy is as promised."""
    order = np.argsort(-confidence, kind="stable")
    accuracy = np.cumsum((weights * right)[order]) / np.cumsum(weights[order])
    kept = np.flatnonzero(accuracy >= promised)
    if not len(kept):
        return 0.99
    return float(max(0.5, confidence[order][kept[-1]]))
