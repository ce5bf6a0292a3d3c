"""Whether a map lies on the word, where there is a word between noise."""

import numpy as np

from voxsight import mfc

SNR_DB = 10.0
LOUD_DB = 25.0  # frames no further below the loudest belong to the word
FRAME_S = 0.01
LONGEST = 0.7  # of a window; a longer word leaves no room for noise


def trim(samples, rate):
    """The loud part of a recording of one word, shape (n,); all of it where it is silent."""
    size = int(FRAME_S * rate)
    frames = samples[: len(samples) // size * size].reshape(-1, size)
    if not frames.any():
        return samples
    power = np.square(frames, dtype=np.float64).mean(axis=1)
    loud = np.flatnonzero(power >= power.max() * 10 ** (-LOUD_DB / 10))
    return samples[loud[0] * size: (loud[-1] + 1) * size]


def noise_word_noise(word, noise, recipe, rng):
    """Picture of noise, a word and noise, the word anywhere in it.

    Parameters
    ----------
    word : np.ndarray [shape=(n,)]
        at the recipe's rate, already trimmed
    noise : np.ndarray [shape=(m,)]
        a window or more of it, at the recipe's rate
    recipe : recipes.Recipe
    rng : np.random.Generator

    Returns
    -------
    picture : np.ndarray [shape=(height, width, 3), uint8]
    start, end : float
        the word as shares of the window

    Raises
    ------
    ValueError
        if the word is longer than `LONGEST` of a window
    """
    size = recipe.window_samples
    if not 0 < len(word) <= LONGEST * size:
        raise ValueError(f"found a word of {len(word)} samples, expected 1 to "
                         f"{int(LONGEST * size)}; leave it out")
    at = int(rng.integers(size - len(word) + 1))
    begin = int(rng.integers(len(noise) - size + 1))
    power = np.mean(np.square(word, dtype=np.float64))
    noise = noise[begin: begin + size] * np.sqrt(
        power * 10 ** (-SNR_DB / 10) / max(np.mean(np.square(noise[begin: begin + size])), 1e-12))
    sound = noise.astype(np.float32)
    sound[at: at + len(word)] += word
    picture = mfc.decode(mfc.encode(mfc.picture(sound, recipe), recipe))
    return picture, at / size, (at + len(word)) / size


def share_on(heat, start, end):
    """Share of a map's mass between two shares of its width; NaN of a map without any.

    Parameters
    ----------
    heat : np.ndarray [shape=(height, width)]
    start, end : float
        a column counts by how much of it lies between them

    Returns
    -------
    float

    Examples
    --------
    >>> share_on(np.array([[1.0, 3.0]]), 0.5, 1.0)
    0.75
    """
    edges = np.linspace(0, 1, heat.shape[1] + 1)
    inside = np.minimum(edges[1:], end) - np.maximum(edges[:-1], start)
    columns = heat.sum(axis=0)
    covered = np.clip(inside * heat.shape[1], 0, 1)
    return float(columns @ covered / columns.sum()) if columns.sum() > 0 else float("nan")
