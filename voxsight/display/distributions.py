"""Distributions of values, by label or by group."""

import os
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from voxsight.corpora.utterance import LABELS
from voxsight.display.lettering import legible, legible_lines
from voxsight.display.saving import save

BINS = 29
RANGE_PERCENT = (0.5, 99.5)  # so that a few outliers do not squeeze the rest into one bin


def save_distributions(path: str | os.PathLike,
                       values: Mapping[str, tuple[np.ndarray, np.ndarray]], title: str,
                       columns: int = 8) -> None:
    """Draw the distribution of each feature by label, as small histograms.

    Parameters
    ----------
    path : str or os.PathLike
        PNG to write.
    values : mapping of str to (np.ndarray, np.ndarray)
        By name of the feature, its values in female and in male recordings. NaN is omitted.
    title : str
        Title of the figure.
    columns : int
        Histograms side by side.
    """
    columns = min(columns, len(values))
    rows = -(-len(values) // columns)
    figure = Figure(figsize=(1.9 * columns, 0.7 + 1.5 * rows), layout="constrained")
    figure.suptitle(legible_lines(title), fontsize="medium")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, (name, by_label) in zip(axes, values.items()):
        axis.set_title(legible(name), fontsize="x-small")
        axis.set_yticks([])
        axis.tick_params(labelsize=6)
        known = [side[~np.isnan(side)] for side in by_label]
        if any(map(len, known)):
            _draw_histograms(axis, known)
        else:
            axis.set_axis_off()
    for axis in axes[len(values):]:
        axis.set_axis_off()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    save(figure, path)


def save_boxes(path: str | os.PathLike, values: Mapping[str, Mapping[str, np.ndarray]],
               columns: int = 3) -> None:
    """Draw the distribution of each property in each group, as box plots.

    Parameters
    ----------
    path : str or os.PathLike
        PNG to write.
    values : mapping of str to (mapping of str to np.ndarray)
        By property, then by group. Every property has the same groups.
    columns : int
        Plots side by side.
    """
    groups = len(next(iter(values.values())))
    rows = -(-len(values) // columns)
    figure = Figure(figsize=(4.2 * columns, rows * (1.0 + 0.3 * groups)), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for axis, (name, by_group) in zip(axes, values.items()):
        axis.boxplot(list(by_group.values()), orientation="horizontal", widths=0.6,
                     flierprops={"markersize": 2})
        axis.set_yticks(range(1, groups + 1), [*map(legible, by_group)], fontsize="small")
        axis.set_title(legible(name), fontsize="small")
        axis.tick_params(axis="x", labelsize=7)
    axes[0].invert_yaxis()  # all share it, and a second call would turn it back
    for axis in axes[len(values):]:
        axis.set_axis_off()
    save(figure, path)


def _draw_histograms(axis: Axes, by_label: list[np.ndarray]) -> None:
    low, high = np.percentile(np.concatenate(by_label), RANGE_PERCENT)
    if high == low:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, BINS + 1).tolist()
    for values, label in zip(by_label, LABELS):
        axis.hist(values, edges, density=True, histtype="stepfilled", alpha=0.5, label=label)
    axis.locator_params(axis="x", nbins=4)
    axis.ticklabel_format(axis="x", useOffset=False, scilimits=(-3, 6))
    axis.xaxis.get_offset_text().set_fontsize(6)
