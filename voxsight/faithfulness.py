"""Whether a map points at what the network used: what happens when it is taken away.

Deletion and insertion are those of Petsiuk et al., "RISE", 2018; ROAD is that of Rong et
al., "A Consistent and Efficient Evaluation Strategy for Attribution Methods", 2022.
"""

import functools

import numpy as np

from voxsight.attribution import mean_colour

SHARES = np.linspace(0, 1, 9)  # of the pixels, along a curve
ROAD_SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
NOISE_GREY = 0.5  # of 255 levels, on what ROAD fills in


def order_of(heat, rng):
    """Pixels from the most to the least relevant; where a map says the same, drawn.

    Parameters
    ----------
    heat : np.ndarray [shape=(height, width)]
    rng : np.random.Generator

    Returns
    -------
    np.ndarray of int [shape=(height * width,)]
    """
    return np.lexsort((rng.random(heat.size), -heat.ravel()))


def curves(picture, order, p_label):
    """Deletion and insertion of pixels by relevance, with the mean colour for nothing.

    Parameters
    ----------
    picture : np.ndarray [shape=(height, width, 3), uint8]
    order : np.ndarray of int
        as `order_of` gives it
    p_label : callable
        pictures [shape=(n, height, width, 3)] -> probability of the label [shape=(n,)]

    Returns
    -------
    deletion, insertion : np.ndarray [shape=(9,)]
        probability of the label after each of `SHARES` was taken or given
    """
    empty = np.broadcast_to(mean_colour(picture), picture.shape)
    deleted = [merged(picture, empty, order, share) for share in SHARES]
    inserted = [merged(empty, picture, order, share) for share in SHARES[1:-1]]
    p = p_label(np.stack(deleted + inserted))
    n = len(SHARES)
    return p[:n], np.concatenate([p[n - 1: n], p[n:], p[:1]])


def merged(picture, other, order, share):
    """`picture` with that share of its first pixels in `order` taken from `other`."""
    result = picture.copy()
    chosen = order[: round(share * len(order))]
    result.reshape(-1, picture.shape[-1])[chosen] = other.reshape(-1, other.shape[-1])[chosen]
    return result


def area(curve):
    """Area under a curve over equal steps from 0 to 1.

    Examples
    --------
    >>> area(np.array([1.0, 0.5, 0.0]))
    0.5
    """
    return float(np.mean((curve[1:] + curve[:-1]) / 2))


def road_gap(picture, order, p_label, fill):
    """How much more the label loses by its relevant than by its irrelevant pixels.

    Parameters
    ----------
    picture, order, p_label
        as for `curves`
    fill : callable
        picture and mask of the pixels that are kept, both of that picture's height and
        width -> picture

    Returns
    -------
    float
        mean probability with the least relevant pixels removed less that with the most
        relevant removed, over `ROAD_SHARES`; above 0 where the map is right
    """
    without = []
    for ranked in (order[::-1], order):
        for share in ROAD_SHARES:
            keep = np.ones(picture.shape[:2], bool)
            keep.ravel()[ranked[: round(share * keep.size)]] = False
            without.append(fill(picture, keep))
    p = p_label(np.stack(without))
    return float(p[: len(ROAD_SHARES)].mean() - p[len(ROAD_SHARES):].mean())


def fill_with_mean(picture, keep):
    """The mean colour of the picture where it is not kept."""
    return np.where(keep[..., None], picture, mean_colour(picture))


def fill_from_neighbours(picture, keep, rng):
    """ROAD's noisy linear imputation, of pytorch-grad-cam: the weighted mean of neighbours.

    Unlike a flat colour it leaves no edge that tells which pixels were removed.
    """
    import torch
    from pytorch_grad_cam.metrics.road import NoisyLinearImputer

    values = torch.from_numpy(picture.copy()).permute(2, 0, 1).float()
    filled = NoisyLinearImputer(noise=0)(values, torch.from_numpy(keep.astype(np.float32)))
    filled = filled.permute(1, 2, 0).numpy()
    filled[~keep] += rng.normal(scale=NOISE_GREY, size=filled[~keep].shape)
    return np.clip(filled.round(), 0, 255).astype(np.uint8)


def measures(picture, heat, p_label, seed):
    """Every measure of one map.

    Parameters
    ----------
    picture : np.ndarray [shape=(height, width, 3), uint8]
    heat : np.ndarray [shape=(height, width)]
    p_label : callable
        as for `curves`
    seed : int

    Returns
    -------
    dict
        ``deletion`` and ``insertion`` (areas), ``road_linear`` and ``road_mean`` (gaps)
    """
    rng = np.random.default_rng(seed)
    order = order_of(heat, rng)
    deletion, insertion = curves(picture, order, p_label)
    linear = functools.partial(fill_from_neighbours, rng=rng)
    return {"deletion": area(deletion), "insertion": area(insertion),
            "road_linear": road_gap(picture, order, p_label, linear),
            "road_mean": road_gap(picture, order, p_label, fill_with_mean)}


def amplitude(picture, recipe):
    """How strong the sound is in each pixel, shape (height, width).

    The level of the mel band where a channel shows it; otherwise how far the coefficient
    is from zero.
    """
    if "log_mel" in recipe.views:
        return picture[..., recipe.views.index("log_mel")].astype(float)
    return np.abs(picture[..., 0].astype(float) - recipe.mfcc_zero)


def pooled(values, shape):
    """Means of an image over a grid, so that it is as coarse as a map; shape `shape`."""
    for axis, cells in enumerate(shape):
        parts = np.array_split(values, cells, axis=axis)
        values = np.stack([part.mean(axis=axis) for part in parts], axis=axis)
    return values
