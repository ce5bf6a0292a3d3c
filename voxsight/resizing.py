"""Linear resizing as a product with small constant matrices."""

import functools

import numpy as np


@functools.lru_cache
def resize_matrix(n, m, ends="mirror"):
    """Matrix that resizes a column of `n` values to `m`, as scikit-image does.

    Linear interpolation between cell centres; when shrinking, after a Gaussian of
    (n/m - 1) / 2 cells that is cut at four of them.

    Parameters
    ----------
    n, m : int
    ends : {"mirror", "clamp"}
        what lies beyond: the values mirrored (the last one not repeated), or the last

    Returns
    -------
    np.ndarray [shape=(m, n), float64]
    """
    centres = (np.arange(m) + 0.5) * n / m - 0.5
    low = np.floor(centres).astype(int)
    weight = centres - low
    inside = _mirrored if ends == "mirror" else _clamped
    matrix = np.zeros((m, n))
    rows = np.arange(m)
    np.add.at(matrix, (rows, inside(low, n)), 1 - weight)
    np.add.at(matrix, (rows, inside(low + 1, n)), weight)
    sigma = max(0.0, (n / m - 1) / 2)
    reach = int(4.0 * sigma + 0.5)
    if reach:
        offsets = np.arange(-reach, reach + 1)
        bell = np.exp(-0.5 * (offsets / sigma) ** 2)
        blur = np.zeros((n, n))
        cells = np.arange(n)
        for offset, value in zip(offsets, bell / bell.sum()):
            np.add.at(blur, (cells, inside(cells + offset, n)), value)
        matrix = matrix @ blur
    return matrix


def _mirrored(index, n):
    if n == 1:
        return np.zeros_like(index)
    index = np.abs(index) % (2 * n - 2)
    return np.where(index >= n, 2 * n - 2 - index, index)


def _clamped(index, n):
    return np.clip(index, 0, n - 1)
