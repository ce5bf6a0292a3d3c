"""Figures of classifiers: what was answered, how surely, how it was learnt."""

import textwrap

import numpy as np
from matplotlib.figure import Figure

from voxsight.display.saving import save

ANSWERS = ("female", "male", "uncertain", "no_speech")


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
    save(figure, path)


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
    save(figure, path)


def save_roc(path, false_positive_rate, true_positive_rate, auc):
    """Draw the receiver operating characteristic as PNG; arguments as `evaluation.roc`'s."""
    figure = Figure(figsize=(4.8, 4.8), layout="constrained")
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1], color="gray", linestyle=":")
    axis.plot(false_positive_rate, true_positive_rate, drawstyle="steps-post")
    axis.set_xlabel("males called female")
    axis.set_ylabel("females called female")
    axis.set_title(f"area under the curve {auc:.4f}", fontsize="medium")
    save(figure, path)


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
    save(figure, path)


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
    save(figure, path)


def save_importance(path, importance, title, most=25):
    """Draw the inputs that count most, by name, as bars."""
    shown = sorted(importance.items(), key=lambda pair: -pair[1])[:most]
    figure = Figure(figsize=(6.5, 1.2 + 0.24 * len(shown)), layout="constrained")
    axis = figure.subplots()
    axis.barh([name for name, _ in shown], [value for _, value in shown])
    axis.invert_yaxis()
    axis.set_xlabel("share of the gain")
    axis.set_title(title, fontsize="medium")
    save(figure, path)


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
    save(figure, path)


def _wilson(shares, counts, z=1.96):
    """Bounds of 95 % for shares of counts (Wilson, 1927); they stay within 0 and 1."""
    centre = (shares + z**2 / (2 * counts)) / (1 + z**2 / counts)
    reach = z * np.sqrt(shares * (1 - shares) / counts + (z / (2 * counts)) ** 2)
    reach /= 1 + z**2 / counts
    return np.minimum(centre - reach, shares), np.maximum(centre + reach, shares)
