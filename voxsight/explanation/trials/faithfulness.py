"""Does a map point at what the network used? Pixels are removed and the prediction is watched.

Deletion and insertion are those of Petsiuk et al., "RISE: Randomized Input Sampling for
Explanation of Black-box Models", 2018. ROAD is that of Rong et al., "A Consistent and Efficient
Evaluation Strategy for Attribution Methods", 2022.

ROAD's imputer is that of pytorch-grad-cam. Its `ROADCombined` is not used, since it removes the
pixels beyond a percentile of the map: where a coarse map has many equal values that is more or
less than the fraction asked for. It also gives the network one picture at a time. A test compares
the two on a map without equal values.
"""

import functools
import zlib
from collections.abc import Callable

import numpy as np

from voxsight.explanation.maps import enlarge
from voxsight.explanation.methods import Probability, mean_colour
from voxsight.pictures.recipe import Recipe

FRACTIONS = np.linspace(0, 1, 9)  # of the pixels, along a curve
ROAD_FRACTIONS = (0.1, 0.3, 0.5, 0.7, 0.9)  # of the pixels that are removed
RANDOM_MAPS = 10  # of each picture
NOISE_GREY = 0.5  # standard deviation of the noise on filled pixels, of 255 levels

Fill = Callable[[np.ndarray, np.ndarray], np.ndarray]  # picture and pixels to keep, to picture


def rng_of(data: np.ndarray, purpose: str, seed: int = 0) -> np.random.Generator:
    """Random numbers of an array's own: the same in every run, others for every array.

    If all pictures shared one random map, a mean over pictures would hold the luck of that map,
    and an interval over speakers would not show it.

    Parameters
    ----------
    data : np.ndarray
        Picture or samples that the numbers are for.
    purpose : str
        What they are for; each purpose has numbers of its own.
    seed : int

    Returns
    -------
    np.random.Generator
    """
    parts = (purpose.encode(), np.ascontiguousarray(data).tobytes())
    return np.random.default_rng([seed, *map(zlib.crc32, parts)])


def order_of(heat: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Pixels from the most to the least relevant, in random order where a map is equal.

    Parameters
    ----------
    heat : np.ndarray [shape=(height, width)]
        The map.
    rng : np.random.Generator
        Source of the random order.

    Returns
    -------
    np.ndarray [shape=(height * width,), int]
        Indices into the flattened picture.
    """
    return np.lexsort((rng.random(heat.size), -heat.ravel()))


def curves(picture: np.ndarray, order: np.ndarray,
           p_label: Probability) -> tuple[np.ndarray, np.ndarray]:
    """Deletion and insertion of pixels by relevance; deleted pixels have the mean colour.

    Parameters
    ----------
    picture : np.ndarray [shape=(height, width, 3), uint8]
        The picture.
    order : np.ndarray [shape=(height * width,), int]
        As `order_of` returns it.
    p_label : callable
        Pictures [shape=(n, height, width, 3)] to the probability of the label [shape=(n,)].

    Returns
    -------
    deletion, insertion : np.ndarray [shape=(9,)]
        Probability of the label after each of `FRACTIONS` was deleted or inserted.
    """
    empty = np.broadcast_to(mean_colour(picture), picture.shape)
    deleted = [merged(picture, empty, order, fraction) for fraction in FRACTIONS]
    # The ends of insertion are those of deletion.
    inserted = [merged(empty, picture, order, fraction) for fraction in FRACTIONS[1:-1]]
    p = p_label(np.stack(deleted + inserted))
    n = len(FRACTIONS)
    return p[:n], np.concatenate([p[n - 1: n], p[n:], p[:1]])


def merged(picture: np.ndarray, other: np.ndarray, order: np.ndarray,
           fraction: float) -> np.ndarray:
    """A picture whose first pixels in some order come from another picture.

    Parameters
    ----------
    picture, other : np.ndarray [shape=(height, width, 3), uint8]
        The two pictures.
    order : np.ndarray [shape=(height * width,), int]
        As `order_of` returns it.
    fraction : float
        Fraction of the pixels that come from `other`.

    Returns
    -------
    np.ndarray [shape=(height, width, 3), uint8]
    """
    result = picture.copy()
    first = order[: round(fraction * len(order))]
    result.reshape(-1, picture.shape[-1])[first] = other.reshape(-1, other.shape[-1])[first]
    return result


def area(curve: np.ndarray) -> float:
    """Area under a curve over equal steps from 0 to 1.

    Parameters
    ----------
    curve : np.ndarray [shape=(n,)]
        Its values.

    Returns
    -------
    float

    Examples
    --------
    >>> area(np.array([1.0, 0.5, 0.0]))
    0.5
    """
    return float(np.mean((curve[1:] + curve[:-1]) / 2))


def road_gap(picture: np.ndarray, order: np.ndarray, p_label: Probability, fill: Fill) -> float:
    """How much more the label loses by its most than by its least relevant pixels.

    Parameters
    ----------
    picture : np.ndarray [shape=(height, width, 3), uint8]
        The picture.
    order : np.ndarray [shape=(height * width,), int]
        As `order_of` returns it.
    p_label : callable
        As for `curves`.
    fill : callable
        From a picture and a mask of the pixels to keep, [shape=(height, width), bool], to a
        picture whose other pixels are filled.

    Returns
    -------
    float
        Mean probability with the least relevant pixels removed minus that with the most
        relevant ones removed, over `ROAD_FRACTIONS`; above 0 if the map is right.
    """
    filled = []
    for removed_first in (order[::-1], order):
        for fraction in ROAD_FRACTIONS:
            keep = np.ones(picture.shape[:2], bool)
            keep.ravel()[removed_first[: round(fraction * keep.size)]] = False
            filled.append(fill(picture, keep))
    p = p_label(np.stack(filled))
    return float(p[: len(ROAD_FRACTIONS)].mean() - p[len(ROAD_FRACTIONS):].mean())


def fill_with_mean(picture: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """The picture with its mean colour in all pixels that are not kept.

    Parameters
    ----------
    picture : np.ndarray [shape=(height, width, 3), uint8]
        The picture.
    keep : np.ndarray [shape=(height, width), bool]
        Pixels to keep.

    Returns
    -------
    np.ndarray [shape=(height, width, 3), uint8]
    """
    return np.where(keep[..., None], picture, mean_colour(picture))


def fill_from_neighbours(picture: np.ndarray, keep: np.ndarray,
                         rng: np.random.Generator) -> np.ndarray:
    """The picture with weighted means of neighbours in all pixels that are not kept.

    This is ROAD's noisy linear imputation, from pytorch-grad-cam. Unlike a flat colour it
    leaves no edge that shows which pixels were removed.

    Parameters
    ----------
    picture : np.ndarray [shape=(height, width, 3), uint8]
        The picture.
    keep : np.ndarray [shape=(height, width), bool]
        Pixels to keep.
    rng : np.random.Generator
        Source of the noise.

    Returns
    -------
    np.ndarray [shape=(height, width, 3), uint8]
    """
    import torch
    from pytorch_grad_cam.metrics.road import NoisyLinearImputer

    values = torch.from_numpy(picture.copy()).permute(2, 0, 1).float()
    filled = NoisyLinearImputer(noise=0)(values, torch.from_numpy(keep.astype(np.float32)))
    filled = filled.permute(1, 2, 0).numpy()
    filled[~keep] += rng.normal(scale=NOISE_GREY, size=filled[~keep].shape)
    return np.clip(filled.round(), 0, 255).astype(np.uint8)


def faithfulness_measures(picture: np.ndarray, heat: np.ndarray, p_label: Probability,
                          rng: np.random.Generator) -> dict[str, float]:
    """Every measure of one map.

    Parameters
    ----------
    picture : np.ndarray [shape=(height, width, 3), uint8]
        The picture.
    heat : np.ndarray [shape=(height, width)]
        Its map.
    p_label : callable
        As for `curves`.
    rng : np.random.Generator
        Source of the random order of equal pixels and the noise.

    Returns
    -------
    dict of str to float
        ``deletion`` and ``insertion`` (areas), ``road_linear`` and ``road_mean`` (gaps).
    """
    order = order_of(heat, rng)
    deletion, insertion = curves(picture, order, p_label)
    linear = functools.partial(fill_from_neighbours, rng=rng)
    return {"deletion": area(deletion), "insertion": area(insertion),
            "road_linear": road_gap(picture, order, p_label, linear),
            "road_mean": road_gap(picture, order, p_label, fill_with_mean)}


def random_measures(picture: np.ndarray, shape: tuple[int, ...], p_label: Probability,
                    seed: int = 0) -> dict[str, float]:
    """Mean measures of several random maps that belong to the picture alone.

    Parameters
    ----------
    picture : np.ndarray [shape=(height, width, 3), uint8]
        The picture.
    shape : (int, int)
        Rows and columns of the maps, which are enlarged to the picture.
    p_label : callable
        As for `curves`.
    seed : int
        Another seed gives every picture other maps.

    Returns
    -------
    dict of str to float
        As `faithfulness_measures` returns them, over `RANDOM_MAPS` maps.
    """
    rng = rng_of(picture, "random maps", seed)
    maps = enlarge(rng.random((RANDOM_MAPS, *shape)), picture.shape[:2])
    measures = [faithfulness_measures(picture, heat, p_label, rng) for heat in maps]
    return {name: float(np.mean([m[name] for m in measures])) for name in measures[0]}


def amplitude(picture: np.ndarray, recipe: Recipe) -> np.ndarray:
    """How strong the sound is in each pixel.

    Parameters
    ----------
    picture : np.ndarray [shape=(height, width, 3), uint8]
        The picture.
    recipe : Recipe
        Of the picture.

    Returns
    -------
    np.ndarray [shape=(height, width)]
        Level of the mel band if a channel shows it, otherwise the distance of the coefficient
        from zero.
    """
    if "log_mel" in recipe.views:
        return picture[..., recipe.views.index("log_mel")].astype(float)
    return np.abs(picture[..., 0].astype(float) - recipe.mfcc_zero)


def pooled(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Means of an image over the cells of a grid, to give it the resolution of a map.

    Parameters
    ----------
    values : np.ndarray [shape=(height, width)]
        The image.
    shape : (int, int)
        Rows and columns of the grid.

    Returns
    -------
    np.ndarray
        Of the shape `shape`.

    Examples
    --------
    >>> pooled(np.array([[1.0, 3.0], [5.0, 7.0]]), (2, 1)).tolist()
    [[2.0], [6.0]]
    """
    for axis, cells in enumerate(shape):
        parts = np.array_split(values, cells, axis=axis)
        values = np.stack([part.mean(axis=axis) for part in parts], axis=axis)
    return values
