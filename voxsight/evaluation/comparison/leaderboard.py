"""The results of a comparison of classifiers, as tables and plots."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from voxsight import display
from voxsight.base import files
from voxsight.base.tables import as_text, interval, markdown_table
from voxsight.evaluation.comparison.measurement import ROW
from voxsight.evaluation.comparison.plan import Plan
from voxsight.evaluation.labelled import LabelledPrediction, stored_predictions

FIGURES = ("uar", "accuracy", "precision", "recall", "f1_female", "auc", "ece", "coverage",
           "accuracy_answered")
PLAIN = ("train_s", "fit_s", "inputs_s", "epochs", "best_valid_loss", "test_loss",
         "stopped_early", "ms_per_recording", "timed_recordings", "parameters", "size_bytes",
         "shared_speakers", "origin")  # columns without an interval
ALL_WRONG_COLUMNS = ("path", "speaker", "gender", "corpus", "p_female")
Row = dict[str, Any]  # of the board, as `comparison` stores it
BOARD = "leaderboard.json"  # what the board says beside its rows


def read_rows(out: str | os.PathLike, plan: str) -> list[Row]:
    """Rows of the classifiers that were measured on one plan, best first.

    Parameters
    ----------
    out : str or os.PathLike
        Folder that `comparison.compare` wrote to.
    plan : str
        Digest of the plan. Rows of another plan cannot be compared and are left out.

    Returns
    -------
    list of dict
    """
    rows = [files.read_json(path) for path in sorted(Path(out).glob(f"*/{ROW}"))]
    rows = [row for row in rows if row["plan"] == plan]
    return sorted(rows, key=_merit, reverse=True)


def write_leaderboard(out: str | os.PathLike, plan: Plan, left_out: Mapping[str, str],
                      command: str) -> str:
    """Write the board, its plot, and the plots of each classifier.

    Parameters
    ----------
    out : str or os.PathLike
        Folder that `comparison.compare` wrote to.
    plan : Plan
    left_out : dict of str to str
        Classifiers that could not be used, and why.
    command : str
        The command that was run.

    Returns
    -------
    str
        The board as Markdown.
    """
    out = Path(out)
    rows = read_rows(out, plan.digest)
    about: dict[str, Any] = {
        "command": command, "title": _title(plan), "left_out": dict(left_out),
        "plan": plan.digest}
    files.write_json(out / BOARD, about)
    files.write_csv(out / "leaderboard.csv", list(_csv_row(rows[0])), map(_csv_row, rows))
    board = files.write_text(out / "leaderboard.md", leaderboard_page(about, rows))
    display.save_leaderboard(out / "leaderboard.png", rows, about["title"])
    for row in rows:
        _draw(out / row["classifier"], row)
    files.write_csv(out / "all_wrong.csv", ALL_WRONG_COLUMNS, _all_wrong(out, rows))
    return board


def _merit(row: Row) -> float:
    """What a row is sorted by: a test of one label has no UAR, but an accuracy."""
    uar, accuracy = (row["figures"][name]["value"] for name in ("uar", "accuracy"))
    return accuracy if uar is None else uar


def _draw(folder: Path, row: Row) -> None:
    name = row["classifier"]
    counts = Counter((p.gender, p.label) for p in _predictions(folder))
    display.save_confusion_matrix(folder / "confusion_matrix.png", counts, name)
    if row["history"]:
        display.save_learning_curve(folder / "learning_curve.png", row["history"], name)
    if row["importance"]:
        display.save_importance(folder / "importance.png", row["importance"], name)


def _all_wrong(out: Path, rows: Sequence[Row]) -> Iterator[Row]:
    """Recordings that all classifiers but the naive one get wrong: perhaps labelled wrongly."""
    boards = [_predictions(out / row["classifier"]) for row in rows
              if row["classifier"] != "majority"]
    for predictions in zip(*boards):
        if all(prediction.is_mistake for prediction in predictions):
            first, p_female = predictions[0], [p.p_female or 0.0 for p in predictions]
            yield {"path": first.path, "speaker": first.speaker, "gender": first.gender,
                   "corpus": first.corpus, "p_female": round(sum(p_female) / len(p_female), 4)}


def _predictions(folder: Path) -> list[LabelledPrediction]:
    """Predictions of a classifier for the test side."""
    predictions = stored_predictions(folder / "predictions.csv")
    assert predictions is not None  # `comparison` wrote them
    return predictions


def _csv_row(row: Row) -> Row:
    """A row of the board with a column for each number."""
    result: Row = {"classifier": row["classifier"]}
    for name in FIGURES:
        figure = row["figures"][name]
        result |= {name: figure["value"], f"{name}_low": figure["low"],
                   f"{name}_high": figure["high"]}
    for corpus, figure in row["uar"].items():
        result |= {f"uar {corpus}": figure["value"], f"uar {corpus}_low": figure["low"],
                   f"uar {corpus}_high": figure["high"]}
    return result | {name: row[name] for name in PLAIN}


def leaderboard_page(about: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """The page ``leaderboard.md``: the command and the board.

    Parameters
    ----------
    about : mapping
        Contents of ``leaderboard.json``.
    rows : sequence of dict
        As `read_rows` returns them.

    Returns
    -------
    str
    """
    corpora = list(rows[0]["uar"])
    head = ["classifier", "UAR", "accuracy", "precision", "recall", "F1", "AUC",
            *(f"UAR {corpus}" for corpus in corpora), "answer rate",
            "accuracy of the answers given", "training s, from files", "epochs",
            "best valid loss", "test loss", "stopped early", "ms from file to answer",
            "parameters", "size kB"]
    lines = [f"# {about['title']}", "", "Made with", "", f"    {about['command']}", "",
             _shared(rows),
             "Brackets hold 95 % intervals over speakers; precision, recall and F1 are those of "
             "female, p_female >= 0.5.",
             "Training is the time of fitting, with what decoding and describing the recordings "
             "takes on one core. From file to answer is the mean of "
             f"{rows[0]['timed_recordings']} test recordings on one core, the model loaded "
             "before.", "",
             *markdown_table(head, [_cells(row, corpora) for row in rows])]
    lines += ["", *(f"- `{row['classifier']}`: {row['about']}"
                    + (f", weights of {row['origin']}" if row["origin"] else "")
                    for row in rows), ""]
    lines += [f"Left out: {reason}" for reason in about["left_out"].values()]
    return "\n".join(lines) + "\n"


def _shared(rows: Sequence[Row]) -> str:
    """Whom the classifiers were really trained on and are tested on, in a sentence."""
    by_text: dict[str, list[str]] = {}
    for row in rows:
        by_text.setdefault(row["shared_speakers"], []).append(row["classifier"])
    said = "; ".join(text.capitalize() + (f" ({', '.join(names)})" if len(by_text) > 1 else "")
                     for text, names in by_text.items())
    warning = ("" if all(text.startswith("speakers shared 0 ") for text in by_text) else
               " **These figures do not tell how a classifier does on new voices.**")
    return f"{said} between training and test.{warning}"


def _cells(row: Row, corpora: Sequence[str]) -> list[str]:
    """Cells of a row of the Markdown table."""
    figures = row["figures"]
    stopped_early = "-"
    if row["epochs"]:
        stopped_early = "yes" if row["stopped_early"] else "no"
    return [f"`{row['classifier']}`",
            *(interval(figures[name]) for name in FIGURES[:6]),
            *(interval(row["uar"][corpus]) for corpus in corpora),
            *(interval(figures[name]) for name in ("coverage", "accuracy_answered")),
            as_text(row["train_s"], 1), str(row["epochs"] or "-"),
            as_text(row["best_valid_loss"], 3), as_text(row["test_loss"], 3), stopped_early,
            as_text(row["ms_per_recording"], 2),
            "-" if row["parameters"] is None else f"{row['parameters']:,}",
            as_text(row["size_bytes"] / 1000, 0)]


def _title(plan: Plan) -> str:
    """The split, and how many recordings and speakers are on each side."""
    counts = [f"{len(plan.sides[side])} recordings of "
              f"{len({item.speaker for item in plan.sides[side]})} speakers {verb}"
              for side, verb in (("train", "train"), ("valid", "validate"), ("test", "test"))]
    return f"Split {plan.rule}: " + ", ".join(counts)
