"""Linear resizing as a product with small constant matrices.

This is `skimage.transform.resize` with its defaults, written here since the installation that
answers does without scikit-image, and since a product with two small matrices that are computed
once is faster. Tests compare it with scikit-image.
"""

import functools

import numpy as np

TRUNCATE = 4.0  # standard deviations at which the Gaussian is cut off, as in scikit-image


@functools.lru_cache
def resize_matrix(n: int, m: int, ends: str = "mirror") -> np.ndarray:
    """Matrix that resizes a column of `n` values to `m`.

    Interpolates linearly between the centres of cells. To make a column smaller, it is first
    smoothed by a Gaussian with a standard deviation of (n / m - 1) / 2 cells.

    Parameters
    ----------
    n, m : int
        Number of values before and after.
    ends : {"mirror", "clamp"}
        What lies beyond the ends: the values mirrored, the last one not repeated, as in
        scikit-image; or the last value.

    Returns
    -------
    np.ndarray [shape=(m, n), float64]
        Shared between calls; do not change it.

    Examples
    --------
    >>> (resize_matrix(2, 4, "clamp") @ np.array([0.0, 1.0])).tolist()
    [0.0, 0.25, 0.75, 1.0]
    """
    inside = _mirrored if ends == "mirror" else _clamped
    centres = (np.arange(m) + 0.5) * n / m - 0.5
    low = np.floor(centres).astype(int)
    weight = centres - low
    matrix = np.zeros((m, n))
    rows = np.arange(m)
    np.add.at(matrix, (rows, inside(low, n)), 1 - weight)
    np.add.at(matrix, (rows, inside(low + 1, n)), weight)
    sigma = max(0.0, (n / m - 1) / 2)
    reach = int(TRUNCATE * sigma + 0.5)
    if reach:
        offsets = np.arange(-reach, reach + 1)
        bell = np.exp(-0.5 * (offsets / sigma) ** 2)
        blur = np.zeros((n, n))
        cells = np.arange(n)
        for offset, value in zip(offsets, bell / bell.sum()):
            np.add.at(blur, (cells, inside(cells + offset, n)), value)
        matrix = matrix @ blur
    return matrix


def _mirrored(index: np.ndarray, n: int) -> np.ndarray:
    """Indices beyond the ends, mirrored at the first and the last value."""
    if n == 1:
        return np.zeros_like(index)
    index = np.abs(index) % (2 * n - 2)
    return np.where(index >= n, 2 * n - 2 - index, index)


def _clamped(index: np.ndarray, n: int) -> np.ndarray:
    """Indices beyond the ends, moved to the first or the last value."""
    return np.clip(index, 0, n - 1)
