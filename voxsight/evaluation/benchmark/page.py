"""A page that sets the models of a benchmark side by side."""

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from voxsight import display
from voxsight.base import files
from voxsight.base.tables import interval, markdown_table
from voxsight.display.pages import render
from voxsight.evaluation.benchmark import PROTOCOL
from voxsight.evaluation.benchmark.running import PREDICTIONS
from voxsight.evaluation.benchmark.scoring import BY, gain
from voxsight.evaluation.labelled import LabelledPrediction, stored_predictions
from voxsight.metrics.groups import band_order

Result = Mapping[str, Any]  # contents of a model's JSON
TITLES = {"uar": "UAR", "accuracy": "accuracy", "coverage": "answer rate",
          "accuracy_answered": "accuracy of the answers given", "ece": "ECE",
          "brier": "Brier score", "aurc": "AURC", "e_aurc": "E-AURC"}
ANSWERS = ("uar", "accuracy", "coverage", "accuracy_answered")  # the first table
CONFIDENCE = ("ece", "brier", "aurc", "e_aurc")  # the second
OVERALL = ("uar", "coverage", "ece", "aurc")  # of all recordings
IN_GROUPS = {"corpus": ("uar", "coverage")}  # of a table by groups
USUAL_IN_GROUPS = ("accuracy", "coverage")  # where a group may have one label only
GAIN_COLUMNS = ("first", "second", "value", "low", "high")
PICTURES = (("risk_coverage.png", "Error rate of each model against the fraction answered"),
            ("reliability.png", "Observed against predicted fraction of females, by model"))


class Table(NamedTuple):
    """A table of the page, all of it text.

    Attributes
    ----------
    title, note : str
    head : list of str
    rows : list of list of str
    """

    title: str
    note: str
    head: list[str]
    rows: list[list[str]]


def read_results(out: str | os.PathLike, like: Result) -> list[Result]:
    """The models of a folder that can be set side by side, best first.

    Parameters
    ----------
    out : str or os.PathLike
        Folder that `run_benchmark` wrote to.
    like : dict
        One of them. Models with other recordings, another protocol or another seed are left out.

    Returns
    -------
    list of dict
    """
    found = [files.read_json(path) for path in sorted(Path(out).glob("*.json"))]
    shared = [result for result in found if isinstance(result, dict)
              and all(result.get(key) == like[key] for key in ("protocol", "material", "seed"))]
    return sorted(shared, key=_merit, reverse=True)


def write_page(out: str | os.PathLike, results: Sequence[Result]) -> str:
    """Write ``index.html``, ``benchmark.md``, two pictures and ``differences.csv``.

    Parameters
    ----------
    out : str or os.PathLike
        Folder to write to, which also holds the predictions of the models.
    results : list of dict
        As `read_results` returns them; at least one.

    Returns
    -------
    str
        The page as Markdown.
    """
    out = Path(out)
    gains = _gains(out, results)
    files.write_csv(out / "differences.csv", GAIN_COLUMNS, gains)
    display.save_risk_coverage(out / PICTURES[0][0], results)
    display.save_reliabilities(out / PICTURES[1][0], results)
    tables, introduction = list(_tables(results, gains)), _introduction(results)
    files.write_text(out / "index.html", render("benchmark.html.j2", introduction=introduction,
                                                tables=tables, pictures=PICTURES))
    return files.write_text(out / "benchmark.md", _markdown(introduction, tables))


def _merit(result: Result) -> float:
    """What models are sorted by: corpora of one label have no UAR, but an accuracy."""
    uar, accuracy = (result["mean_over_corpora"][name]["value"] for name in ("uar", "accuracy"))
    return accuracy if uar is None else uar


def _gains(out: Path, results: Sequence[Result]) -> list[dict[str, Any]]:
    """Differences between all pairs of models whose predictions are still there."""
    predictions = {result["model"]: _predictions(out, result) for result in results}
    rows = []
    for first, second in itertools.combinations(predictions, 2):
        better, worse = predictions[first], predictions[second]
        if better and worse and [p.path for p in better] == [p.path for p in worse]:
            rows.append({"first": first, "second": second,
                         **gain(worse, better, results[0]["seed"])})
    return rows


def _predictions(out: Path, result: Result) -> list[LabelledPrediction]:
    path = out / result["model"] / PREDICTIONS
    return (stored_predictions(path) or []) if path.is_file() else []


def _introduction(results: Sequence[Result]) -> list[str]:
    commands = dict.fromkeys(result["command"] for result in results)
    models = "1 model" if len(results) == 1 else f"{len(results)} models, best first"
    return [f"{models}, on the same recordings. Protocol {PROTOCOL} (see "
            "docs/benchmark_protocol.md). Brackets hold 95 % intervals over speakers. Means over "
            "corpora give every corpus the same weight.",
            "A recording without an answer counts as wrong. The answer rate is the fraction "
            "labelled female or male. ECE is the expected calibration error, AURC the area under "
            "the risk-coverage curve, and E-AURC its excess over the best order of the same "
            "errors; less is better for these and for the Brier score.",
            f"Made with: {'; '.join(commands)}"]


def _tables(results: Sequence[Result], gains: Sequence[Mapping[str, Any]]) -> Iterator[Table]:
    means = [(result, result["mean_over_corpora"]) for result in results]
    yield _model_table("Means over corpora", "", means, ANSWERS)
    yield _model_table("Calibration and confidence, means over corpora", "", means, CONFIDENCE)
    if gains:
        yield Table("Differences in UAR", "First less second, means over corpora, on the same "
                    "speakers. An interval without 0 tells two models apart.",
                    ["first", "second", "difference"],
                    [[row["first"], row["second"], interval(row)] for row in gains])
    yield _model_table("All recordings", "Every recording has the same weight.",
                       [(result, result) for result in results], OVERALL)
    for group in BY:
        yield _group_table(results, group)
    yield Table("Corpora", "", ["corpus", "recordings", "speakers", "female", "male",
                                "left out", "SHA-256"],
                [[name, *(str(corpus[key]) for key in ("n", "n_speakers", "female", "male",
                                                       "unreadable")), corpus["sha256"][:12]]
                 for name, corpus in results[0]["corpora"].items()])
    yield Table("Models", "", ["model", "without an answer", "training", "source"],
                [[result["model"], f"{result['without_answer']} of {result['n']}",
                  result["speakers"], result["source"]] for result in results])


def _model_table(title: str, note: str, rows: Sequence[tuple[Result, Mapping[str, Any]]],
                 names: Sequence[str]) -> Table:
    """Some figures of each model, which are given beside it."""
    return Table(title, note, ["model", *map(TITLES.__getitem__, names)],
                 [[result["model"], *(interval(figures[name]) for name in names)]
                  for result, figures in rows])


def _group_table(results: Sequence[Result], group: str) -> Table:
    """Figures by the values of a group, of one model below the other."""
    names = IN_GROUPS.get(group, USUAL_IN_GROUPS)
    by_model = {result["model"]: {row["value"]: row for row in result["by"][group]}
                for result in results}
    rows = []
    for value in sorted(next(iter(by_model.values())), key=band_order):
        for number, (model, groups) in enumerate(by_model.items()):
            row = groups[value]
            about = ["", "", ""] if number else [value, str(row["n"]), str(row["n_speakers"])]
            rows.append([*about, model, *(interval(row[name]) for name in names)])
    return Table(f"By {group}", "", [group, "recordings", "speakers", "model",
                                     *map(TITLES.__getitem__, names)], rows)


def _markdown(introduction: Sequence[str], tables: Sequence[Table]) -> str:
    lines = ["# Benchmark", ""]
    for paragraph in introduction:
        lines += [paragraph, ""]
    for table in tables:
        lines += [f"## {table.title}", "", *([table.note, ""] if table.note else []),
                  *markdown_table(table.head, table.rows), ""]
    return "\n".join(lines)
