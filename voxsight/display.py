"""Pictures for people; the only module that imports matplotlib."""

import textwrap
from itertools import zip_longest

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from voxsight import files, mfc

TICKS_HZ = (100, 250, 500, 1000, 2000, 4000, 8000, 16000)
ANSWERS = ("female", "male", "uncertain", "no_speech")
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
    _save(figure, path)


def save_confusion_matrix(path, counts, title):
    """Draw how often each label was answered with each.

    Parameters
    ----------
    path : str or os.PathLike
        PNG to write
    counts : dict of (str, str) to int
        by the label of the recording and the answer
    title : str
    """
    rows = sorted({label for label, _ in counts})
    columns = [name for name in ANSWERS if any(answer == name for _, answer in counts)]
    table = np.array([[counts.get((row, column), 0) for column in columns] for row in rows])
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(1.8 + 1.1 * len(columns), 1.6 + 0.9 * len(rows)),
                    layout="constrained")
    axis = figure.subplots()
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), n in np.ndenumerate(table):
        share = shares[row, column]
        axis.text(column, row, f"{n}\n{share:.1%}", ha="center", va="center",
                  color="white" if share > 0.6 else "black")
    axis.set_xticks(range(len(columns)), columns)
    axis.set_yticks(range(len(rows)), rows)
    axis.set_xlabel("answer")
    axis.set_ylabel("label of the recording")
    axis.set_title(title, fontsize="medium")
    _save(figure, path)


def save_reliability(path, said, found, counts, ece):
    """Draw the share of females found against the probability said.

    Parameters
    ----------
    path : str or os.PathLike
        PNG to write
    said, found : np.ndarray [shape=(bins,)]
    counts : np.ndarray of int [shape=(bins,)]
    ece : float
        expected calibration error
    """
    figure = Figure(figsize=(5, 4.8), layout="constrained")
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1], color="gray", linestyle=":", label="calibrated")
    low, high = _wilson(found, counts)
    axis.errorbar(said, found, yerr=(found - low, high - found), marker="o", linestyle="",
                  capsize=3, label=f"{len(said)} bins of about {int(np.median(counts))} recordings")
    axis.set_xlabel("probability of female, said")
    axis.set_ylabel("share of females, found")
    axis.set_title(f"expected calibration error {ece:.3f}", fontsize="medium")
    axis.set_xlim(-0.02, 1.02)
    axis.set_ylim(-0.02, 1.02)
    axis.legend(loc="upper left", fontsize="small")
    _save(figure, path)


def save_roc(path, false_positive_rate, true_positive_rate, auc):
    """Draw the receiver operating characteristic as PNG; arguments as `evaluation.roc`'s."""
    figure = Figure(figsize=(4.8, 4.8), layout="constrained")
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1], color="gray", linestyle=":")
    axis.plot(false_positive_rate, true_positive_rate, drawstyle="steps-post")
    axis.set_xlabel("males called female")
    axis.set_ylabel("females called female")
    axis.set_title(f"area under the curve {auc:.4f}", fontsize="medium")
    _save(figure, path)


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
    _save(figure, path)


def save_leaderboard(path, rows, title):
    """Draw the unweighted average recall of classifiers, best first, with their intervals.

    Parameters
    ----------
    path : str or os.PathLike
        PNG to write
    rows : list of dict
        ``classifier``, ``figures`` and ``uar`` per corpus, as `comparison` stores them
    title : str
    """
    figure = Figure(figsize=(8, 1.6 + 0.42 * len(rows)), layout="constrained")
    axis = figure.subplots()
    places = np.arange(len(rows))
    values, low, high = (np.array([row["figures"]["uar"][key] for row in rows])
                         for key in ("value", "low", "high"))
    for number, corpus in enumerate(rows[0]["uar"]):
        own = [row["uar"].get(corpus, {}).get("value") for row in rows]
        axis.scatter([np.nan if value is None else value for value in own], places, s=22,
                     marker="osDv^P*X"[number % 8], color=f"C{number + 1}", alpha=0.6,
                     label=corpus)
    axis.errorbar(values, places, xerr=(values - low, high - values), color="black",
                  fmt="|", markersize=14, markeredgewidth=2, capsize=3, label="all together")
    axis.axvline(0.5, color="gray", linestyle=":")
    axis.set_yticks(places, [row["classifier"] for row in rows])
    axis.invert_yaxis()
    axis.grid(axis="x", alpha=0.3)
    axis.set_xlabel("unweighted average recall, 95 % interval over speakers")
    axis.set_title(textwrap.fill(title, 95), fontsize="small")
    figure.legend(loc="outside lower center", ncols=3, fontsize="small")
    _save(figure, path)


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
    _save(figure, path)


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
    _save(figure, path)


def save_intervals(path, rows, title):
    """Draw values with their intervals; `rows` hold name, value, low and high."""
    names, *numbers = zip(*rows)
    value, low, high = map(np.array, numbers)
    figure = Figure(figsize=(7.5, 1.0 + 0.26 * len(rows)), layout="constrained")
    axis = figure.subplots()
    places = np.arange(len(rows))
    axis.errorbar(value, places, xerr=np.maximum([value - low, high - value], 0), fmt="o",
                  markersize=4, capsize=3, color="black")
    if low.min() < 0:
        axis.axvline(0, color="gray", linestyle=":")
    axis.set_yticks(places, names, fontsize="small")
    axis.invert_yaxis()
    axis.grid(axis="x", alpha=0.3)
    axis.set_title(title, fontsize="small")
    _save(figure, path)


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
    _save(figure, path)


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
    _save(figure, path)


def save_learning_curve(path, history, title):
    """Draw training and validation loss per epoch; `history` as `Classifier.fit` gives it."""
    figure = Figure(figsize=(5.5, 3.8), layout="constrained")
    axis = figure.subplots()
    epochs = [row["epoch"] for row in history]
    for side in ("train", "valid"):
        axis.plot(epochs, [row[f"{side}_loss"] for row in history], label=side)
    best = min(history, key=lambda row: row["valid_loss"])
    axis.plot(best["epoch"], best["valid_loss"], "o", color="C1", label="kept")
    axis.set_xlabel("epoch")
    axis.set_ylabel("loss")
    axis.set_title(title, fontsize="medium")
    axis.legend()
    _save(figure, path)


def save_importance(path, importance, title, most=25):
    """Draw the inputs that count most, by name, as bars."""
    shown = sorted(importance.items(), key=lambda pair: -pair[1])[:most]
    figure = Figure(figsize=(6.5, 1.2 + 0.24 * len(shown)), layout="constrained")
    axis = figure.subplots()
    axis.barh([name for name, _ in shown], [value for _, value in shown])
    axis.invert_yaxis()
    axis.set_xlabel("share of the gain")
    axis.set_title(title, fontsize="medium")
    _save(figure, path)


def _wilson(shares, counts, z=1.96):
    """Bounds of 95 % for shares of counts (Wilson, 1927); they stay within 0 and 1."""
    centre = (shares + z**2 / (2 * counts)) / (1 + z**2 / counts)
    reach = z * np.sqrt(shares * (1 - shares) / counts + (z / (2 * counts)) ** 2)
    reach /= 1 + z**2 / counts
    return np.minimum(centre - reach, shares), np.maximum(centre + reach, shares)


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


def _save(figure, path):
    with files.replacing(path) as temporary:
        FigureCanvasAgg(figure).print_figure(temporary, dpi=110, format="png")
