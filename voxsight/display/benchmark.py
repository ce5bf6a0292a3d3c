"""Figures that set several models side by side."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from voxsight.base.tables import interval
from voxsight.display.lettering import legible
from voxsight.display.saving import save

_STYLES = ("-", "--", "-.", ":")  # change with every model, since colours alone do not tell all
_IN_A_ROW = 3  # diagrams of reliability


def save_risk_coverage(path: str | os.PathLike, models: Sequence[Mapping[str, Any]]) -> None:
    """Draw the error rate of models against the fraction of recordings that they answer.

    Parameters
    ----------
    path : str or os.PathLike
        PNG to write.
    models : sequence of mapping
        Per model: ``model``, its name; ``risk_coverage``, with the lists ``coverage`` and
        ``risk``; the figures ``coverage`` and ``accuracy_answered``, which may not be defined,
        where the model itself abstains.
    """
    figure = Figure(figsize=(6.5, 4.6), layout="constrained")
    axis = figure.subplots()
    for number, model in enumerate(models):
        curve, colour = model["risk_coverage"], f"C{number % 10}"
        axis.plot(curve["coverage"], curve["risk"], color=colour,
                  linestyle=_STYLES[number % len(_STYLES)], label=legible(model["model"]))
        coverage, accuracy = model["coverage"], model["accuracy_answered"]
        if accuracy["value"] is not None:
            risk = {"value": 1 - accuracy["value"], "low": 1 - accuracy["high"],
                    "high": 1 - accuracy["low"]}
            axis.errorbar(coverage["value"], risk["value"], xerr=_arms(coverage),
                          yerr=_arms(risk), fmt="o", color=colour, elinewidth=1, capsize=2)
    axis.set_xlim(0, 1.02)
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.3)
    axis.set_xlabel("coverage: fraction answered, the most confident first")
    axis.set_ylabel("risk: error rate of what is answered")
    axis.set_title("dots: where the model itself begins to abstain, with 95 % intervals over "
                   "speakers", fontsize="small")
    figure.legend(loc="outside lower center", ncols=2, fontsize="small")
    save(figure, path)


def save_reliabilities(path: str | os.PathLike, models: Sequence[Mapping[str, Any]]) -> None:
    """Draw a reliability diagram for each model.

    Parameters
    ----------
    path : str or os.PathLike
        PNG to write.
    models : sequence of mapping
        Per model: ``model``, its name; ``reliability``, with the lists ``predicted``,
        ``observed``, ``low`` and ``high``, the last two over speakers; ``ece``, whose ``value``
        may be None.
    """
    columns = min(_IN_A_ROW, len(models))
    rows = -(-len(models) // columns)
    figure = Figure(figsize=(0.6 + 3.1 * columns, 0.5 + 3.1 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axis, model in zip(axes.flat, models):
        axis.plot([0, 1], [0, 1], color="gray", linestyle=":")
        predicted, observed, low, high = (np.array(model["reliability"][name], float)
                                          for name in ("predicted", "observed", "low", "high"))
        if len(predicted):
            axis.errorbar(predicted, observed, yerr=np.maximum([observed - low, high - observed],
                                                               0), fmt="o", capsize=3)
        else:
            axis.text(0.5, 0.5, "no probabilities", ha="center", va="center")
        ece = "" if model["ece"]["value"] is None else f"\nECE {interval(model['ece'])}"
        axis.set_title(legible(model["model"], 28) + ece, fontsize="small")
    for axis in axes.flat[len(models):]:
        axis.set_axis_off()
    figure.supxlabel("predicted probability of female; intervals are 95 %, over speakers",
                     fontsize="medium")
    figure.supylabel("observed fraction of females", fontsize="medium")
    save(figure, path)


def _arms(figure: Mapping[str, float]) -> list[list[float]]:
    """Lengths of the interval of a figure on either side, as matplotlib takes them."""
    return [[figure["value"] - figure["low"]], [figure["high"] - figure["value"]]]
