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
        # D4C tells voiced from unvoiced by what lies up to 7.9 kHz, where that is recorded.
        threshold = 0.85 if rate >= 16_000 else 0.0
        self._aperiodicity = pyworld.d4c(x, self._f0, times, rate, threshold=threshold)
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
        samples = self._synthesised(f0, _stretched(self._envelope, formants),
                                    _stretched(self._aperiodicity, formants))
        return np.resize(samples, self._n)

    def whispered(self):
        """The same words with breath instead of pitch; shape (n,), float32."""
        samples = self._synthesised(np.zeros_like(self._f0), self._envelope, self._aperiodicity)
        return np.resize(samples, self._n)

    def sustained(self, duration_s):
        """The loudest periodic 10 ms held; shape (duration_s * rate,), float32."""
        periodic = self._envelope.sum(axis=1) * (1 - self._aperiodicity.mean(axis=1))
        held = np.full(int(duration_s * 1000 / FRAME_MS) + 1, int(periodic.argmax()))
        samples = self._synthesised(self._f0[held], self._envelope[held], self._aperiodicity[held])
        return samples[: int(duration_s * self.rate)]

    def sung(self, slower=2):
        """The same words `slower` times as slow, a note with vibrato for each voiced stretch.

        Notes are the nearest of the equal-tempered scale; vibrato is half a semitone at
        5.5 Hz, what trained singers do.
        """
        f0 = self._f0.copy()
        for stretch in np.split(np.arange(len(f0)), np.flatnonzero(np.diff(f0 > 0)) + 1):
            if f0[stretch[0]] > 0:
                semitones = 12 * np.log2(np.median(f0[stretch]) / 440.0)
                f0[stretch] = 440.0 * 2 ** (np.round(semitones) / 12)
        frames = np.repeat(np.arange(len(f0)), slower)
        vibrato = 0.5 * np.sin(2 * np.pi * 5.5 * np.arange(len(frames)) * FRAME_MS / 1000)
        return self._synthesised(f0[frames] * 2 ** (vibrato / 12), self._envelope[frames],
                                 self._aperiodicity[frames])

    def _synthesised(self, f0, envelope, aperiodicity):
        """As loud as what was analysed."""
        samples = _world().synthesize(f0, np.ascontiguousarray(envelope),
                                      np.ascontiguousarray(aperiodicity), self.rate, FRAME_MS)
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
