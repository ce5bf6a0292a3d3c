"""Speech taken apart into pitch, vocal tract and breath, and put together otherwise.

The WORLD vocoder (Morise et al., "WORLD: a vocoder-based high-quality speech synthesis
system for real-time applications", 2016) does both.
"""

import warnings

import numpy as np

FRAME_MS = 10.0
F0_FLOOR_HZ, F0_CEIL_HZ = 60.0, 500.0
MIN_VOICED = 5  # frames; a median over fewer says nothing


class Vocoder:
    """A stretch of speech, analysed.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,)]
    rate : int
        Hz

    Attributes
    ----------
    median_f0 : float or None
        median fundamental frequency of the voiced frames, Hz; None without such frames
    """

    def __init__(self, samples, rate):
        pyworld = _world()
        self.rate, self._n = rate, len(samples)
        self._scale = float(np.abs(samples).max()) or 1.0
        # Scaled to +-1, where WORLD's thresholds were tuned.
        x = np.ascontiguousarray(samples, np.float64) / self._scale
        coarse, times = pyworld.dio(x, rate, F0_FLOOR_HZ, F0_CEIL_HZ, frame_period=FRAME_MS)
        self._f0 = pyworld.stonemask(x, coarse, times, rate)
        self._envelope = pyworld.cheaptrick(x, self._f0, times, rate)
        self._aperiodicity = pyworld.d4c(x, self._f0, times, rate)
        voiced = self._f0[self._f0 > 0]
        self.median_f0 = float(np.median(voiced)) if len(voiced) >= MIN_VOICED else None

    def resynthesise(self, median_f0=None, liveliness=1.0, formants=1.0):
        """The same words with another pitch or vocal tract.

        Parameters
        ----------
        median_f0 : float, optional
            median fundamental frequency wanted, Hz; as it was by default
        liveliness : float
            intervals of the melody, in octaves, are multiplied by it
        formants : float
            all resonances are multiplied by it; above 1 is a shorter vocal tract

        Returns
        -------
        np.ndarray [shape=(n,), float32]
            as long and as loud as what was analysed
        """
        f0, voiced = np.zeros_like(self._f0), self._f0 > 0
        if self.median_f0 is not None:
            melody = (self._f0[voiced] / self.median_f0) ** liveliness
            f0[voiced] = np.clip((median_f0 or self.median_f0) * melody, 50.0, 800.0)
        samples = _world().synthesize(f0, _stretched(self._envelope, formants),
                                       _stretched(self._aperiodicity, formants),
                                       self.rate, FRAME_MS)
        samples = np.resize(samples, self._n)
        peak = float(np.abs(samples).max()) or 1.0
        return (samples * (self._scale / peak)).astype(np.float32)


def _world():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of setuptools, about pyworld's way to its version
        import pyworld
    return pyworld


def _stretched(spectra, factor):
    """Spectra, shape (frames, bins), with what lay at f moved to `factor` times f."""
    if factor == 1.0:
        return spectra
    position = np.minimum(np.arange(spectra.shape[1]) / factor, spectra.shape[1] - 1)
    low = position.astype(int)
    high = np.minimum(low + 1, spectra.shape[1] - 1)
    share = position - low
    return np.ascontiguousarray(spectra[:, low] * (1 - share) + spectra[:, high] * share)
