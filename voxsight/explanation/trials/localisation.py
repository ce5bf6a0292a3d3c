"""Does a map lie on the word, if the word stands between noise?"""

import numpy as np

from voxsight.pictures import jpeg
from voxsight.pictures.recipe import Recipe

SNR_DB = 10.0
LOUD_DB = 25.0  # below the loudest frame; frames above that belong to the word
FRAME_S = 0.01
LONGEST = 0.7  # of a window; a longer word leaves no room for noise


def trim(samples: np.ndarray, rate: int) -> np.ndarray:
    """The loud part of a recording of one word.

    Parameters
    ----------
    samples : np.ndarray [shape=(m,)]
        Mono samples.
    rate : int
        Sampling rate, Hz.

    Returns
    -------
    np.ndarray [shape=(n,)]
        All samples if they are silent.
    """
    size = int(FRAME_S * rate)
    frames = samples[: len(samples) // size * size].reshape(-1, size)
    if not frames.any():
        return samples
    power = np.square(frames, dtype=np.float64).mean(axis=1)
    loud = np.flatnonzero(power >= power.max() * 10 ** (-LOUD_DB / 10))
    return samples[loud[0] * size: (loud[-1] + 1) * size]


def noise_word_noise(word: np.ndarray, noise: np.ndarray, recipe: Recipe,
                     rng: np.random.Generator) -> tuple[np.ndarray, float, float]:
    """Picture of a word at a random place in noise.

    Parameters
    ----------
    word : np.ndarray [shape=(n,)]
        Trimmed samples at the recipe's rate.
    noise : np.ndarray [shape=(m,)]
        At least a window of noise at the recipe's rate.
    recipe : Recipe
        Of the picture.
    rng : np.random.Generator
        Source of the place of the word and the part of the noise.

    Returns
    -------
    picture : np.ndarray [shape=(height, width, 3), uint8]
    start, end : float
        Where the word lies, as fractions of the window.

    Raises
    ------
    ValueError
        If the word is longer than `LONGEST` of a window.
    """
    size = recipe.window_samples
    if not 0 < len(word) <= LONGEST * size:
        raise ValueError(f"found a word of {len(word)} samples, expected 1 to "
                         f"{int(LONGEST * size)}; leave it out")
    word_start = int(rng.integers(size - len(word) + 1))
    noise_start = int(rng.integers(len(noise) - size + 1))
    noise = noise[noise_start: noise_start + size]
    power = np.mean(np.square(word, dtype=np.float64))
    gain = np.sqrt(power * 10 ** (-SNR_DB / 10) / max(np.mean(np.square(noise)), 1e-12))
    sound = (noise * gain).astype(np.float32)
    sound[word_start: word_start + len(word)] += word
    return jpeg.as_seen(sound, recipe), word_start / size, (word_start + len(word)) / size


def fraction_on(heat: np.ndarray, start: float, end: float) -> float:
    """Fraction of a map's mass that lies in a part of its width.

    Parameters
    ----------
    heat : np.ndarray [shape=(height, width)]
        The map, not negative.
    start, end : float
        The part, as fractions of the width. A column that is partly inside counts partly.

    Returns
    -------
    float
        NaN if the map is zero everywhere.

    Examples
    --------
    >>> fraction_on(np.array([[1.0, 3.0]]), 0.5, 1.0)
    0.75
    """
    edges = np.linspace(0, 1, heat.shape[1] + 1)
    inside = np.minimum(edges[1:], end) - np.maximum(edges[:-1], start)
    columns = heat.sum(axis=0)
    covered = np.clip(inside * heat.shape[1], 0, 1)
    return float(columns @ covered / columns.sum()) if columns.sum() > 0 else float("nan")
