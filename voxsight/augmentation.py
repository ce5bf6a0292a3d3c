"""Copies of a window that sound otherwise but keep their label."""

import numpy as np
import soxr

KINDS = ("white_noise", "coloured_noise", "pitch")


def augment(samples, kind, rng):
    """One altered copy of a stretch of sound.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,), float32]
    kind : str
        ``white_noise`` and ``coloured_noise`` (power falling with 1/f or 1/f^2) at a
        signal-to-noise ratio of 5 to 25 dB; ``pitch``: played up to 6 % faster or
        slower, which moves pitch and formants together
    rng : np.random.Generator

    Returns
    -------
    np.ndarray [shape=(m,), float32]
        as long as `samples`, but for ``pitch``, which changes the length by up to 6 %
    """
    if kind == "pitch":
        factor = 1.0 + rng.uniform(-0.06, 0.06)
        return soxr.resample(samples, 1000.0 * factor, 1000.0).astype(np.float32)
    slope = 0.0 if kind == "white_noise" else rng.choice([1.0, 2.0])
    noise = coloured_noise(len(samples), slope, rng)
    snr_db = rng.uniform(5.0, 25.0)
    gain = np.sqrt(np.mean(np.square(samples)) / 10 ** (snr_db / 10))
    return (samples + gain * noise).astype(np.float32)


def coloured_noise(n, slope, rng):
    """Noise of unit power whose power falls with frequency to the power of `slope`.

    Parameters
    ----------
    n : int
        samples
    slope : float
        0 is white, 1 pink, 2 brown
    rng : np.random.Generator

    Returns
    -------
    np.ndarray [shape=(n,), float64]
    """
    spectrum = np.fft.rfft(rng.standard_normal(n))
    bins = np.arange(len(spectrum))
    bins[0] = 1
    noise = np.fft.irfft(spectrum * bins ** (-slope / 2), n)
    return noise / max(np.sqrt(np.mean(np.square(noise))), 1e-12)
