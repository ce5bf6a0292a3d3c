"""Pictures of recordings and where the network looked."""

from itertools import zip_longest

import numpy as np
from matplotlib.figure import Figure

from voxsight import mfc
from voxsight.display.saving import save

TICKS_HZ = (100, 250, 500, 1000, 2000, 4000, 8000, 16000)
_TITLES = {"mfcc": "MFC coefficients", "log_mel": "mel bands", "delta": "change over time"}


def save_heat_map(path, windows, heat, recipe, title):
    """Draw the pictures of a recording beside where the network looked.

    Parameters
    ----------
    path : str or os.PathLike
        PNG to write
    windows : list of prediction.WindowAnswer
    heat : np.ndarray [shape=(n, height, width)]
        in [0, 1], enlarged to the pictures
    recipe : recipes.Recipe
    title : str
    """
    views = list(dict.fromkeys(recipe.views))
    width = 4.5 + 1.2 * (len(windows) - 1)
    figure = Figure(figsize=(2 * width, 1.2 + 2.1 * len(views)), layout="constrained")
    axes = figure.subplots(len(views), 2, sharex=True, squeeze=False)
    figure.suptitle(title.encode("utf-8", "backslashreplace").decode(), parse_math=False)
    for row, view in zip(axes, views):
        channel = recipe.views.index(view)
        _draw(row[0], windows, channel)
        shades = _draw(row[1], windows, channel, heat)
        for axis in row:
            _label_rows(axis, view, windows[0].picture.shape[0], recipe)
        row[0].set_title(_TITLES[view], fontsize="medium")
        row[1].set_title("where the network looked", fontsize="medium")
    for axis in axes[-1]:
        axis.set_xlabel("time (s)")
    figure.colorbar(shades, ax=axes[:, 1].tolist(), label="evidence (share of its maximum)",
                    shrink=0.8)
    save(figure, path)


def save_class_means(path, means, recipe):
    """Draw the mean map of each label with its profiles over rows and time.

    Parameters
    ----------
    path : str or os.PathLike
        PNG to write
    means : dict
        as `explanation.class_means` gives it
    recipe : recipes.Recipe
    """
    figure = Figure(figsize=(10.5, 4.2), layout="constrained")
    axes = figure.subplots(1, len(means) + 1, width_ratios=[2] * len(means) + [1.1])
    top = max(float(mean["mean_map"].max()) for mean in means.values())
    for axis, (label, mean) in zip(axes, means.items()):
        height = mean["mean_map"].shape[0]
        shades = axis.imshow(mean["mean_map"], origin="lower", aspect="auto", cmap="inferno",
                             vmin=0, vmax=top, extent=(0, recipe.window_s, -0.5, height - 0.5))
        _label_rows(axis, recipe.views[0], height, recipe)
        axis.set_xlabel("time (s)")
        axis.set_title(f"{label}, mean of {mean['n']} maps", fontsize="medium")
        axes[-1].plot(mean["rows"], np.arange(height), label=label)
    _label_rows(axes[-1], recipe.views[0], height, recipe)
    axes[-1].set_xlabel("mean over time")
    axes[-1].legend(fontsize="small")
    figure.colorbar(shades, ax=axes[: len(means)].tolist(), label="share of a map's maximum")
    save(figure, path)


def _draw(axis, windows, channel, heat=()):
    """Pictures in time, each with its heat, if any; a later window covers an earlier one."""
    shades = None
    for window, values in zip_longest(windows, heat[: len(windows)]):
        axis.imshow(window.picture[..., channel], cmap="gray", vmin=0, vmax=255,
                    **_placing(window))
        if values is not None:
            shades = axis.imshow(values, cmap="inferno", vmin=0, vmax=1,
                                 alpha=0.15 + 0.6 * values, **_placing(window))
    axis.set_xlim(windows[0].start_s, windows[-1].end_s)
    return shades


def _placing(window):
    height = window.picture.shape[0]
    return {"origin": "lower", "aspect": "auto", "interpolation": "nearest",
            "extent": (window.start_s, window.end_s, -0.5, height - 0.5)}


def _label_rows(axis, view, height, recipe):
    if view == "mfcc":
        scale = height / recipe.n_mfcc
        every = max(1, recipe.n_mfcc // 4)
        numbers = np.arange(0, recipe.n_mfcc, every)
        axis.set_yticks((numbers + 0.5) * scale - 0.5, numbers)
        axis.set_ylabel("coefficient (quefrency)")
        return
    centres = mfc.band_centres(recipe)
    ticks = [hz for hz in TICKS_HZ if centres[0] <= hz <= centres[-1] * 1.05]
    bands = np.interp(ticks, centres, np.arange(len(centres)))
    axis.set_yticks((bands + 0.5) * height / len(centres) - 0.5, ticks)
    axis.set_ylabel("frequency (Hz)")
