"""Writes an assessment to a folder: figures, tables, plots, a card and a page of mistakes."""

import dataclasses
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from voxsight import display
from voxsight.base import files
from voxsight.base.tables import interval, markdown_table
from voxsight.display.pages import render
from voxsight.errors import UsageError
from voxsight.evaluation.grouping import group_figures, leak_report, overall_figures
from voxsight.evaluation.labelled import COLUMNS, LabelledPrediction
from voxsight.evaluation.mistakes import mistake_names
from voxsight.metrics.figures import reliability, reliability_interval, roc
from voxsight.network.folder import ClassifierConfig, ModelConfig

CARD_FIGURES = ("uar", "accuracy", "recall", "recall_male", "auc", "ece", "ece_debiased", "brier",
                "coverage", "accuracy_answered")
WORST = 200  # mistakes on the page; more would make it slow


def write_report(predictions: Sequence[LabelledPrediction], out: str | os.PathLike,
                 config: ModelConfig | ClassifierConfig, *, model: str, command: str,
                 by: Sequence[str], base: str | os.PathLike,
                 left_out: int = 0) -> dict[str, Any]:
    """Write the results of an assessment.

    Parameters
    ----------
    predictions : list of LabelledPrediction
    out : str or os.PathLike
        Folder to write to.
    config : ModelConfig or ClassifierConfig
        Of the assessed model.
    model : str
        Name of the model.
    command : str
        The command that was run; it is written beside the figures.
    by : list of str
        Groups, keys of `GROUPS`.
    base : str or os.PathLike
        Paths in the tables are relative to this folder.
    left_out : int
        Pictures that were not assessed, since they are altered or have no label.

    Returns
    -------
    dict
        The contents of ``metrics.json``.

    Raises
    ------
    UsageError
        If no recording has a probability.
    """
    if all(prediction.p_female is None for prediction in predictions):
        raise UsageError(f"{base}: found no recording that could be answered, expected some; "
                         "check their paths, or name others")
    out = Path(out)
    groups = group_figures(predictions, by)
    metrics = {"command": command, "model": model, "speakers": leak_report(predictions, config),
               "failed": sum(prediction.p_female is None and not prediction.missing
                             for prediction in predictions),
               "incomplete": sum(prediction.p_female is None and bool(prediction.missing)
                                 for prediction in predictions),
               "left_out": left_out, **overall_figures(predictions)}
    files.write_json(out / "metrics.json", metrics)
    files.write_csv(out / "by_group.csv", list(groups[0]) if groups else ["group"], groups)
    _write_predictions(out / "predictions.csv", predictions, base)
    mistakes = sorted((prediction for prediction in predictions if prediction.is_mistake),
                      key=lambda mistake: -mistake.wrongness)
    _write_predictions(out / "mistakes.csv", mistakes, base)
    _draw_plots(out, predictions, metrics)
    card = Card(metrics, groups, config)
    files.write_text(out / "card.md", card.markdown())
    files.write_text(out / "card.html", card.html())
    names = mistake_names((p.path, p.speaker, p.gender) for p in predictions)
    write_mistakes_page(out / "mistakes", mistakes, names)
    return metrics


class Table(NamedTuple):
    """A table of a card, all of it text.

    Attributes
    ----------
    title : str
    head : list of str
    rows : list of list of str
    """

    title: str
    head: list[str]
    rows: list[list[str]]


class Card:
    """The figures of an assessment, to be pasted into a report.

    Parameters
    ----------
    metrics : dict
        Contents of ``metrics.json``.
    groups : list of dict
        As `group_figures` returns them.
    config : ModelConfig or ClassifierConfig
        Of the assessed model; holds the figures of its own held-out speakers.
    """

    def __init__(self, metrics: Mapping[str, Any], groups: Sequence[Mapping[str, Any]],
                 config: ModelConfig | ClassifierConfig) -> None:
        self._metrics, self._groups, self._held_out = metrics, groups, config.figures

    @property
    def tables(self) -> Iterator[Table]:
        """The tables, overall figures first."""
        rows = []
        for name in CARD_FIGURES:
            if name in self._metrics:
                held_out = self._held_out.get(name)
                rows.append([name, interval(self._metrics[name]),
                             interval(held_out) if held_out else "-"])
        yield Table("Beside the speakers held out in training",
                    ["figure", "these recordings", "held-out speakers"], rows)
        for group in dict.fromkeys(row["group"] for row in self._groups):
            yield Table(f"By {group}", ["", "recordings", "speakers", "accuracy", "answer rate",
                                        "accuracy of the answers given"],
                        [_group_row(row) for row in self._groups if row["group"] == group])

    @property
    def introduction(self) -> list[str]:
        """What was measured, as paragraphs."""
        m = self._metrics
        unread = f"{m['failed']} could not be read"
        if m["incomplete"]:
            unread += f", {m['incomplete']} lack more than a tenth and were left out"
        if m["left_out"]:
            unread += (f", {m['left_out']} pictures were left out, since they are altered copies "
                       "or have no label")
        return [f"Model {m['model']}, {m['n']} recordings of {m['n_speakers']} speakers; "
                f"{unread}. {m['speakers'].capitalize()}.",
                "Brackets hold 95 % intervals, bootstrapped over speakers. uar is the mean "
                "recall of the two labels; ece the expected calibration error over 15 bins of "
                "equal mass, which chance alone makes greater than 0; ece_debiased the root of "
                "the mean squared error over the same bins without what chance adds; coverage the "
                "answer rate, the fraction answered female or male.",
                f"Made with: {m['command']}"]

    def markdown(self) -> str:
        """The card as Markdown."""
        lines = ["# Assessment", ""]
        for paragraph in self.introduction:
            lines += [paragraph, ""]
        for table in self.tables:
            lines += [f"## {table.title}", "", *markdown_table(table.head, table.rows), ""]
        return "\n".join(lines)

    def html(self) -> str:
        """The card as a page."""
        return render("card.html.j2", introduction=self.introduction, tables=list(self.tables))


def write_mistakes_page(folder: str | os.PathLike, mistakes: Sequence[LabelledPrediction],
                        names: Mapping[str, str]) -> None:
    """Write a page that plays each mistake, beside its picture and its heat map.

    Parameters
    ----------
    folder : str or os.PathLike
        Folder that holds the copies of the mistakes.
    mistakes : list of LabelledPrediction
        Worst first.
    names : mapping
        Names of the copies by path, as `mistake_names` returns them.
    """
    note = f"{len(mistakes)} mistakes, worst first"
    if len(mistakes) > WORST:
        note += f"; the first {WORST} are shown, mistakes.csv lists all"
    content = render("mistakes.html.j2", note=f"{note}.",
                     mistakes=[_on_page(mistake, Path(folder), names[mistake.path])
                               for mistake in mistakes[:WORST]])
    files.write_text(Path(folder) / "index.html", content)


def _on_page(mistake: LabelledPrediction, folder: Path, copy: str) -> dict[str, Any]:
    """What the page shows of a mistake; sound and pictures only if they were copied."""
    name = Path(mistake.path).name
    heading = (f"{name}: labelled {mistake.gender}, p(female) {mistake.p_female:.3f}, answered "
               f"{mistake.label}, speaker {mistake.speaker}")
    sound = f"{copy}{Path(mistake.path).suffix}"
    pictures = [f"{copy}{ending}" for ending in (".png", ".jpg")]
    return {"heading": heading, "name": name,
            "sound": sound if (folder / sound).is_file() else None,
            "pictures": [picture for picture in pictures if (folder / picture).is_file()]}


def _group_row(row: Mapping[str, Any]) -> list[str]:
    def figure(name: str) -> str:
        return interval({"value": row[name], "low": row[f"{name}_low"],
                         "high": row[f"{name}_high"]})

    return [row["value"], str(row["n"]), str(row["n_speakers"]), figure("accuracy"),
            figure("coverage"), figure("accuracy_answered")]


def _write_predictions(path: Path, predictions: Sequence[LabelledPrediction],
                       base: str | os.PathLike) -> None:
    rows = []
    for prediction in predictions:
        row = dataclasses.asdict(prediction)
        row["path"] = os.path.relpath(prediction.path, base).replace(os.sep, "/")
        rows.append({key: _rounded(value) for key, value in row.items()})
    files.write_csv(path, COLUMNS, rows)


def _rounded(value: str | float | None) -> str | float:
    if value is None:
        return ""
    return round(value, 6) if isinstance(value, float) else value


def _draw_plots(out: Path, predictions: Sequence[LabelledPrediction],
                metrics: Mapping[str, Any]) -> None:
    known = [prediction for prediction in predictions if prediction.p_female is not None]
    is_female = np.array([prediction.gender == "female" for prediction in known], bool)
    p_female = np.array([prediction.p_female for prediction in known], float)
    counts = Counter((prediction.gender, prediction.label) for prediction in known)
    display.save_confusion_matrix(out / "confusion_matrix.png", counts, metrics["model"])
    intervals = reliability_interval(is_female, p_female, [p.speaker for p in known])
    display.save_reliability(out / "reliability.png", *reliability(is_female, p_female),
                             metrics["ece"], intervals)
    if metrics["auc"]["value"] is not None:
        display.save_roc(out / "roc.png", *roc(is_female, p_female), metrics["auc"])
