"""An assessment as a folder: figures, tables, plots, a card and the mistakes to listen to."""

import dataclasses
import html
import os
from collections import Counter
from pathlib import Path

import numpy as np

from voxsight import display, files
from voxsight.assessment import (
    COLUMNS,
    group_figures,
    leak_report,
    mistake_name,
    overall_figures,
)
from voxsight.evaluation import reliability, roc

CARD_FIGURES = ("uar", "accuracy", "recall", "recall_male", "auc", "ece", "brier", "coverage",
                "accuracy_answered")
WORST = 200  # mistakes on the page


def write_report(answers, out, config, *, model, command, by, base):
    """Write the results of an assessment.

    Parameters
    ----------
    answers : list of assessment.Answer
    out : str or os.PathLike
        folder to write
    config : checkpoint.ModelConfig
        of the model assessed
    model : str
        its name
    command : str
        what was run, to stand beside the figures
    by : list of str
        groups, keys of `assessment.GROUPS`
    base : str or os.PathLike
        paths in the tables are relative to it

    Returns
    -------
    dict
        the contents of ``metrics.json``
    """
    out = Path(out)
    groups = group_figures(answers, by)
    metrics = {"command": command, "model": model, "speakers": leak_report(answers, config),
               "failed": sum(answer.p_female is None for answer in answers),
               **overall_figures(answers)}
    files.write_json(out / "metrics.json", metrics)
    files.write_csv(out / "by_group.csv", list(groups[0]) if groups else ["group"], groups)
    _write_answers(out / "predictions.csv", answers, base)
    mistakes = sorted((a for a in answers if a.is_mistake), key=lambda a: -a.wrongness)
    _write_answers(out / "mistakes.csv", mistakes, base)
    _draw_plots(out, answers, metrics)
    card = Card(metrics, groups, config)
    files.write_bytes(out / "card.md", card.markdown().encode())
    files.write_bytes(out / "card.html", card.html().encode())
    write_mistakes_page(out / "mistakes", mistakes)
    return metrics


class Card:
    """The figures of an assessment, fit to be pasted into a report."""

    def __init__(self, metrics, groups, config):
        self._metrics, self._groups, self._shipped = metrics, groups, config.figures

    @property
    def tables(self):
        """Title, head and rows of each table, all text."""
        rows = []
        for name in CARD_FIGURES:
            if name in self._metrics:
                shipped = self._shipped.get(name)
                rows.append([name, interval(self._metrics[name]),
                             interval(shipped) if shipped else "-"])
        yield ("Your data against the model's own held-out speakers",
               ["figure", "your data", "held-out speakers"], rows)
        for group in dict.fromkeys(row["group"] for row in self._groups):
            yield (f"By {group}", ["", "recordings", "speakers", "accuracy", "answered",
                                   "right where answered"],
                   [_group_row(row) for row in self._groups if row["group"] == group])

    @property
    def introduction(self):
        """What was measured, a line each."""
        m = self._metrics
        return [f"Model {m['model']}, {m['n']} recordings of {m['n_speakers']} speakers; "
                f"{m['failed']} could not be read. {m['speakers'].capitalize()}.",
                "Brackets hold 95 % intervals, bootstrapped over speakers. uar is the mean "
                "recall of the two labels; ece the expected calibration error over 15 bins of "
                "equal mass; coverage the share answered female or male.",
                f"Made with: {m['command']}"]

    def markdown(self):
        """The card as Markdown."""
        lines = ["# Assessment", ""]
        for line in self.introduction:
            lines += [line, ""]
        for title, head, rows in self.tables:
            lines += [f"## {title}", "", *markdown_table(head, rows), ""]
        return "\n".join(lines)

    def html(self):
        """The card as a page."""
        body = [f"<p>{html.escape(line)}</p>" for line in self.introduction]
        for title, head, rows in self.tables:
            body += [f"<h2>{html.escape(title)}</h2>", html_table(head, rows)]
        return page("Assessment", "\n".join(body))


def write_mistakes_page(folder, mistakes):
    """A page on which mistakes, worst first, are heard beside picture and heat map.

    Parameters
    ----------
    folder : str or os.PathLike
        folder that holds the copies
    mistakes : list of assessment.Answer
        worst first
    """
    parts = [_mistake_section(Path(folder), answer) for answer in mistakes[:WORST]]
    note = f"{len(mistakes)} mistakes, worst first"
    if len(mistakes) > WORST:
        note += f"; the first {WORST} are shown, mistakes.csv lists all"
    content = page("Mistakes", f"<p>{note}.</p>" + "\n".join(parts))
    files.write_bytes(Path(folder) / "index.html", content.encode())


def _mistake_section(folder, answer):
    """One mistake: what was said of it, its sound and its picture, where there are any."""
    copy, name = mistake_name(answer), Path(answer.path).name
    heading = (f"{name}: labelled {answer.gender}, p(female) {answer.p_female:.3f}, answered "
               f"{answer.label}, speaker {answer.speaker}")
    parts = [f"<section><h2>{html.escape(heading)}</h2>"]
    sound = f"{copy}{Path(answer.path).suffix}"
    if (folder / sound).is_file():
        parts.append(f'<audio controls preload="none" src="{html.escape(sound)}"></audio>')
    for picture in (f"{copy}.png", f"{copy}.jpg"):
        if (folder / picture).is_file():
            parts.append(f'<img src="{html.escape(picture)}" loading="lazy" '
                         f'alt="picture of {html.escape(name)}">')
    return "".join([*parts, "</section>"])


def page(title, body):
    """A whole HTML page that needs nothing else."""
    return (f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            f'<meta name="viewport" content="width=device-width"><title>{title}</title><style>'
            "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;"
            "padding:0 1rem;color-scheme:light dark}table{border-collapse:collapse}"
            "td,th{padding:.2rem .8rem;text-align:left;border-bottom:1px solid #8884}"
            "img{max-width:100%}h2{font-size:1.1rem;overflow-wrap:anywhere}"
            f"</style></head><body><h1>{title}</h1>\n{body}\n</body></html>\n")


def html_table(head, rows):
    """An HTML table of text."""
    def line(cells, tag):
        return "<tr>" + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in cells) + "</tr>"

    return "<table>" + line(head, "th") + "".join(line(row, "td") for row in rows) + "</table>"


def interval(figure):
    """A figure with its interval in brackets."""
    if figure["value"] is None:
        return "-"
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"


def _group_row(row):
    def figure(name):
        return interval({"value": row[name], "low": row[f"{name}_low"],
                         "high": row[f"{name}_high"]})

    return [row["value"], str(row["n"]), str(row["n_speakers"]), figure("accuracy"),
            figure("coverage"), figure("accuracy_answered")]


def markdown_table(head, rows):
    """Lines of a Markdown table of text."""
    return [*map(_markdown_row, (head, ["---"] * len(head), *rows))]


def _markdown_row(cells):
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _write_answers(path, answers, base):
    rows = []
    for answer in answers:
        row = dataclasses.asdict(answer)
        row["path"] = os.path.relpath(answer.path, base).replace(os.sep, "/")
        rows.append({key: _rounded(value) for key, value in row.items()})
    files.write_csv(path, COLUMNS, rows)


def _rounded(value):
    return round(value, 6) if isinstance(value, float) else "" if value is None else value


def _draw_plots(out, answers, metrics):
    read = [answer for answer in answers if answer.p_female is not None]
    is_female = np.array([answer.gender == "female" for answer in read], bool)
    p_female = np.array([answer.p_female for answer in read], float)
    display.save_confusion_matrix(out / "confusion_matrix.png",
                                  Counter((answer.gender, answer.label) for answer in read),
                                  metrics["model"])
    display.save_reliability(out / "reliability.png", *reliability(is_female, p_female),
                             metrics["ece"]["value"])
    if metrics["auc"]["value"] is not None:
        display.save_roc(out / "roc.png", *roc(is_female, p_female), metrics["auc"]["value"])
