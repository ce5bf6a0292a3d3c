"""Analysis of speech and resynthesis with another pitch or another vocal tract.

Both are done by the WORLD vocoder.

References
----------
M. Morise, F. Yokomori and K. Ozawa, "WORLD: a vocoder-based high-quality speech synthesis system
for real-time applications", IEICE Transactions on Information and Systems E99-D, 2016.
"""

import warnings
from types import ModuleType

import numpy as np

from voxsight.sound.pitch import MIN_VOICED

FRAME_MS = 10.0  # distance between frames
F0_FLOOR_HZ, F0_CEIL_HZ = 60.0, 500.0  # range of the fundamental frequency that is searched
LOWEST_F0_HZ, HIGHEST_F0_HZ = 50.0, 800.0  # of what is synthesised
TUNING_HZ = 440.0
VIBRATO_HZ, VIBRATO_SEMITONES = 5.5, 0.5  # as trained singers do


class Vocoder:
    """A stretch of speech, analysed.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,)]
        Mono.
    rate : int
        Sampling rate, Hz.

    Attributes
    ----------
    rate : int
        As given.
    median_f0 : float or None
        Median fundamental frequency of the voiced frames, Hz; None if fewer than five frames are
        voiced.
    """

    def __init__(self, samples: np.ndarray, rate: int) -> None:
        pyworld = _world()
        self.rate, self._n = rate, len(samples)
        self._peak = float(np.abs(samples).max()) or 1.0
        # Scaled to +-1, where WORLD's thresholds were tuned.
        x = np.ascontiguousarray(samples, np.float64) / self._peak
        coarse, times = pyworld.dio(x, rate, F0_FLOOR_HZ, F0_CEIL_HZ, frame_period=FRAME_MS)
        self._f0 = pyworld.stonemask(x, coarse, times, rate)
        self._envelope = pyworld.cheaptrick(x, self._f0, times, rate)
        # D4C decides whether a frame is voiced by frequencies up to 7.9 kHz; at lower sampling
        # rates, which do not contain them, the decision is left to the pitch tracker.
        threshold = 0.85 if rate >= 16_000 else 0.0
        self._aperiodicity = pyworld.d4c(x, self._f0, times, rate, threshold=threshold)
        voiced = self._f0[self._f0 > 0]
        self.median_f0 = float(np.median(voiced)) if len(voiced) >= MIN_VOICED else None

    def resynthesise(self, median_f0: float | None = None, liveliness: float = 1.0,
                     formants: float = 1.0) -> np.ndarray:
        """The same words with another pitch or another vocal tract.

        Parameters
        ----------
        median_f0 : float, optional
            Median fundamental frequency wanted, Hz (default: that of the original).
        liveliness : float
            Factor for the intervals of the intonation, in octaves.
        formants : float
            Factor for the frequencies of all resonances; above 1 the vocal tract is shorter.

        Returns
        -------
        np.ndarray [shape=(n,), float32]
            As long as the original, and with the same peak.
        """
        f0, voiced = np.zeros_like(self._f0), self._f0 > 0
        if self.median_f0 is not None:
            melody = (self._f0[voiced] / self.median_f0) ** liveliness
            f0[voiced] = np.clip((median_f0 or self.median_f0) * melody, LOWEST_F0_HZ,
                                 HIGHEST_F0_HZ)
        samples = self._synthesised(f0, _stretched(self._envelope, formants),
                                    _stretched(self._aperiodicity, formants))
        return np.resize(samples, self._n)

    def whispered(self) -> np.ndarray:
        """The same words with noise instead of pitch.

        Returns
        -------
        np.ndarray [shape=(n,), float32]
        """
        samples = self._synthesised(np.zeros_like(self._f0), self._envelope, self._aperiodicity)
        return np.resize(samples, self._n)

    def sustained(self, duration_s: float) -> np.ndarray:
        """The loudest periodic frame of 10 ms, sustained.

        Parameters
        ----------
        duration_s : float
            Duration of the result, seconds.

        Returns
        -------
        np.ndarray [shape=(duration_s * rate,), float32]
        """
        periodic = self._envelope.sum(axis=1) * (1 - self._aperiodicity.mean(axis=1))
        frames = np.full(int(duration_s * 1000 / FRAME_MS) + 1, int(periodic.argmax()))
        samples = self._synthesised(self._f0[frames], self._envelope[frames],
                                    self._aperiodicity[frames])
        return samples[: int(duration_s * self.rate)]

    def sung(self, slower: int = 2) -> np.ndarray:
        """The same words more slowly, with a note for each voiced stretch.

        The notes are the nearest ones of the equal-tempered scale, with the vibrato of trained
        singers: half a semitone at 5.5 Hz.

        Parameters
        ----------
        slower : int
            How many times as slow.

        Returns
        -------
        np.ndarray [shape=(m,), float32]
        """
        f0 = self._f0.copy()
        for stretch in np.split(np.arange(len(f0)), np.flatnonzero(np.diff(f0 > 0)) + 1):
            if f0[stretch[0]] > 0:
                semitones = 12 * np.log2(np.median(f0[stretch]) / TUNING_HZ)
                f0[stretch] = TUNING_HZ * 2 ** (np.round(semitones) / 12)
        frames = np.repeat(np.arange(len(f0)), slower)
        phase = 2 * np.pi * VIBRATO_HZ * np.arange(len(frames)) * FRAME_MS / 1000
        vibrato = VIBRATO_SEMITONES * np.sin(phase)
        return self._synthesised(f0[frames] * 2 ** (vibrato / 12), self._envelope[frames],
                                 self._aperiodicity[frames])

    def _synthesised(self, f0: np.ndarray, envelope: np.ndarray,
                     aperiodicity: np.ndarray) -> np.ndarray:
        """Speech with the peak of the original, shape (m,), float32."""
        samples = _world().synthesize(f0, np.ascontiguousarray(envelope),
                                      np.ascontiguousarray(aperiodicity), self.rate, FRAME_MS)
        peak = float(np.abs(samples).max()) or 1.0
        return (samples * (self._peak / peak)).astype(np.float32)


def _world() -> ModuleType:
    with warnings.catch_warnings():
        # pyworld reads its version through pkg_resources, which setuptools warns about.
        warnings.simplefilter("ignore")
        import pyworld
    return pyworld


def _stretched(spectra: np.ndarray, factor: float) -> np.ndarray:
    """Spectra, shape (frames, bins), with every frequency f moved to `factor` times f."""
    if factor == 1.0:
        return spectra
    position = np.minimum(np.arange(spectra.shape[1]) / factor, spectra.shape[1] - 1)
    low = position.astype(int)
    high = np.minimum(low + 1, spectra.shape[1] - 1)
    weight = position - low  # of the higher bin, for linear interpolation
    return np.ascontiguousarray(spectra[:, low] * (1 - weight) + spectra[:, high] * weight)
