"""Pictures of mel-frequency cepstra (MFC).

The chain is: pre-emphasis, windowed power spectrum, mel bands, decibels, orthonormal DCT-II,
sinusoidal lifter, grey levels [1]_ [2]_.

It is written here and not taken from librosa, since librosa needs numba, which the light
installation that answers does without, and since this code is 1.7 to 3 times as fast. Tests
compare it with librosa.

References
----------
.. [1] Davis and Mermelstein, "Comparison of parametric representations for monosyllabic word
       recognition in continuously spoken sentences", 1980
.. [2] Juang et al., "On the use of bandpass liftering in speech recognition", 1987
"""

import functools
import zlib

import numpy as np

from voxsight.pictures.recipe import Recipe
from voxsight.pictures.resizing import resize_matrix

MIN_POWER = 1e-10  # in a mel band, where levels are absolute; keeps the logarithm finite
DELTA_GREY = 128.0  # grey level of a band that does not change


def picture(samples: np.ndarray, recipe: Recipe, leading_zeros: int | None = None) -> np.ndarray:
    """Picture of a stretch of sound.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,)]
        Mono samples at ``recipe.sample_rate``. Fewer than the recipe's window are padded with
        zeros; more give a picture of the same size.
    recipe : Recipe
    leading_zeros : int, optional
        Zeros before the samples if there are too few (default: the sound is centred).

    Returns
    -------
    np.ndarray [shape=(height, width, 3), uint8]
        Row 0 is the lowest band or coefficient.

    Raises
    ------
    ValueError
        If `samples` is empty or not one-dimensional.

    Examples
    --------
    >>> from voxsight.pictures.recipe import RECIPES
    >>> picture(np.ones(100, np.float32), RECIPES["voxsight"]).shape
    (64, 64, 3)
    """
    if samples.ndim != 1 or not len(samples):
        raise ValueError(f"expected samples of shape (n,) with n > 0, got {samples.shape}")
    decibels = log_mel(pad(samples, recipe.window_samples, leading_zeros), recipe)
    grey = {view: _resized_to_bytes(_GREY_OF_VIEW[view](decibels, recipe), recipe)
            for view in set(recipe.views)}
    pixels = np.empty((recipe.height, recipe.width, len(recipe.views)), np.uint8)
    for channel, view in enumerate(recipe.views):
        pixels[..., channel] = grey[view]
    return pixels


def pad(samples: np.ndarray, size: int, leading_zeros: int | None = None) -> np.ndarray:
    """Samples with zeros before and after them.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,)]
    size : int
        Samples wanted; more than these are returned unchanged.
    leading_zeros : int, optional
        Zeros before the samples (default: half of the zeros).

    Returns
    -------
    np.ndarray [shape=(max(n, size),)]

    Examples
    --------
    >>> pad(np.array([1, 2]), 5).tolist()
    [0, 1, 2, 0, 0]
    """
    missing = size - len(samples)
    if missing <= 0:
        return samples
    before = missing // 2 if leading_zeros is None else leading_zeros
    return np.pad(samples, (before, missing - before))


def random_leading_zeros(key: str, n_samples: int, recipe: Recipe) -> int:
    """Zeros before a recording, drawn from a generator that a text seeds.

    Parameters
    ----------
    key : str
        Names the recording in its corpus, so that another run draws the same number.
    n_samples : int
        Length of the recording, samples.
    recipe : Recipe

    Returns
    -------
    int
    """
    missing = recipe.window_samples - n_samples
    if missing <= 0:
        return 0
    seed = zlib.crc32(key.encode("utf-8", "surrogateescape"))
    return int(np.random.default_rng(seed).integers(missing))


def log_mel(samples: np.ndarray, recipe: Recipe) -> np.ndarray:
    """Power in mel bands, in dB with a floor ``top_db`` below the maximum.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,)]
    recipe : Recipe

    Returns
    -------
    np.ndarray [shape=(n_mels, frames)]
        ``frames = 1 + (n - win_length) // hop_length``
    """
    samples = np.asarray(samples, recipe.dtype)
    if len(samples) < recipe.win_length:
        samples = pad(samples, recipe.win_length)
    emphasised = samples.copy()
    emphasised[1:] -= recipe.pre_emphasis * samples[:-1]
    frames = np.lib.stride_tricks.sliding_window_view(emphasised, recipe.win_length)
    frames = frames[:: recipe.hop_length]
    nonzero = _nonzero_frames(emphasised, recipe)
    mel = _mel_filters(recipe) @ _power_spectrum(frames[nonzero], recipe).T
    floor = MIN_POWER
    if recipe.level == "relative":  # a fixed floor would show in the pictures of quiet sound
        floor = max(float(mel.max()) * 10 ** (-recipe.top_db / 10),
                    float(np.finfo(recipe.dtype).tiny))
    decibels = np.full((recipe.n_mels, len(frames)), 10 * np.log10(floor), recipe.dtype)
    decibels[:, nonzero] = 10.0 * np.log10(np.maximum(mel, floor))
    return np.maximum(decibels, decibels.max() - recipe.top_db)


def mfcc(decibels: np.ndarray, recipe: Recipe) -> np.ndarray:
    """Liftered mel-frequency cepstral coefficients.

    Parameters
    ----------
    decibels : np.ndarray [shape=(n_mels, frames)]
        As `log_mel` returns them.
    recipe : Recipe

    Returns
    -------
    np.ndarray [shape=(n_mfcc, frames)]
        Row 0 follows the level; the higher a row, the finer the detail of the spectrum.
    """
    return _liftered_dct(recipe) @ decibels


def delta(decibels: np.ndarray, recipe: Recipe, reach: int = 2) -> np.ndarray:
    """Slope over time of each band: a straight line fitted by least squares.

    Parameters
    ----------
    decibels : np.ndarray [shape=(n_mels, frames)]
        As `log_mel` returns them.
    recipe : Recipe
    reach : int
        Frames before and after each frame to which the line is fitted. Beyond the ends, the
        first and the last frame are repeated.

    Returns
    -------
    np.ndarray [shape=(n_mels, frames)]
        dB per second.
    """
    padded = np.pad(decibels, ((0, 0), (reach, reach)), mode="edge")
    n = decibels.shape[1]
    steps = range(1, reach + 1)
    slope = sum(k * (padded[:, reach + k: reach + k + n] - padded[:, reach - k: reach - k + n])
                for k in steps)
    per_frame = slope / (2 * sum(k * k for k in steps))
    return per_frame * (recipe.sample_rate / recipe.hop_length)


def band_centres(recipe: Recipe) -> np.ndarray:
    """Centre frequencies of the mel bands.

    Parameters
    ----------
    recipe : Recipe

    Returns
    -------
    np.ndarray [shape=(n_mels,)]
        Hz.
    """
    return _mel_edges(recipe)[1:-1]


def _nonzero_frames(samples: np.ndarray, recipe: Recipe) -> slice:
    """Frames that are computed: those before and after it have only zeros, as from padding."""
    nonzero = samples != 0
    first, last = int(nonzero.argmax()), len(nonzero) - 1 - int(nonzero[::-1].argmax())
    earliest = max(0, -(-(first - recipe.win_length + 1) // recipe.hop_length))  # rounded up
    return slice(earliest, last // recipe.hop_length + 1)


def _power_spectrum(frames: np.ndarray, recipe: Recipe, at_once: int = 16) -> np.ndarray:
    """Power of Hann-windowed frames, shape (frames, 1 + n_fft // 2).

    A few frames at a time stay in the cache of the processor.
    """
    power = np.empty((len(frames), 1 + recipe.n_fft // 2), recipe.dtype)
    for start in range(0, len(frames), at_once):
        spectrum = np.fft.rfft(frames[start: start + at_once] * _hann(recipe), recipe.n_fft)
        part = power[start: start + at_once]
        np.square(spectrum.real, out=part)
        part += np.square(spectrum.imag)
    return power


def _mfcc_grey(decibels: np.ndarray, recipe: Recipe) -> np.ndarray:
    if recipe.level != "stored":
        decibels = decibels - decibels.mean()
    return recipe.mfcc_zero + recipe.mfcc_gain * mfcc(decibels, recipe)


def _log_mel_grey(decibels: np.ndarray, recipe: Recipe) -> np.ndarray:
    return 255.0 * (1.0 + (decibels - decibels.max()) / recipe.top_db)


def _delta_grey(decibels: np.ndarray, recipe: Recipe) -> np.ndarray:
    return DELTA_GREY + recipe.delta_gain * delta(decibels, recipe)


_GREY_OF_VIEW = {"mfcc": _mfcc_grey, "log_mel": _log_mel_grey, "delta": _delta_grey}


def _resized_to_bytes(grey: np.ndarray, recipe: Recipe) -> np.ndarray:
    """Grey levels resized to the picture, clipped to 0 to 255 and rounded."""
    size = (recipe.height, recipe.width)
    if grey.shape != size:
        rows, columns = grey.shape
        # Rows are resized last: there are few of them before.
        grey = resize_matrix(rows, size[0]) @ (grey @ resize_matrix(columns, size[1]).T)
    grey = np.clip(grey, 0, 255)
    grey += 0.5
    return grey.astype(np.uint8)


@functools.lru_cache
def _hann(recipe: Recipe) -> np.ndarray:
    """Periodic Hann window, shape (win_length,)."""
    steps = np.arange(recipe.win_length) / recipe.win_length
    return (0.5 - 0.5 * np.cos(2 * np.pi * steps)).astype(recipe.dtype)


@functools.lru_cache
def _mel_edges(recipe: Recipe) -> np.ndarray:
    """Frequencies, equally spaced in mel, at which triangles start, peak and end, Hz."""
    to_mel, to_hz = _MEL_SCALES[recipe.mel_scale]
    mels = np.linspace(to_mel(recipe.fmin), to_mel(recipe.fmax), recipe.n_mels + 2)
    return to_hz(mels)


@functools.lru_cache
def _mel_filters(recipe: Recipe) -> np.ndarray:
    """Triangles of unit area over frequency, shape (n_mels, 1 + n_fft // 2)."""
    edges = _mel_edges(recipe)
    bins = np.arange(1 + recipe.n_fft // 2) * recipe.sample_rate / recipe.n_fft
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    triangles *= (2.0 / (edges[2:] - edges[:-2]))[:, None]
    # Always rounded to single precision first: librosa does so, and the published pictures were
    # made with librosa.
    return triangles.astype(np.float32).astype(recipe.dtype)


@functools.lru_cache
def _liftered_dct(recipe: Recipe) -> np.ndarray:
    """Orthonormal DCT-II times the sinusoidal lifter, shape (n_mfcc, n_mels)."""
    rows = np.arange(recipe.n_mfcc)[:, None]
    angles = np.pi * rows * (np.arange(recipe.n_mels) + 0.5) / recipe.n_mels
    dct = np.sqrt(2.0 / recipe.n_mels) * np.cos(angles)
    dct[0] /= np.sqrt(2.0)
    lifter = 1 + recipe.lifter / 2 * np.sin(np.pi * (rows + 1) / recipe.lifter)
    return (lifter * dct).astype(recipe.dtype)


# Slaney's scale: linear up to 1 kHz, which is 15 mel, and logarithmic above.


def _slaney_mel(hz: float) -> np.ndarray:
    hertz = np.asarray(hz, float)
    above = 15.0 + np.log(np.maximum(hertz, 1000.0) / 1000.0) * (27.0 / np.log(6.4))
    return np.where(hertz < 1000.0, hertz * 3.0 / 200.0, above)


def _slaney_hz(mel: np.ndarray) -> np.ndarray:
    above = 1000.0 * np.exp((np.maximum(mel, 15.0) - 15.0) * (np.log(6.4) / 27.0))
    return np.where(mel < 15.0, mel * 200.0 / 3.0, above)


def _htk_mel(hz: float) -> np.ndarray:
    return 2595.0 * np.log10(1.0 + np.asarray(hz, float) / 700.0)


def _htk_hz(mel: np.ndarray) -> np.ndarray:
    return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)


_MEL_SCALES = {"slaney": (_slaney_mel, _slaney_hz), "htk": (_htk_mel, _htk_hz)}
