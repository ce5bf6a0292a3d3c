"""Figures of classifiers: their predictions, their confidence, how they learned."""

import os
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from voxsight.base.tables import interval
from voxsight.display.lettering import legible, legible_lines
from voxsight.display.saving import save

PREDICTIONS = ("female", "male", "uncertain", "no_speech")  # in this order, from left to right
_MARKERS = "osDv^P*X"  # one per corpus
_CHARACTERS_PER_INCH = 11  # of a title of medium size; longer titles are wrapped


def save_confusion_matrix(path: str | os.PathLike, counts: Mapping[tuple[str, str], int],
                          title: str) -> None:
    """Draw how often each prediction was made for recordings of each label.

    Parameters
    ----------
    path : str or os.PathLike
        PNG to write.
    counts : mapping of (str, str) to int
        Number of recordings by their label and the prediction.
    title : str
        Title of the figure.
    """
    rows = sorted({label for label, _ in counts})
    columns = [name for name in PREDICTIONS if any(name == prediction for _, prediction in counts)]
    table = np.array([[counts.get((row, column), 0) for column in columns] for row in rows])
    fractions = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(1.8 + 1.1 * len(columns), 1.6 + 0.9 * len(rows)),
                    layout="constrained")
    axis = figure.subplots()
    axis.imshow(fractions, cmap="Blues", vmin=0, vmax=1)
    for (row, column), n in np.ndenumerate(table):
        fraction = fractions[row, column]
        axis.text(column, row, f"{n}\n{fraction:.1%}", ha="center", va="center",
                  color="white" if fraction > 0.6 else "black")
    axis.set_xticks(range(len(columns)), columns)
    axis.set_yticks(range(len(rows)), rows)
    axis.set_xlabel("prediction")
    axis.set_ylabel("label of the recording")
    axis.set_title(_wrapped(title, figure), fontsize="medium")
    save(figure, path)


def save_reliability(path: str | os.PathLike, predicted: np.ndarray, observed: np.ndarray,
                     counts: np.ndarray, ece: Mapping[str, float | None],
                     ends: tuple[np.ndarray, np.ndarray]) -> None:
    """Draw the observed fraction of females against the predicted probability.

    Parameters
    ----------
    path : str or os.PathLike
        PNG to write.
    predicted, observed : np.ndarray [shape=(bins,)]
        Mean probability of female, and fraction of females, in each bin.
    counts : np.ndarray [shape=(bins,), int]
        Recordings in each bin.
    ece : dict
        Expected calibration error: ``value``, ``low`` and ``high``.
    ends : (np.ndarray, np.ndarray)
        Of the 95 % interval of each observed fraction, over speakers.
    """
    figure = Figure(figsize=(5, 4.8), layout="constrained")
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1], color="gray", linestyle=":", label="calibrated")
    low, high = ends
    axis.errorbar(predicted, observed, yerr=(observed - low, high - observed), marker="o",
                  linestyle="", capsize=3,
                  label=f"{len(predicted)} bins of about {int(np.median(counts))} recordings,\n"
                        "95 % intervals over speakers")
    axis.set_xlabel("predicted probability of female")
    axis.set_ylabel("observed fraction of females")
    axis.set_title(f"expected calibration error {interval(ece)}", fontsize="medium")
    axis.set_xlim(-0.02, 1.02)
    axis.set_ylim(-0.02, 1.02)
    axis.legend(loc="upper left", fontsize="small")
    save(figure, path)


def save_roc(path: str | os.PathLike, false_positive_rate: np.ndarray,
             true_positive_rate: np.ndarray, auc: Mapping[str, float | None]) -> None:
    """Draw the receiver operating characteristic.

    Parameters
    ----------
    path : str or os.PathLike
        PNG to write.
    false_positive_rate, true_positive_rate : np.ndarray [shape=(n,)]
        As `voxsight.metrics.figures.roc` returns them.
    auc : dict
        Area under the curve: ``value``, ``low`` and ``high``.
    """
    figure = Figure(figsize=(4.8, 4.8), layout="constrained")
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1], color="gray", linestyle=":")
    axis.plot(false_positive_rate, true_positive_rate, drawstyle="steps-post")
    axis.set_xlabel("males predicted as female")
    axis.set_ylabel("females predicted as female")
    axis.set_title(f"area under the curve {interval(auc)}", fontsize="medium")
    save(figure, path)


def save_leaderboard(path: str | os.PathLike, rows: Sequence[Mapping[str, Any]],
                     title: str) -> None:
    """Draw the unweighted average recall of classifiers, best first, with their intervals.

    Parameters
    ----------
    path : str or os.PathLike
        PNG to write.
    rows : sequence of mapping
        Per classifier: ``classifier``, its name; ``figures``, whose ``uar`` has ``value``,
        ``low`` and ``high``; and ``uar``, the same by corpus.
    title : str
        Title of the figure.
    """
    figure = Figure(figsize=(8, 1.6 + 0.6 * len(rows)), layout="constrained")
    axis = figure.subplots()
    positions = np.arange(len(rows))
    corpora = list(rows[0]["uar"])
    for number, corpus in enumerate(corpora):
        value, low, high = (np.array([row["uar"].get(corpus, {}).get(key) for row in rows], float)
                            for key in ("value", "low", "high"))
        below = 0.15 + 0.25 * number / len(corpora)  # of the line of all recordings
        axis.errorbar(value, positions + below, xerr=(value - low, high - value), markersize=4,
                      fmt=_MARKERS[number % len(_MARKERS)], color=f"C{number + 1}", alpha=0.6,
                      elinewidth=1, label=legible(corpus))
    value, low, high = (np.array([row["figures"]["uar"][key] for row in rows], float)
                        for key in ("value", "low", "high"))
    axis.errorbar(value, positions, xerr=(value - low, high - value), color="black", fmt="|",
                  markersize=14, markeredgewidth=2, capsize=3, label="all recordings")
    axis.axvline(0.5, color="gray", linestyle=":")
    axis.set_yticks(positions, [legible(row["classifier"]) for row in rows])
    axis.set_ylim(len(rows) - 0.5, -0.5)  # the first row on top, and none on the frame
    axis.grid(axis="x", alpha=0.3)
    axis.set_xlabel("unweighted average recall, 95 % interval over speakers")
    axis.set_title(textwrap.fill(legible_lines(title), 95), fontsize="small")
    figure.legend(loc="outside lower center", ncols=3, fontsize="small")
    save(figure, path)


def save_learning_curve(path: str | os.PathLike, history: Sequence[Mapping[str, float]],
                        title: str) -> None:
    """Draw training and validation loss per epoch, and mark the epoch that is kept.

    Parameters
    ----------
    path : str or os.PathLike
        PNG to write.
    history : sequence of mapping
        ``epoch``, ``train_loss`` and ``valid_loss`` of each epoch.
    title : str
        Title of the figure.
    """
    figure = Figure(figsize=(5.5, 3.8), layout="constrained")
    axis = figure.subplots()
    epochs = [row["epoch"] for row in history]
    for side, label in (("train", "training"), ("valid", "validation")):
        axis.plot(epochs, [row[f"{side}_loss"] for row in history], label=label)
    best = min(history, key=lambda row: row["valid_loss"])
    axis.plot(best["epoch"], best["valid_loss"], "o", color="C1", label="best epoch")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_xlabel("epoch")
    axis.set_ylabel("loss")
    axis.set_title(_wrapped(title, figure), fontsize="medium")
    axis.legend()
    save(figure, path)


def save_importance(path: str | os.PathLike, importance: Mapping[str, float], title: str,
                    most: int = 25) -> None:
    """Draw the most important inputs of a classifier as bars.

    Parameters
    ----------
    path : str or os.PathLike
        PNG to write.
    importance : mapping of str to float
        Fraction of the gain by name of the input.
    title : str
        Title of the figure.
    most : int
        Number of inputs drawn.
    """
    strongest = sorted(importance.items(), key=lambda pair: -pair[1])[:most]
    figure = Figure(figsize=(6.5, 1.2 + 0.24 * len(strongest)), layout="constrained")
    axis = figure.subplots()
    positions = range(len(strongest))
    axis.barh(positions, [value for _, value in strongest])
    axis.set_yticks(positions, [legible(name) for name, _ in strongest])
    axis.invert_yaxis()
    axis.set_xlabel("fraction of the gain")
    axis.set_title(legible_lines(title), fontsize="medium")
    save(figure, path)


def save_intervals(path: str | os.PathLike, rows: Sequence[tuple[str, float, float, float]],
                   title: str) -> None:
    """Draw values with their intervals, one below the other.

    Parameters
    ----------
    path : str or os.PathLike
        PNG to write.
    rows : sequence of (str, float, float, float)
        Name, value, low and high of each; at least one row.
    title : str
        Title of the figure.
    """
    names = [legible(name) for name, *_ in rows]
    value, low, high = np.array([numbers for _, *numbers in rows]).T
    figure = Figure(figsize=(7.5, 1.0 + 0.26 * len(rows)), layout="constrained")
    axis = figure.subplots()
    positions = np.arange(len(rows))
    axis.errorbar(value, positions, xerr=np.maximum([value - low, high - value], 0), fmt="o",
                  markersize=4, capsize=3, color="black")
    if low.min() < 0:
        axis.axvline(0, color="gray", linestyle=":")
    axis.set_yticks(positions, names, fontsize="small")
    axis.invert_yaxis()
    axis.grid(axis="x", alpha=0.3)
    axis.set_title(legible_lines(title), fontsize="small")
    save(figure, path)


def _wrapped(title: str, figure: Figure) -> str:
    """A title in lines that fit into the figure; matplotlib would cut it off."""
    return textwrap.fill(legible_lines(title), int(figure.get_figwidth() * _CHARACTERS_PER_INCH))
