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
    heard = all(window.samples is not None for window in windows)
    above = ["waveform"] * heard + ["spectrogram"] * (heard and "log_mel" not in views)
    width = 4.5 + 1.2 * (len(windows) - 1)
    heights = [1.0 if name == "waveform" else 2.0 for name in (*above, *views)]
    figure = Figure(figsize=(2 * width, 1.2 + sum(heights)), layout="constrained")
    axes = figure.subplots(len(heights), 2, sharex=True, squeeze=False, height_ratios=heights)
    figure.suptitle(title.encode("utf-8", "backslashreplace").decode(), parse_math=False)
    for row, name in zip(axes, above):
        draw = {"waveform": _draw_waveforms, "spectrogram": _draw_spectrograms}[name]
        draw(row[0], windows, recipe)
        draw(row[1], windows, recipe, heat)
        row[0].set_title(name, fontsize="medium")
        row[1].set_title("when the network looked", fontsize="medium")
    for row, view in zip(axes[len(above):], views):
        channel = recipe.views.index(view)
        _draw(row[0], windows, channel)
        shades = _draw(row[1], windows, channel, heat)
        for axis in row:
            _label_rows(axis, view, windows[0].picture.shape[0], recipe)
        row[0].set_title(_TITLES[view], fontsize="medium")
        row[1].set_title("where the network looked", fontsize="medium")
    for axis in axes[-1]:
        axis.set_xlabel("time (s)")
    figure.supxlabel("A map marks a place in the picture, not which of its channels was read "
                     "there.", fontsize="small")
    figure.colorbar(shades, ax=axes[len(above):, 1].tolist(), shrink=0.8,
                    label="evidence (share of its maximum)")
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
    if "log_mel" in recipe.views[1:]:  # the same rows in another channel
        bands = axes[-1].twinx()
        bands.set_ylim(axes[-1].get_ylim())
        _label_rows(bands, "log_mel", height, recipe)
        bands.set_ylabel("or frequency (Hz)")
    axes[-1].set_xlabel("mean over time")
    axes[-1].legend(fontsize="small")
    figure.colorbar(shades, ax=axes[: len(means)].tolist(), label="share of a map's maximum")
    save(figure, path)


def save_faithfulness(path, corpora):
    """Draw what each method's maps have more than chance and loudness.

    Parameters
    ----------
    path : str or os.PathLike
        PNG to write
    corpora : dict
        as `explanation_report.measure_methods` gives them
    """
    panels = {"deletion-random": "deletion area less random's\n(left is better)",
              "deletion-amplitude": "deletion area less loudness's\n(left is better)",
              "road_linear": "ROAD gap, linear\n(right is better)",
              "road_mean": "ROAD gap, mean\n(right is better)",
              "on_word": "share on the word\n(right is better)"}
    methods = list(next(iter(corpora.values())))
    figure = Figure(figsize=(14, 1.6 + 0.34 * len(methods)), layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True)
    for axis, (key, title) in zip(axes, panels.items()):
        for shift, (corpus, found) in zip((-0.12, 0.12, 0.36, -0.36), corpora.items()):
            rows = [(place, found[name][key]) for place, name in enumerate(methods)
                    if found[name][key]["value"] is not None]
            places, own = zip(*rows) if rows else ((), ())
            value, low, high = (np.array([figure[k] for figure in own])
                                for k in ("value", "low", "high"))
            axis.errorbar(value, np.array(places) + shift, fmt="o", markersize=3, capsize=2,
                          xerr=np.maximum([value - low, high - value], 0), label=corpus)
        axis.axvline(0, color="gray", linestyle=":")
        axis.set_title(title, fontsize="small")
        axis.grid(axis="x", alpha=0.3)
    axes[0].set_yticks(range(len(methods)), methods, fontsize="small")
    axes[0].invert_yaxis()
    figure.legend(*axes[0].get_legend_handles_labels(), fontsize="small", ncols=4,
                  loc="outside lower center")
    save(figure, path)


def save_sensitivity(path, curves):
    """Draw how the answer moves when the sound is changed.

    Parameters
    ----------
    path : str or os.PathLike
        PNG to write
    curves : dict
        per sweep ``title``, ``unit``, ``x``, and ``lines``: name to value, low and high
        of p_female at each x
    """
    figure = Figure(figsize=(4.4 * len(curves), 3.6), layout="constrained")
    for axis, curve in zip(figure.subplots(1, len(curves), sharey=True, squeeze=False)[0],
                           curves.values()):
        for name, (value, low, high) in curve["lines"].items():
            (line,) = axis.plot(curve["x"], value, marker=".", label=name)
            axis.fill_between(curve["x"], low, high, color=line.get_color(), alpha=0.2)
        axis.axhline(0.5, color="gray", linestyle=":")
        axis.set_ylim(-0.02, 1.02)
        if curve["unit"] == "Hz":
            axis.set_xscale("log")
            axis.set_xticks(TICKS_HZ[:6], TICKS_HZ[:6])
            axis.minorticks_off()
        axis.set_xlabel(f"{curve['title']} ({curve['unit']})")
        axis.grid(alpha=0.3)
    figure.axes[0].set_ylabel("p(female)")
    figure.axes[0].legend(fontsize="small")
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


def _draw_waveforms(axis, windows, recipe, heat=()):
    """Samples in time, over a shade as strong as the map's mean over rows."""
    _shade_times(axis, windows, heat, (-1, 1))
    loudest = max(float(np.abs(window.samples).max()) for window in windows) or 1.0
    for window in windows:
        front = (recipe.window_samples - len(window.samples)) / 2 / recipe.sample_rate
        times = np.arange(len(window.samples)) / recipe.sample_rate + window.start_s + front
        axis.plot(times, window.samples / loudest, color="0.25", linewidth=0.4)
    axis.set_ylim(-1, 1)
    axis.set_yticks([])


def _draw_spectrograms(axis, windows, recipe, heat=()):
    """Mel bands in Hz, where the network saw coefficients only: a shade says when, not where."""
    for window in windows:
        decibels = mfc.log_mel(mfc.pad(window.samples, recipe.window_samples), recipe)
        placing = _placing(window) | {"extent": (window.start_s, window.end_s, -0.5,
                                                 len(decibels) - 0.5)}
        axis.imshow(decibels, cmap="gray", **placing)
    _shade_times(axis, windows, heat, (-0.5, len(decibels) - 0.5))
    _label_rows(axis, "log_mel", len(decibels), recipe)


def _shade_times(axis, windows, heat, rows):
    """Colour by the map's mean over its rows."""
    strongest = max((float(values.mean(axis=0).max()) for values in heat), default=0) or 1.0
    for window, values in zip(windows, heat):
        profile = values.mean(axis=0, keepdims=True) / strongest
        axis.imshow(profile, cmap="inferno", vmin=0, vmax=1, alpha=0.75 * profile,
                    **(_placing(window) | {"extent": (window.start_s, window.end_s, *rows)}))


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
