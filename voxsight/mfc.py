"""From samples to a picture of mel-frequency cepstra (MFC).

The chain is: pre-emphasis, windowed power spectrum, mel bands, decibels, orthonormal
DCT-II, sinusoidal lifter, grey levels, JPEG.
"""

import functools
import io

import numpy as np

from voxsight.resizing import resize_matrix


def picture(samples, recipe, front=None):
    """Picture of a stretch of sound.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,)]
        mono samples at ``recipe.sample_rate``; shorter ones than the recipe's window are
        padded with zeros, longer ones give a picture of the same size
    recipe : Recipe
    front : int, optional
        zeros before the samples when padding; by default the sound is centred

    Returns
    -------
    np.ndarray [shape=(height, width, 3), uint8]

    Raises
    ------
    ValueError
        if `samples` is empty or not one-dimensional
    """
    if samples.ndim != 1 or not len(samples):
        raise ValueError(f"expected samples of shape (n,) with n > 0, got {samples.shape}")
    decibels = log_mel(pad(samples, recipe.window_samples, front), recipe)
    grey = {view: _VIEW[view](decibels, recipe) for view in set(recipe.views)}
    grey = {view: _resized_to_bytes(matrix, recipe) for view, matrix in grey.items()}
    pixels = np.empty((recipe.height, recipe.width, len(recipe.views)), np.uint8)
    for channel, view in enumerate(recipe.views):
        pixels[..., channel] = grey[view]
    return pixels


def pad(samples, size, front=None):
    """Zeros around `samples` up to `size`; `front` of them before, by default half.

    Examples
    --------
    >>> pad(np.array([1, 2]), 5).tolist()
    [0, 1, 2, 0, 0]
    """
    missing = size - len(samples)
    if missing <= 0:
        return samples
    front = missing // 2 if front is None else front
    return np.pad(samples, (front, missing - front))


def random_front(key, n_samples, recipe):
    """Zeros before a recording, drawn from a generator seeded by a text.

    Parameters
    ----------
    key : str
        what names the recording in its corpus, so that a re-run draws the same
    n_samples : int
    recipe : Recipe

    Returns
    -------
    int
    """
    import zlib

    missing = recipe.window_samples - n_samples
    if missing <= 0:
        return 0
    seed = zlib.crc32(key.encode("utf-8", "surrogateescape"))
    return int(np.random.default_rng(seed).integers(missing))


def log_mel(samples, recipe):
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
    sounding = _sounding(emphasised, recipe)
    decibels = np.full((recipe.n_mels, len(frames)), -100.0, recipe.dtype)
    mel = _mel_filters(recipe) @ _power_spectrum(frames[sounding], recipe).T
    decibels[:, sounding] = 10.0 * np.log10(np.maximum(mel, 1e-10))
    return np.maximum(decibels, decibels.max() - recipe.top_db)


def mfcc(decibels, recipe):
    """Liftered mel-frequency cepstral coefficients.

    Parameters
    ----------
    decibels : np.ndarray [shape=(n_mels, frames)]
    recipe : Recipe

    Returns
    -------
    np.ndarray [shape=(n_mfcc, frames)]
        row 0 follows the level, higher rows ever finer detail of the spectrum
    """
    return _liftered_dct(recipe) @ decibels


def delta(decibels, recipe, reach=2):
    """Slope over time of each band, in dB per second (least squares over 5 frames)."""
    padded = np.pad(decibels, ((0, 0), (reach, reach)), mode="edge")
    n = decibels.shape[1]
    steps = range(1, reach + 1)
    slope = sum(k * (padded[:, reach + k: reach + k + n] - padded[:, reach - k: reach - k + n])
                for k in steps)
    per_frame = slope / (2 * sum(k * k for k in steps))
    return per_frame * (recipe.sample_rate / recipe.hop_length)


def encode(pixels, recipe):
    """JPEG bytes of a picture."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=recipe.jpeg_quality,
                                 subsampling=recipe.jpeg_subsampling)
    return out.getvalue()


def decode(jpeg, size=None):
    """Pixels of a JPEG, resized as training and answering both do it.

    Parameters
    ----------
    jpeg : bytes, path or file
    size : (int, int), optional
        height and width wanted; those of the JPEG by default

    Returns
    -------
    np.ndarray [shape=(height, width, 3), uint8]
    """
    from PIL import Image

    image = Image.open(io.BytesIO(jpeg) if isinstance(jpeg, bytes) else jpeg).convert("RGB")
    if size and (image.height, image.width) != tuple(size):
        image = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.asarray(image)


def band_centres(recipe):
    """Centre frequencies of the mel bands, Hz, shape (n_mels,)."""
    return _mel_edges(recipe)[1:-1]


def frame_times(recipe):
    """Centres of the first and the last frame of a window, seconds."""
    half = recipe.win_length / 2
    last = half + (recipe.frames - 1) * recipe.hop_length
    return half / recipe.sample_rate, last / recipe.sample_rate


def _sounding(samples, recipe):
    """Slice of the frames before and after which there are zeros only, as from padding."""
    sound = samples != 0
    first, last = int(sound.argmax()), len(sound) - 1 - int(sound[::-1].argmax())
    earliest = max(0, -(-(first - recipe.win_length + 1) // recipe.hop_length))
    return slice(earliest, last // recipe.hop_length + 1)


def _power_spectrum(frames, recipe, at_once=16):
    """Power of Hann-windowed frames, shape (frames, 1 + n_fft // 2); a few stay in cache."""
    power = np.empty((len(frames), 1 + recipe.n_fft // 2), recipe.dtype)
    for start in range(0, len(frames), at_once):
        spectrum = np.fft.rfft(frames[start: start + at_once] * _hann(recipe), recipe.n_fft)
        own = power[start: start + at_once]
        np.square(spectrum.real, out=own)
        own += np.square(spectrum.imag)
    return power


def _mfcc_grey(decibels, recipe):
    if recipe.level != "stored":
        decibels = decibels - decibels.mean()
    return recipe.mfcc_zero + recipe.mfcc_gain * mfcc(decibels, recipe)


def _log_mel_grey(decibels, recipe):
    return 255.0 * (1.0 + (decibels - decibels.max()) / recipe.top_db)


def _delta_grey(decibels, recipe):
    return 128.0 + recipe.delta_gain * delta(decibels, recipe)


_VIEW = {"mfcc": _mfcc_grey, "log_mel": _log_mel_grey, "delta": _delta_grey}


def _resized_to_bytes(grey, recipe):
    size = (recipe.height, recipe.width)
    if grey.shape != size:
        rows, columns = grey.shape
        # The rows last: before that there are few of them.
        grey = resize_matrix(rows, size[0]) @ (grey @ resize_matrix(columns, size[1]).T)
    grey = np.clip(grey, 0, 255)
    grey += 0.5
    return grey.astype(np.uint8)


@functools.lru_cache
def _hann(recipe):
    steps = np.arange(recipe.win_length) / recipe.win_length
    return (0.5 - 0.5 * np.cos(2 * np.pi * steps)).astype(recipe.dtype)


@functools.lru_cache
def _mel_edges(recipe):
    to_mel, to_hz = _MEL_SCALES[recipe.mel_scale]
    mels = np.linspace(to_mel(recipe.fmin), to_mel(recipe.fmax), recipe.n_mels + 2)
    return to_hz(mels)


@functools.lru_cache
def _mel_filters(recipe):
    """Triangles of unit area over frequency, shape (n_mels, 1 + n_fft // 2)."""
    edges = _mel_edges(recipe)
    bins = np.arange(1 + recipe.n_fft // 2) * recipe.sample_rate / recipe.n_fft
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    triangles *= (2.0 / (edges[2:] - edges[:-2]))[:, None]
    # Rounded to single precision whatever the recipe's: so are librosa's, and the
    # published pictures were made with those.
    return triangles.astype(np.float32).astype(recipe.dtype)


@functools.lru_cache
def _liftered_dct(recipe):
    """Orthonormal DCT-II times the sinusoidal lifter, shape (n_mfcc, n_mels)."""
    rows = np.arange(recipe.n_mfcc)[:, None]
    angles = np.pi * rows * (np.arange(recipe.n_mels) + 0.5) / recipe.n_mels
    dct = np.sqrt(2.0 / recipe.n_mels) * np.cos(angles)
    dct[0] /= np.sqrt(2.0)
    lifter = 1 + recipe.lifter / 2 * np.sin(np.pi * (rows + 1) / recipe.lifter)
    return (lifter * dct).astype(recipe.dtype)


def _slaney_mel(hz):
    hz = np.asarray(hz, float)
    above = 15.0 + np.log(np.maximum(hz, 1000.0) / 1000.0) * (27.0 / np.log(6.4))
    return np.where(hz < 1000.0, hz * 3.0 / 200.0, above)


def _slaney_hz(mel):
    above = 1000.0 * np.exp((np.maximum(mel, 15.0) - 15.0) * (np.log(6.4) / 27.0))
    return np.where(mel < 15.0, mel * 200.0 / 3.0, above)


def _htk_mel(hz):
    return 2595.0 * np.log10(1.0 + np.asarray(hz, float) / 700.0)


def _htk_hz(mel):
    return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)


_MEL_SCALES = {"slaney": (_slaney_mel, _slaney_hz), "htk": (_htk_mel, _htk_hz)}
