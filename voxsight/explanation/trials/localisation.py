"""Does a map lie on the word, if the word stands between noise?

So does loudness, which needs no network: a map says something only if more of it lies on the word
than of the loudest pixels, and than of a map that is the same everywhere.
"""

import numpy as np

from voxsight.explanation.trials.faithfulness import amplitude, order_of, rng_of
from voxsight.pictures import jpeg
from voxsight.pictures.recipe import Recipe

SNR_DB = 10.0
LOUD_DB = 25.0  # below the loudest frame; frames above that belong to the word
FRAME_S = 0.01
LONGEST = 0.7  # of a window; a longer word leaves no room for noise
STRONGEST = 0.25  # of the pixels that are compared with as many of the loudest
MEASURES = ("on_word", "strongest_on_word", "loudest_on_word", "word_width", "on_word-random",
            "on_word-amplitude", "strongest_on_word-amplitude")


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


def word_measures(picture: np.ndarray, heat: np.ndarray, recipe: Recipe, start: float,
                  end: float) -> dict[str, float]:
    """How much of a map lies on the word, beside what would lie there without a network.

    Parameters
    ----------
    picture : np.ndarray [shape=(height, width, 3), uint8]
        As `noise_word_noise` returns it.
    heat : np.ndarray [shape=(height, width)]
        Its map, not negative.
    recipe : Recipe
        Of the picture.
    start, end : float
        Where the word lies, as fractions of the width.

    Returns
    -------
    dict of str to float
        ``on_word``: fraction of the map. ``strongest_on_word``: of its strongest quarter of
        pixels. ``loudest_on_word``: of the loudest quarter. ``word_width``: of a map that is the
        same everywhere, which is chance. The differences ``on_word-random``,
        ``on_word-amplitude`` and ``strongest_on_word-amplitude`` compare with the last two. NaN
        if the map is zero everywhere.
    """
    on_word = fraction_on(heat, start, end)
    if np.isnan(on_word):
        return dict.fromkeys(MEASURES, np.nan)
    strongest, loudest = (
        fraction_on(_strongest(values, rng_of(picture, purpose)), start, end)
        for values, purpose in ((heat, "strongest"), (amplitude(picture, recipe), "loudest")))
    values = (on_word, strongest, loudest, end - start, on_word - (end - start),
              on_word - loudest, strongest - loudest)
    return dict(zip(MEASURES, values, strict=True))


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


def _strongest(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """1 at the `STRONGEST` values, 0 elsewhere."""
    chosen = np.zeros(values.shape)
    chosen.ravel()[order_of(values, rng)[: round(STRONGEST * values.size)]] = 1
    return chosen
