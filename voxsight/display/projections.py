"""Recordings as points in a plane."""

import os
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from voxsight.display.lettering import legible, legible_lines
from voxsight.display.saving import save

OTHERS = "others"  # the value of points that are drawn in grey


def save_projection(path: str | os.PathLike, points: Mapping[str, np.ndarray],
                    labels: Mapping[str, Sequence[str]], mistakes: np.ndarray,
                    title: str) -> None:
    """Draw recordings as points: a row per projection, a column per labelling.

    Parameters
    ----------
    path : str or os.PathLike
        PNG to write.
    points : mapping of str to np.ndarray [shape=(n, 2)]
        By name of the projection.
    labels : mapping of str to (sequence of str [shape=(n,)])
        By name of the labelling, the value of each recording; values differ in colour.
    mistakes : np.ndarray [shape=(n,), bool]
        Recordings that are drawn with a ring.
    title : str
        Title of the figure.
    """
    figure = Figure(figsize=(5.2 * len(labels), 0.8 + 4.4 * len(points)), layout="constrained")
    figure.suptitle(legible_lines(title), fontsize="medium")
    axes = figure.subplots(len(points), len(labels), squeeze=False)
    for row, (projection, xy) in zip(axes, points.items()):
        for axis, (name, values) in zip(row, labels.items()):
            _draw_points(axis, xy, values)
            axis.scatter(xy[mistakes, 0], xy[mistakes, 1], s=26, facecolors="none",
                         edgecolors="black", linewidths=0.8,
                         label="mistake" if mistakes.any() else None)
            axis.set_title(legible(f"{projection} by {name}"), fontsize="medium")
            axis.set_xticks([])
            axis.set_yticks([])
    for axis in axes[-1]:
        axis.legend(fontsize="x-small", markerscale=1.5, ncols=2, loc="upper center",
                    bbox_to_anchor=(0.5, -0.02))
    save(figure, path)


def _draw_points(axis: Axes, xy: np.ndarray, values: Sequence[str]) -> None:
    names = sorted(set(values), key=lambda name: (name == OTHERS, name))
    for number, name in enumerate(names):
        members = np.array([value == name for value in values])
        axis.scatter(xy[members, 0], xy[members, 1], s=9, alpha=0.7, linewidths=0,
                     label=legible(name), color="lightgray" if name == OTHERS else f"C{number}")
