"""Vectors of recordings as points in a plane: a figure, and a page that plays the recordings."""

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from voxsight import display
from voxsight.base import files
from voxsight.display.pages import render

METHODS = ("PCA", "UMAP")
MAX_COLOURS = 9  # values of a column that have a colour; all others are grey
NEIGHBOURS = 15  # UMAP's default
MIN_SPECTRAL = 50  # points; the spectral start needs more points than dimensions and neighbours


def project(values: np.ndarray, seed: int = 42) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Points in a plane, by each of `METHODS`.

    Principal components preserve distances as far as two dimensions can. UMAP (McInnes et al.,
    "UMAP: Uniform Manifold Approximation and Projection", 2018) preserves neighbourhoods.

    Parameters
    ----------
    values : np.ndarray [shape=(n, d)]
        A vector per recording.
    seed : int
        Of the random numbers.

    Returns
    -------
    points : dict of str to np.ndarray [shape=(n, 2)]
        By method.
    explained : np.ndarray [shape=(2,)]
        Fraction of the variance that each principal component explains.
    """
    from sklearn.decomposition import PCA

    components = PCA(2, random_state=seed)
    points = {"PCA": components.fit_transform(values), "UMAP": _umap(values, seed)}
    return points, components.explained_variance_ratio_


def write_projection(out: str | os.PathLike, rows: Sequence[Mapping[str, Any]],
                     values: np.ndarray, columns: Sequence[str], title: str,
                     seed: int = 42) -> None:
    """Write ``projection.png`` and ``projection.html``.

    Parameters
    ----------
    out : str or os.PathLike
        Folder for both.
    rows : sequence of mapping
        Per recording ``path``, the `columns` and ``mistake`` (bool). Where a point is a part of
        its recording also ``part``, its start and end in seconds.
    values : np.ndarray [shape=(n, d)]
        A vector per row.
    columns : sequence of str
        What points are coloured by, such as ``gender``.
    title : str
        What the vectors are.
    seed : int
        Of the random numbers.
    """
    folder = Path(out)
    points, explained = project(values, seed)
    title = (f"{title}: {len(rows)} recordings; two principal components keep "
             f"{explained.sum():.0%} of the variance")
    labels = {column: rare_as_others([row[column] for row in rows]) for column in columns}
    mistakes = np.array([row["mistake"] for row in rows], bool)
    display.save_projection(folder / "projection.png", points, labels, mistakes, title)
    page = render("projection.html.j2", description=title, views=list(points),
                  columns=list(columns), recordings=_recordings(folder, rows, points, columns))
    files.write_text(folder / "projection.html", page)


def rare_as_others(values: Sequence[Any]) -> list[str]:
    """Values as text, with all but the `MAX_COLOURS` most frequent ones called ``others``.

    Parameters
    ----------
    values : sequence
        Such as the speaker of each recording.

    Returns
    -------
    list of str

    Examples
    --------
    >>> rare_as_others(["a", "b", 1])
    ['a', 'b', '1']
    """
    names, counts = np.unique(np.array(values, str), return_counts=True)
    frequent = set(names[np.argsort(-counts, kind="stable")[:MAX_COLOURS]].tolist())
    return [str(value) if str(value) in frequent else display.OTHERS for value in values]


def _umap(values: np.ndarray, seed: int) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # UMAP warns that a seed restricts it to one thread
        from umap import UMAP

        start = "spectral" if len(values) > MIN_SPECTRAL else "random"
        return UMAP(n_neighbors=min(NEIGHBOURS, len(values) - 1), random_state=seed,
                    init=start).fit_transform(values)


def _recordings(folder: Path, rows: Sequence[Mapping[str, Any]],
                points: Mapping[str, np.ndarray], columns: Sequence[str]) -> list[dict[str, Any]]:
    """What the page needs of each point."""
    return [{"sound": _sound_url(row, folder), "mistake": bool(row["mistake"]),
             "name": Path(row["path"]).name,
             "values": {column: str(row[column]) for column in columns},
             "position": {method: [round(float(value), 4) for value in xy[i]]
                          for method, xy in points.items()}}
            for i, row in enumerate(rows)]


def _sound_url(row: Mapping[str, Any], folder: Path) -> str:
    """URL of a recording relative to the page, with the part that is played."""
    url = quote(os.fsencode(os.path.relpath(row["path"], folder).replace(os.sep, "/")))
    if "part" not in row:
        return url
    start_s, end_s = row["part"]
    return f"{url}#t={start_s:.3f},{end_s:.3f}"
