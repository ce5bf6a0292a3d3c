"""Attribution maps: of a recording, of each label, and the tests of the methods."""

import os
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from voxsight.answer.prediction import WindowPrediction
from voxsight.display.lettering import legible, legible_lines
from voxsight.display.saving import save
from voxsight.pictures import cepstra
from voxsight.pictures.recipe import Recipe

if TYPE_CHECKING:
    from voxsight.base.files import AnyPath

TICKS_HZ = (100, 250, 500, 1000, 2000, 4000, 8000, 16000)
_VIEW_TITLES = {"mfcc": "MFC coefficients", "log_mel": "mel bands", "delta": "change over time"}
_FAITHFULNESS_PANELS = {
    "deletion-random": "deletion area less random's\n(left is better)",
    "deletion-amplitude": "deletion area less loudness's\n(left is better)",
    "road_linear": "ROAD gap, linear\n(right is better)",
    "road_mean": "ROAD gap, mean\n(right is better)",
    "on_word-amplitude": "fraction on the word less\nloudness's (right is better)"}


class _Placement(TypedDict):
    """Where `imshow` draws an image."""

    origin: Literal["lower"]
    aspect: Literal["auto"]
    interpolation: Literal["nearest"]
    extent: tuple[float, float, float, float]


def save_heat_map(path: "AnyPath", windows: Sequence[WindowPrediction], heat: np.ndarray,
                  recipe: Recipe, title: str) -> None:
    """Draw the pictures of a recording beside their attribution maps.

    Parameters
    ----------
    path : str or os.PathLike
        PNG to write.
    windows : sequence of WindowPrediction [shape=(n,)]
        With their pictures; if all have samples, waveform and spectrogram are drawn too.
    heat : np.ndarray [shape=(n, height, width)]
        Attribution maps in [0, 1], enlarged to the pictures.
    recipe : Recipe
        Of the pictures.
    title : str
        Title of the figure.
    """
    views = list(dict.fromkeys(recipe.views))
    rows_above = _rows_above(windows, views)
    heights = [1.0 if name == "waveform" else 2.0 for name in (*rows_above, *views)]
    width = 4.5 + 1.2 * (len(windows) - 1)
    figure = Figure(figsize=(2 * width, 1.2 + sum(heights)), layout="constrained")
    axes = figure.subplots(len(heights), 2, sharex=True, squeeze=False, height_ratios=heights)
    figure.suptitle(legible_lines(title))
    for row, name in zip(axes, rows_above):
        draw = _draw_waveforms if name == "waveform" else _draw_spectrograms
        draw(row[0], windows, recipe, ())
        draw(row[1], windows, recipe, heat)
        row[0].set_title(name, fontsize="medium")
        row[1].set_title("when the network looked", fontsize="medium")
    for row, view in zip(axes[len(rows_above):], views):
        image = _draw_view(row, windows, view, recipe, heat)
    for axis in axes[-1]:
        axis.set_xlabel("time (s)")
    figure.supxlabel("A map marks a place in the picture, not which of its channels was read "
                     "there.", fontsize="small")
    figure.colorbar(image, ax=axes[len(rows_above):, 1].tolist(), shrink=0.8,
                    label="evidence (share of its maximum)")
    save(figure, path)


def save_class_means(path: str | os.PathLike, means: Mapping[str, Mapping[str, Any]],
                     recipe: Recipe, title: str) -> None:
    """Draw the mean map of each label with its profiles over rows and time.

    Parameters
    ----------
    path : str or os.PathLike
        PNG to write.
    means : mapping of str to mapping
        As `voxsight.explanation.class_means.class_means` returns them.
    recipe : Recipe
        Of the pictures.
    title : str
        Title of the figure, such as the method.
    """
    figure = Figure(figsize=(10.5, 4.4), layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots(1, len(means) + 1, width_ratios=[2] * len(means) + [1.1])
    maximum = max(float(mean["mean_map"].max()) for mean in means.values())
    for axis, (label, mean) in zip(axes, means.items()):
        height = mean["mean_map"].shape[0]
        image = axis.imshow(mean["mean_map"], origin="lower", aspect="auto", cmap="inferno",
                            vmin=0, vmax=maximum,
                            extent=(0, recipe.window_s, -0.5, height - 0.5))
        _label_rows(axis, recipe.views[0], height, recipe)
        axis.set_xlabel("time (s)")
        axis.set_title(f"{label}, mean of {mean['n']} maps", fontsize="medium")
        axes[-1].plot(mean["rows"], np.arange(height), label=label)
    _label_profile(axes[-1], height, recipe)
    figure.colorbar(image, ax=axes[: len(means)].tolist(), label="fraction of a map's maximum")
    save(figure, path)


def save_faithfulness(path: str | os.PathLike,
                      corpora: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
    """Draw by how much each method's maps are better than chance and loudness.

    Parameters
    ----------
    path : str or os.PathLike
        PNG to write.
    corpora : mapping of str to mapping
        Measures by corpus and method, as
        `voxsight.explanation.trials.report.measure_methods` returns them under ``corpora``.
    """
    methods = list(next(iter(corpora.values())))
    figure = Figure(figsize=(14, 1.6 + 0.34 * len(methods)), layout="constrained")
    axes = figure.subplots(1, len(_FAITHFULNESS_PANELS), sharey=True)
    for axis, (measure, title) in zip(axes, _FAITHFULNESS_PANELS.items()):
        for offset, (corpus, results) in zip(_offsets(len(corpora)), corpora.items()):
            _draw_measure(axis, [results[method][measure] for method in methods], offset, corpus)
        axis.axvline(0, color="gray", linestyle=":")
        axis.set_title(title, fontsize="small")
        axis.grid(axis="x", alpha=0.3)
    axes[0].set_yticks(range(len(methods)), methods, fontsize="small")
    axes[0].invert_yaxis()
    figure.legend(*axes[0].get_legend_handles_labels(), fontsize="small", ncols=4,
                  loc="outside lower center")
    save(figure, path)


def save_sensitivity(path: str | os.PathLike, curves: Mapping[str, Mapping[str, Any]]) -> None:
    """Draw how the probability changes when the sound is changed.

    Parameters
    ----------
    path : str or os.PathLike
        PNG to write.
    curves : mapping of str to mapping
        Per sweep ``title``, ``unit``, ``x``, and ``lines``: by name, sequences of value, low
        and high of the probability of female at each x.
    """
    figure = Figure(figsize=(4.4 * len(curves), 3.6), layout="constrained")
    axes = figure.subplots(1, len(curves), sharey=True, squeeze=False)[0]
    for axis, curve in zip(axes, curves.values()):
        for name, (value, low, high) in curve["lines"].items():
            (line,) = axis.plot(curve["x"], value, marker=".", label=name)
            axis.fill_between(curve["x"], np.array(low, float), np.array(high, float),
                              color=line.get_color(), alpha=0.2)
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


def _rows_above(windows: Sequence[WindowPrediction], views: Sequence[str]) -> list[str]:
    """Rows above the views: the waveform, and the spectrogram unless a view shows it."""
    if any(window.samples is None for window in windows):
        return []
    return ["waveform"] if "log_mel" in views else ["waveform", "spectrogram"]


def _draw_view(row: np.ndarray, windows: Sequence[WindowPrediction], view: str, recipe: Recipe,
               heat: np.ndarray) -> AxesImage:
    """Draw one view twice, on the right with the maps over it; return the last map drawn."""
    channel = recipe.views.index(view)
    _draw_pictures(row[0], windows, channel, ())
    image = _draw_pictures(row[1], windows, channel, heat)
    assert image is not None
    for axis in row:
        _label_rows(axis, view, _picture(windows[0]).shape[0], recipe)
    row[0].set_title(_VIEW_TITLES[view], fontsize="medium")
    row[1].set_title("where the network looked", fontsize="medium")
    return image


def _draw_pictures(axis: Axes, windows: Sequence[WindowPrediction], channel: int,
                   heat: Sequence[np.ndarray] | np.ndarray) -> AxesImage | None:
    """Draw pictures, and maps if there are any; a later window covers an earlier one."""
    image = None
    for window, values in zip_longest(windows, heat[: len(windows)]):
        axis.imshow(_picture(window)[..., channel], cmap="gray", vmin=0, vmax=255,
                    **_placement(window))
        if values is not None:
            image = axis.imshow(values, cmap="inferno", vmin=0, vmax=1,
                                alpha=0.15 + 0.6 * values, **_placement(window))
    axis.set_xlim(windows[0].start_s, windows[-1].end_s)
    return image


def _draw_waveforms(axis: Axes, windows: Sequence[WindowPrediction], recipe: Recipe,
                    heat: Sequence[np.ndarray] | np.ndarray) -> None:
    """Draw samples over a shade as strong as the map's mean over its rows."""
    _shade_times(axis, windows, heat, (-1, 1))
    sounds = [_samples(window) for window in windows]
    peak = max(float(np.abs(samples).max()) for samples in sounds) or 1.0
    for window, samples in zip(windows, sounds):
        padding_s = (recipe.window_samples - len(samples)) / 2 / recipe.sample_rate
        times = np.arange(len(samples)) / recipe.sample_rate + window.start_s + padding_s
        axis.plot(times, samples / peak, color="0.25", linewidth=0.4)
    axis.set_ylim(-1, 1)
    axis.set_yticks([])


def _draw_spectrograms(axis: Axes, windows: Sequence[WindowPrediction], recipe: Recipe,
                       heat: Sequence[np.ndarray] | np.ndarray) -> None:
    """Draw mel bands that the network did not see; a shade says when it looked, not where."""
    for window in windows:
        decibels = cepstra.log_mel(cepstra.pad(_samples(window), recipe.window_samples), recipe)
        axis.imshow(decibels, cmap="gray",
                    **_placement(window, (-0.5, len(decibels) - 0.5)))
    _shade_times(axis, windows, heat, (-0.5, len(decibels) - 0.5))
    _label_rows(axis, "log_mel", len(decibels), recipe)


def _shade_times(axis: Axes, windows: Sequence[WindowPrediction],
                 heat: Sequence[np.ndarray] | np.ndarray, rows: tuple[float, float]) -> None:
    """Colour by the map's mean over its rows, up to where the next window begins.

    Two shades over each other would look like more than either.
    """
    maximum = max((float(values.mean(axis=0).max()) for values in heat), default=0) or 1.0
    starts = [*(window.start_s for window in windows[1:]), np.inf]
    for window, values, next_start_s in zip(windows, heat, starts):
        end_s = min(window.end_s, next_start_s)
        fraction = (end_s - window.start_s) / (window.end_s - window.start_s)
        profile = values.mean(axis=0, keepdims=True) / maximum
        profile = profile[:, : max(1, round(fraction * profile.shape[1]))]
        place = _placement(window, rows) | {"extent": (window.start_s, end_s, *rows)}
        axis.imshow(profile, cmap="inferno", vmin=0, vmax=1, alpha=0.75 * profile, **place)


def _placement(window: WindowPrediction, rows: tuple[float, float] | None = None) -> _Placement:
    """Place of a window's image; `rows` are its lower and upper edge."""
    bottom, top = rows or (-0.5, _picture(window).shape[0] - 0.5)
    return {"origin": "lower", "aspect": "auto", "interpolation": "nearest",
            "extent": (window.start_s, window.end_s, bottom, top)}


def _picture(window: WindowPrediction) -> np.ndarray:
    assert window.picture is not None
    return window.picture


def _samples(window: WindowPrediction) -> np.ndarray:
    assert window.samples is not None
    return window.samples


def _offsets(n: int) -> np.ndarray:
    """Distances from the middle of a row, so that corpora do not cover each other."""
    return (np.arange(n) - (n - 1) / 2) * min(0.24, 0.8 / n)


def _draw_measure(axis: Axes, results: Sequence[Mapping[str, Any]], offset: float,
                  corpus: str) -> None:
    """Draw one measure of every method; a method without a value has no point."""
    known = [(row, result) for row, result in enumerate(results) if result["value"] is not None]
    rows = np.array([row for row, _ in known], float)
    value, low, high = (np.array([result[key] for _, result in known], float)
                        for key in ("value", "low", "high"))
    axis.errorbar(value, rows + offset, fmt="o", markersize=3, capsize=2,
                  xerr=np.maximum([value - low, high - value], 0), label=legible(corpus))


def _label_profile(axis: Axes, height: int, recipe: Recipe) -> None:
    """Label the profiles over rows of the class means."""
    axis.set_ylim(-0.5, height - 0.5)  # as the maps beside it
    _label_rows(axis, recipe.views[0], height, recipe)
    if "log_mel" in recipe.views[1:]:  # the same rows in another channel
        bands = axis.twinx()
        bands.set_ylim(axis.get_ylim())
        _label_rows(bands, "log_mel", height, recipe)
        bands.set_ylabel("or frequency (Hz)")
    axis.set_xlabel("mean over time")
    axis.legend(fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1.0))


def _label_rows(axis: Axes, view: str, height: int, recipe: Recipe) -> None:
    """Label the rows of a picture: coefficients, or frequencies of the mel bands."""
    if view == "mfcc":
        pixels_per_row = height / recipe.n_mfcc
        step = max(1, recipe.n_mfcc // 4)
        coefficients = np.arange(0, recipe.n_mfcc, step)
        axis.set_yticks((coefficients + 0.5) * pixels_per_row - 0.5, [str(k) for k in coefficients])
        axis.set_ylabel("coefficient (quefrency)")
        return
    centres = cepstra.band_centres(recipe)
    ticks = [hz for hz in TICKS_HZ if centres[0] <= hz <= centres[-1] * 1.05]
    bands = np.interp(ticks, centres, np.arange(len(centres)))
    axis.set_yticks((bands + 0.5) * height / len(centres) - 0.5, [str(hz) for hz in ticks])
    axis.set_ylabel("frequency (Hz)")
