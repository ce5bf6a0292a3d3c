"""Figures of a model that may abstain: whether it is least sure where it is wrong.

Conventions
-----------
Arrays have one entry per recording. A recording is right or wrong, and has a confidence of any
scale; -inf where the model said nothing. Recordings are answered from the most to the least
confident. Those of equal confidence are taken in a random order, so that errors are spread evenly
among them. The *coverage* is the fraction that is answered, and the *risk* the error rate of what
is answered. The bootstrap draws speakers, see `bootstrap`.

==========  =====================================================================================
``aurc``    area under the risk-coverage curve: mean risk over all coverages [1]_
``e_aurc``  excess of it over that of the best order, in which every right recording comes before
            every wrong one: ``aurc - (r + (1 - r) ln(1 - r))`` with the error rate r [1]_
==========  =====================================================================================

Both are 0 at best. A confidence that says nothing has an ``aurc`` of the error rate.

References
----------
.. [1] Geifman, Uziel and El-Yaniv, "Bias-reduced uncertainty estimation for deep neural
       classifiers", 2019
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from voxsight.metrics.bootstrap import DRAWS, speaker_draws
from voxsight.metrics.intervals import Figure, bounded_figure

AREAS = ("aurc", "e_aurc")
_AT_ONCE = 50  # draws computed together; bounds memory


def abstention_figures(is_right: ArrayLike, confidence: ArrayLike,
                       speakers: Sequence[str] | np.ndarray, *, draws: int = DRAWS,
                       seed: int = 0) -> dict[str, Figure]:
    """Areas under the risk-coverage curve, with 95 % intervals.

    Parameters
    ----------
    is_right : array of bool [shape=(n,)]
    confidence : array of float [shape=(n,)]
    speakers : sequence of str [shape=(n,)]
    draws, seed : int
        Of the bootstrap over speakers.

    Returns
    -------
    dict
        ``aurc`` and ``e_aurc``, each a dictionary ``value``, ``low``, ``high``. Intervals
        are those of `bootstrap`: wide for one speaker, and of the number of speakers where an
        area is 0.

    Examples
    --------
    >>> found = abstention_figures([True, False], [0.5, 0.5], ["a", "b"])
    >>> found["aurc"]["value"]
    0.5
    """
    curve = _Curve(np.asarray(is_right, bool), np.asarray(confidence, float))
    weights, member = speaker_draws(speakers, draws, seed)
    n = weights.shape[1]
    weights = np.vstack([weights, 1 - np.eye(n)])  # the last without one speaker each
    with np.errstate(invalid="ignore"):  # nothing is left without the only speaker
        areas = np.concatenate([curve.areas(weights[i: i + _AT_ONCE][:, member])
                                for i in range(0, len(weights), _AT_ONCE)])
    return {name: _figure(column, n, len(member)) for name, column in zip(AREAS, areas.T)}


def risk_coverage(is_right: ArrayLike, confidence: ArrayLike,
                  coverages: ArrayLike) -> np.ndarray:
    """Error rate among the most confident recordings.

    Parameters
    ----------
    is_right : array of bool [shape=(n,)]
    confidence : array of float [shape=(n,)]
    coverages : array of float [shape=(m,)]
        Fractions of the recordings that are answered, above 0.

    Returns
    -------
    np.ndarray [shape=(m,)]

    Examples
    --------
    >>> risk_coverage([True, False], [0.9, 0.6], [0.5, 1.0]).tolist()
    [0.0, 0.5]
    """
    curve = _Curve(np.asarray(is_right, bool), np.asarray(confidence, float))
    answered, wrong = curve.sums(np.ones((1, len(curve.order))))
    coverages = np.asarray(coverages, float)
    return np.interp(coverages, answered[0] / answered[0, -1],
                     wrong[0] / answered[0, -1]) / coverages


class _Curve:
    """Recordings from the most to the least confident, in runs of equal confidence."""

    def __init__(self, is_right: np.ndarray, confidence: np.ndarray) -> None:
        self.order = np.argsort(-confidence, kind="stable")
        self._is_wrong = ~is_right[self.order]
        ordered = confidence[self.order]
        self._starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))

    def sums(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Recordings answered, and errors among them, before the first run and after each.

        Of weights of the recordings, shape (rows, n); both have shape (rows, 1 + runs).
        """
        weights = weights[:, self.order]
        in_runs = (np.add.reduceat(values, self._starts, axis=1)
                   for values in (weights, weights * self._is_wrong))
        answered, wrong = (np.pad(np.cumsum(run, axis=1), ((0, 0), (1, 0))) for run in in_runs)
        return answered, wrong

    def areas(self, weights: np.ndarray) -> np.ndarray:
        """Both areas for each row of weights, shape (rows, 2)."""
        answered, wrong = self.sums(weights)
        width, errors = np.diff(answered, axis=1), np.diff(wrong, axis=1)
        before, after = answered[:, :-1], answered[:, 1:]
        # Along a run errors grow linearly; the integral of (a + b c) / c over it.
        slope = errors / np.where(width > 0, width, 1)
        ratio = np.where(before > 0, after, 1) / np.where(before > 0, before, 1)
        parts = errors + (wrong[:, :-1] - slope * before) * np.log(ratio)
        total = answered[:, -1]
        area, right = parts.sum(axis=1) / total, 1 - wrong[:, -1] / total
        best = 1 - right + right * np.log(np.where(right > 0, right, 1))
        return np.stack([area, np.maximum(area - best, 0)], axis=1)


def _figure(values: np.ndarray, n_speakers: int, n_recordings: int) -> Figure:
    """Of the value itself, those of the draws behind it, and those without each speaker."""
    value, drawn, without = values[0], values[1:-n_speakers], values[-n_speakers:]
    influence = (value - without) * (n_speakers - 1) / n_speakers
    # The logarithm with which an error counts, by its place, doubles the variance of a fraction.
    return bounded_figure(float(value), float(np.nanvar(drawn)), [np.nan_to_num(influence)],
                          fewest=n_speakers / 2, most=n_recordings)
