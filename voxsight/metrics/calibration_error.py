"""The expected calibration error, and what is left of it without what chance adds.

`figures` has the definitions and sources.
"""

from collections.abc import Callable

import numpy as np

from voxsight.metrics.intervals import NOT_DEFINED, Figure

BINS = 15  # of reliability and calibration error
_FACTORS = 64  # between no calibration error and the greatest that is looked at


class CalibrationError:
    """Distances of predicted and observed fractions in bins of equal mass.

    Parameters
    ----------
    is_female : np.ndarray [shape=(n,), bool]
    p_female : np.ndarray [shape=(n,), float]
        From low to high.
    member : np.ndarray [shape=(n,), int]
        Number of the speaker of each recording, from 0.
    """

    def __init__(self, is_female: np.ndarray, p_female: np.ndarray, member: np.ndarray) -> None:
        n, self._n_speakers = len(p_female), int(member.max()) + 1
        self._all_right = bool(((p_female >= 0.5) == is_female).all())
        edges = np.searchsorted(np.arange(1, n + 1), np.arange(1, BINS) / BINS * n + 1e-9,
                                side="right")
        bins = np.searchsorted(edges, np.arange(n), side="right")
        self._cell = member * BINS + bins
        self._counts = self._in_cells(np.ones(n))
        self._excess = self._in_cells(p_female - is_female)
        in_bin = self._counts.sum(axis=0)
        observed = np.bincount(bins, is_female, BINS) / np.maximum(in_bin, 1)
        residuals = self._in_cells(is_female - observed[bins])
        n_speakers = (self._counts > 0).sum(axis=0)
        self._several = n_speakers > 1
        correction = n_speakers / np.maximum(n_speakers - 1, 1)
        self._mass, self._gaps = in_bin / n, self._excess.sum(axis=0) / np.maximum(in_bin, 1)
        self._noise = (np.square(residuals).sum(axis=0) * correction
                       / np.square(np.maximum(in_bin, 1)))

    @property
    def value(self) -> float:
        """Mean distance."""
        return float(self._mass @ np.abs(self._gaps))

    @property
    def debiased(self) -> float:
        """Root of the mean squared distance less its noise; NaN if no bin has two speakers."""
        if not self._several.any():
            return np.nan
        return float(np.sqrt(np.maximum(self._squares(self._gaps), 0)))

    def figures(self, weights: np.ndarray) -> dict[str, Figure]:
        """Both with intervals, which are those true errors that explain what was found.

        The distances of all bins are multiplied by one factor, the noise of the bootstrap is
        added, and the factors are kept at which what was found lies between the 2.5th and the
        97.5th percentile. If the answers may be calibrated, the lower end is 0. If less was found
        than chance alone adds, or nothing, the upper end is what chance may add.
        """
        n = self._n_speakers
        recordings = weights @ self._counts.sum(axis=1, keepdims=True)
        noise = weights @ self._excess / recordings - self._excess.sum(axis=0) / len(self._cell)
        noise *= np.sqrt(n / max(n - 1, 1)) / np.maximum(self._mass, 1e-12)
        ece = self._inverted(self.value, self.value, lambda gaps: np.abs(gaps) @ self._mass, noise)
        root = float(np.sqrt(self._mass[self._several] @ np.square(self._gaps[self._several])))
        debiased = (dict(NOT_DEFINED) if np.isnan(self.debiased) else
                    self._inverted(self.debiased, root, lambda gaps: np.sqrt(
                        np.maximum(self._squares(gaps), 0)), noise))
        return {"ece": ece, "ece_debiased": debiased}

    def _inverted(self, value: float, error: float, statistic: Callable[[np.ndarray], np.ndarray],
                  noise: np.ndarray) -> Figure:
        """Interval of an error which is `error` if the gaps are those that were found."""
        spread = float(np.std(statistic(self._gaps + noise)))
        factors = np.linspace(0, 1 + 4 * spread / max(error, 1e-12), _FACTORS)
        shares = np.array([[np.mean(found >= value - 1e-12), np.mean(found <= value + 1e-12)]
                           for found in (statistic(f * self._gaps + noise) for f in factors)])
        explained = factors[(shares >= 0.025).all(axis=1)] * error
        low, high = (explained[0], explained[-1]) if len(explained) and error > 1e-9 else (
            0.0, float(np.percentile(statistic(noise), 97.5)))
        if self._n_speakers < 2 or self._all_right:
            low, high = 0.0, max(high, 1 - 0.025 ** (1 / self._n_speakers))
        return {"value": value, "low": float(min(low, value)),
                "high": float(min(max(high, value), 1))}

    def _squares(self, gaps: np.ndarray) -> np.ndarray:
        """Mean squared distance less its noise, over bins of several speakers."""
        return (np.square(gaps) - self._noise)[..., self._several] @ self._mass[self._several]

    def _in_cells(self, values: np.ndarray) -> np.ndarray:
        """Sum for each speaker and bin, shape (n_speakers, BINS)."""
        found = np.bincount(self._cell, values, self._n_speakers * BINS)
        return found.reshape(self._n_speakers, BINS)
