"""What a comparison found, as tables and pictures."""

from collections import Counter
from pathlib import Path

from voxsight import display, files
from voxsight.assessment import stored_answers
from voxsight.comparison import ROW
from voxsight.report import interval, markdown_table

FIGURES = ("uar", "accuracy", "precision", "recall", "f1_female", "auc", "ece", "coverage",
           "accuracy_answered")
PLAIN = ("train_s", "epochs", "best_valid_loss", "test_loss", "stopped_early",
         "ms_per_recording", "parameters", "size_bytes")


def read_rows(out, plan):
    """Rows of the classifiers measured on one plan, best first.

    Parameters
    ----------
    out : str or os.PathLike
        folder that `comparison.compare` wrote to
    plan : str
        digest of the plan; rows of another are not comparable and left out

    Returns
    -------
    list of dict
    """
    rows = [files.read_json(path) for path in sorted(Path(out).glob(f"*/{ROW}"))]
    rows = [row for row in rows if row["plan"] == plan]
    return sorted(rows, key=lambda row: -row["figures"]["uar"]["value"])


def write_leaderboard(out, plan, left_out, command):
    """Write the board, its picture, and per classifier its own pictures.

    Parameters
    ----------
    out : str or os.PathLike
    plan : comparison.Plan
    left_out : dict of str to str
        classifiers that could not be had, and why
    command : str

    Returns
    -------
    str
        the board as Markdown
    """
    out = Path(out)
    rows = read_rows(out, plan.digest)
    files.write_csv(out / "leaderboard.csv", list(_flat(rows[0])), map(_flat, rows))
    board = _markdown(rows, plan, left_out, command)
    files.write_bytes(out / "leaderboard.md", board.encode())
    display.save_leaderboard(out / "leaderboard.png", rows, _sides(plan))
    for row in rows:
        _draw(out / row["classifier"], row)
    files.write_csv(out / "all_wrong.csv", ("path", "speaker", "gender", "corpus", "p_female"),
                    _all_wrong(out, rows))
    return board


def _draw(folder, row):
    name = row["classifier"]
    counts = Counter((a.gender, a.label) for a in stored_answers(folder / "predictions.csv"))
    display.save_confusion_matrix(folder / "confusion_matrix.png", counts, name)
    if row["history"]:
        display.save_learning_curve(folder / "learning_curve.png", row["history"], name)
    if row["importance"]:
        display.save_importance(folder / "importance.png", row["importance"], name)


def _all_wrong(out, rows):
    """Recordings that no classifier but the naive one gets right: perhaps labelled wrongly."""
    answers = [stored_answers(out / row["classifier"] / "predictions.csv") for row in rows
               if row["classifier"] != "majority"]
    for same in zip(*answers):
        if all(answer.is_mistake for answer in same):
            first = same[0]
            yield {"path": first.path, "speaker": first.speaker, "gender": first.gender,
                   "corpus": first.corpus,
                   "p_female": round(sum(a.p_female for a in same) / len(same), 4)}


def _flat(row):
    flat = {"classifier": row["classifier"]}
    for name in FIGURES:
        figure = row["figures"][name]
        flat |= {name: figure["value"], f"{name}_low": figure["low"],
                 f"{name}_high": figure["high"]}
    for corpus, figure in row["uar"].items():
        flat[f"uar {corpus}"] = figure["value"]
    return flat | {name: row[name] for name in PLAIN}


def _markdown(rows, plan, left_out, command):
    corpora = list(rows[0]["uar"])
    head = ["classifier", "UAR", "accuracy", "precision", "recall", "F1", "AUC",
            *(f"UAR {corpus}" for corpus in corpora), "answered", "right there", "training s",
            "epochs", "best valid loss", "test loss", "stopped early", "ms per recording",
            "parameters", "size kB"]
    lines = [f"# {_sides(plan)}", "", "Made with", "", f"    {command}", "",
             f"{plan.shared_speakers.capitalize()} between training and test."
             + ("" if plan.shared_speakers.startswith("speakers shared 0 ") else
                " **These figures do not tell how a classifier does on new voices.**"),
             "Brackets hold 95 % intervals over speakers; precision, recall and F1 are those of "
             "female, p_female >= 0.5.", "",
             *markdown_table(head, [_cells(row, corpora) for row in rows])]
    lines += ["", *(f"- `{row['classifier']}`: {row['about']}" for row in rows), ""]
    lines += [f"Left out: {why}" for why in left_out.values()]
    return "\n".join(lines) + "\n"


def _cells(row, corpora):
    figures = row["figures"]

    def plain(value, digits=3):
        return "-" if value is None else f"{value:.{digits}f}"

    return [f"`{row['classifier']}`",
            *(interval(figures[name]) for name in FIGURES[:6]),
            *(plain(row["uar"][corpus]["value"]) for corpus in corpora),
            plain(figures["coverage"]["value"]), plain(figures["accuracy_answered"]["value"]),
            plain(row["train_s"], 1), str(row["epochs"] or "-"), plain(row["best_valid_loss"]),
            plain(row["test_loss"]), ("yes" if row["stopped_early"] else "no")
            if row["epochs"] else "-", plain(row["ms_per_recording"], 2),
            "-" if row["parameters"] is None else f"{row['parameters']:,}",
            plain(row["size_bytes"] / 1000, 0)]


def _sides(plan):
    counts = [f"{len(plan.sides[side])} recordings of "
              f"{len({item.speaker for item in plan.sides[side]})} speakers {verb}"
              for side, verb in (("train", "train"), ("valid", "validate"), ("test", "test"))]
    return f"Split {plan.rule}: " + ", ".join(counts)
