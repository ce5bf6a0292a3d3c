"""Fundamental frequency of a voice, by YIN; NumPy only.

De Cheveigne and Kawahara, "YIN, a fundamental frequency estimator for speech and music",
2002.
"""

import numpy as np

MIN_HZ, MAX_HZ = 60.0, 450.0
FRAME_S, HOP_S = 0.04, 0.01  # summed over, and between frames
THRESHOLD = 0.15  # of the normalised difference; above it a frame is not voiced
MIN_LEVEL_DB = -30.0  # below the loudest frame; quieter frames are not voiced


def median_f0(samples, rate):
    """Median fundamental frequency of the voiced frames.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,)]
        mono
    rate : int
        Hz

    Returns
    -------
    float or None
        Hz; None where fewer than five frames are voiced
    """
    f0 = track_f0(samples, rate)
    voiced = f0[~np.isnan(f0)]
    return float(np.median(voiced)) if len(voiced) >= 5 else None


def track_f0(samples, rate):
    """Fundamental frequency per frame of 10 ms, NaN where a frame is not voiced.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,)]
    rate : int
        Hz

    Returns
    -------
    np.ndarray [shape=(frames,)]
        Hz
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


def _difference(frames, size, longest):
    """Squared difference between a frame and itself later, shape (frames, 1 + longest)."""
    total = frames.shape[1]
    n_fft = 1 << (total + size - 1).bit_length()
    later = np.fft.rfft(frames, n_fft)
    first = np.fft.rfft(frames[:, :size], n_fft)
    product = np.fft.irfft(later * np.conj(first), n_fft)[:, : longest + 1]
    energy = np.cumsum(np.pad(np.square(frames), ((0, 0), (1, 0))), axis=1)
    at_lag = energy[:, size: size + longest + 1] - energy[:, : longest + 1]
    return np.maximum(at_lag[:, :1] + at_lag - 2 * product, 0), at_lag[:, 0] / size


def _first_dip(normalised, shortest):
    """Lag, refined by a parabola, of the first deep minimum of each row; 0 without one.

    Column k of `normalised` belongs to the lag k + 1.
    """
    inner = normalised[:, shortest - 1: -1]
    left, right = normalised[:, shortest - 2: -2], normalised[:, shortest:]
    dips = (inner < THRESHOLD) & (inner <= left) & (inner <= right)
    first = dips.argmax(axis=1)
    rows = np.arange(len(dips))
    a, b, c = left[rows, first], inner[rows, first], right[rows, first]
    bend = np.maximum(a - 2 * b + c, 1e-12)
    shift = np.clip((a - c) / (2 * bend), -1, 1)
    return np.where(dips.any(axis=1), first + shortest + shift, 0.0)
