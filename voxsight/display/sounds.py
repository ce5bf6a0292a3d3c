"""What recordings are like: distributions, points in a plane, spectrograms."""

from itertools import zip_longest

import numpy as np
from matplotlib.figure import Figure

from voxsight.display.saving import save


def save_distributions(path, sides, title, columns=8):
    """Draw how values are distributed by label, a small plot each.

    Parameters
    ----------
    path : str or os.PathLike
        PNG to write
    sides : dict of str to (np.ndarray, np.ndarray)
        values of female and of male recordings by name; NaN is left out
    title : str
    columns : int
    """
    columns = min(columns, len(sides))
    rows = -(-len(sides) // columns)
    figure = Figure(figsize=(1.9 * columns, 0.7 + 1.5 * rows), layout="constrained")
    figure.suptitle(title, fontsize="medium")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, (name, values) in zip_longest(axes, sides.items(), fillvalue=("", ())):
        known = [side[~np.isnan(side)] for side in values]
        axis.set_axis_off() if not any(map(len, known)) else None
        if any(map(len, known)):
            low, high = np.percentile(np.concatenate(known), [0.5, 99.5])
            edges = np.linspace(low, high if high > low else low + 1, 30)
            for side, label in zip(known, ("female", "male")):
                axis.hist(side, edges, density=True, histtype="stepfilled", alpha=0.5,
                          label=label)
        axis.set_title(name, fontsize="x-small")
        axis.set_yticks([])
        axis.tick_params(labelsize=6)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    save(figure, path)


def save_boxes(path, values, columns=3):
    """Draw how properties are distributed in each group.

    Parameters
    ----------
    path : str or os.PathLike
        PNG to write
    values : dict of str to (dict of str to np.ndarray)
        by property, then by group
    columns : int
    """
    groups = len(next(iter(values.values())))
    rows = -(-len(values) // columns)
    figure = Figure(figsize=(4.2 * columns, rows * (1.0 + 0.3 * groups)), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for axis, (name, by_group) in zip(axes, values.items()):
        axis.boxplot(list(by_group.values()), orientation="horizontal", widths=0.6,
                     flierprops={"markersize": 2})
        axis.set_yticks(range(1, groups + 1), list(by_group), fontsize="small")
        axis.set_title(name, fontsize="small")
        axis.tick_params(axis="x", labelsize=7)
        axis.invert_yaxis()
    for axis in axes[len(values):]:
        axis.set_axis_off()
    save(figure, path)


def save_projection(path, points, labels, mistakes, title):
    """Draw recordings as points, a row per projection, a column per labelling.

    Parameters
    ----------
    path : str or os.PathLike
        PNG to write
    points : dict of str to np.ndarray [shape=(n, 2)]
        by the method of projection
    labels : dict of str to list of str [shape=(n,)]
        what colours tell apart
    mistakes : np.ndarray of bool [shape=(n,)]
        drawn with a ring
    title : str
    """
    figure = Figure(figsize=(5.2 * len(labels), 0.8 + 4.4 * len(points)), layout="constrained")
    figure.suptitle(title, fontsize="medium")
    axes = figure.subplots(len(points), len(labels), squeeze=False)
    for row, (method, xy) in zip(axes, points.items()):
        for axis, (name, values) in zip(row, labels.items()):
            for number, value in enumerate(sorted(set(values), key=lambda v: (v == "others", v))):
                own = np.array([v == value for v in values])
                axis.scatter(*xy[own].T, s=9, alpha=0.7, linewidths=0, label=value,
                             color="lightgray" if value == "others" else f"C{number}")
            axis.scatter(*xy[mistakes].T, s=26, facecolors="none", edgecolors="black",
                         linewidths=0.8, label="mistake" if mistakes.any() else None)
            axis.set_title(f"{method} by {name}", fontsize="medium")
            axis.set_xticks([])
            axis.set_yticks([])
    for axis in axes[-1]:
        axis.legend(fontsize="x-small", markerscale=1.5, ncols=2, loc="upper center",
                    bbox_to_anchor=(0.5, -0.02))
    save(figure, path)


def save_spectrogram(path, samples, rate, times, f0, title):
    """Draw a spectrogram up to 4 kHz with the fundamental frequency over it.

    Parameters
    ----------
    path : str or os.PathLike
        PNG to write
    samples : np.ndarray [shape=(n,)]
    rate : int
        Hz
    times, f0 : np.ndarray [shape=(frames,)]
        seconds and Hz; NaN where a frame is not voiced
    title : str
    """
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axis = figure.subplots()
    padded = np.pad(samples, (0, max(0, 512 - len(samples)))) + 1e-9
    *_, shades = axis.specgram(padded, NFFT=512, Fs=rate, noverlap=384, cmap="magma")
    shades.set_clim(shades.get_array().max() - 70, None)  # dB
    axis.plot(times, f0, ".", color="cyan", markersize=3)
    axis.set_ylim(0, 4000)
    axis.set_xlabel("time (s)")
    axis.set_ylabel("frequency (Hz)")
    axis.set_title(title, fontsize="small", parse_math=False)
    save(figure, path)
