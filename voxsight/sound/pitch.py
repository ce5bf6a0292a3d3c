"""Fundamental frequency of a voice, by YIN; NumPy only.

Written here since ``librosa.yin`` needs librosa and numba: they are not in the light installation,
and loading and compiling them takes 3 s or more in every process. The tests compare the results
with Praat's.

References
----------
A. de Cheveigne and H. Kawahara, "YIN, a fundamental frequency estimator for speech and music",
Journal of the Acoustical Society of America 111, 2002.
"""

import numpy as np

MIN_HZ, MAX_HZ = 60.0, 450.0  # range of the fundamental frequency that is searched
FRAME_S, HOP_S = 0.04, 0.01  # length of a frame, and distance between frames
THRESHOLD = 0.15  # of the normalised difference; a frame that stays above it is not voiced
MIN_LEVEL_DB = -30.0  # relative to the loudest frame; quieter frames are not voiced
MIN_VOICED = 5  # frames; a median over fewer is not reliable


def median_f0(samples: np.ndarray, rate: int) -> float | None:
    """Median fundamental frequency of the voiced frames.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,)]
        Mono.
    rate : int
        Sampling rate, Hz.

    Returns
    -------
    float or None
        Hz; None if fewer than five frames are voiced.

    Examples
    --------
    >>> tone = np.sin(2 * np.pi * 200 * np.arange(8_000) / 16_000)
    >>> round(median_f0(tone, 16_000)), median_f0(np.zeros(8_000), 16_000)
    (200, None)
    """
    f0 = track_f0(samples, rate)
    voiced = f0[~np.isnan(f0)]
    return float(np.median(voiced)) if len(voiced) >= MIN_VOICED else None


def track_f0(samples: np.ndarray, rate: int) -> np.ndarray:
    """Fundamental frequency of each frame, every 10 ms.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,)]
        Mono.
    rate : int
        Sampling rate, Hz.

    Returns
    -------
    np.ndarray [shape=(frames,), float64]
        Hz; NaN where a frame is not voiced.
    """
    size, hop = round(FRAME_S * rate), round(HOP_S * rate)
    longest, shortest = int(rate / MIN_HZ) + 1, int(rate / MAX_HZ)
    if len(samples) < size + longest:
        return np.full(0, np.nan)
    frames = np.lib.stride_tricks.sliding_window_view(samples, size + longest)[::hop]
    frames = frames - frames.mean(axis=1, keepdims=True)
    difference, power = _difference(frames, size, longest)
    lags = np.arange(1, longest + 1)
    normalised = difference[:, 1:] * lags / np.maximum(np.cumsum(difference[:, 1:], axis=1), 1e-12)
    period = _first_dip(normalised, shortest)
    voiced = (period > 0) & (power > power.max() * 10 ** (MIN_LEVEL_DB / 10)) & (power > 1e-12)
    return np.where(voiced, rate / np.maximum(period, 1e-9), np.nan)


def _difference(frames: np.ndarray, size: int, longest: int) -> tuple[np.ndarray, np.ndarray]:
    """Difference function of the method, and the power of each frame.

    Parameters
    ----------
    frames : np.ndarray [shape=(frames, size + longest)]
    size : int
        Samples of a frame without the longest lag.
    longest : int
        Longest lag, samples.

    Returns
    -------
    difference : np.ndarray [shape=(frames, 1 + longest)]
        Squared difference between a frame and the same frame later by each lag.
    power : np.ndarray [shape=(frames,)]
    """
    total = frames.shape[1]
    n_fft = 1 << (total + size - 1).bit_length()
    later = np.fft.rfft(frames, n_fft)
    first = np.fft.rfft(frames[:, :size], n_fft)
    product = np.fft.irfft(later * np.conj(first), n_fft)[:, : longest + 1]
    energy = np.cumsum(np.pad(np.square(frames), ((0, 0), (1, 0))), axis=1)
    at_lag = energy[:, size: size + longest + 1] - energy[:, : longest + 1]
    return np.maximum(at_lag[:, :1] + at_lag - 2 * product, 0), at_lag[:, 0] / size


def _first_dip(normalised: np.ndarray, shortest: int) -> np.ndarray:
    """Lag of the first deep minimum of each row, refined by a parabola; 0 without a minimum.

    Column k of `normalised` belongs to the lag k + 1.
    """
    inner = normalised[:, shortest - 1: -1]
    left, right = normalised[:, shortest - 2: -2], normalised[:, shortest:]
    dips = (inner < THRESHOLD) & (inner <= left) & (inner <= right)
    first = dips.argmax(axis=1)
    rows = np.arange(len(dips))
    a, b, c = left[rows, first], inner[rows, first], right[rows, first]
    curvature = np.maximum(a - 2 * b + c, 1e-12)
    shift = np.clip((a - c) / (2 * curvature), -1, 1)
    return np.where(dips.any(axis=1), first + shortest + shift, 0.0)
