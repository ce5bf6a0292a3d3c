"""The AudioMNIST table as a page; apart from its training, so that it loads no torch."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voxsight.base import files
from voxsight.base.tables import as_text, markdown_table

FIGURES = ("accuracy", "error_rate", "uar", "f1_female", "auc")

_PAGE = """\
# AudioMNIST

Made with

{commands}

Forced decisions, all seeds pooled; brackets hold 95 % intervals, bootstrapped over speakers.

{table}
The random split puts other repetitions of the same words by the same people on both sides, so a
network may recognise who speaks and recall the label; it does not tell how a model does on new
voices. The other splits test people who were never trained on, and that is what a user's voice is.
Batch size and learning rate of the random split were chosen after looking at its own validation
pictures of seed 42, so its error is a little kind. Those of the paper's folds, and the random gain
and offset per coefficient that they train with, were chosen on the folds' validation speakers only,
and the six folds use the same.

About 80 % of the 60 speakers are male, so always answering male is right in 80 % of the recordings
of the first and the last row: read `uar`, the mean recall of the two labels, beside the accuracy.
The paper's folds hold as many of each. Published on the random split:
an error rate of 1.07 % and an F1 of 0.973, with ImageNet weights. Published on the paper's four
folds (Becker et al., 2018), with spectrograms of the waveforms: an accuracy of 0.9587 +/- 0.0285.
"""
_CLASS_MEANS = """
## Where the network of the random split looks

![Mean heat maps of females and males](class_means.png)

Mean Grad-CAM over the validation pictures of each label. A row of these pictures is a cepstral
coefficient, a quefrency, and not a frequency: a bright row does not say which frequencies matter.
"""


def write_page(table: Mapping[str, Any], out: str | os.PathLike) -> None:
    """Write the table as ``README.md``, with its commands and how to read it.

    Parameters
    ----------
    table : dict
        As `make_audiomnist_table` returns it.
    out : str or os.PathLike
        Folder to write to.
    """
    files.write_text(Path(out) / "README.md", audiomnist_page(table, out))


def audiomnist_page(table: Mapping[str, Any], folder: str | os.PathLike) -> str:
    """The page ``README.md``.

    Parameters
    ----------
    table : dict
        Contents of ``table.json``.
    folder : str or os.PathLike
        Where it lies. If ``class_means.png`` is there too, the page shows it.

    Returns
    -------
    str
    """
    commands = dict.fromkeys(cell["command"] for cell in table.values())
    notes = dict.fromkeys(cell["note"] for cell in table.values() if "note" in cell)
    text = _PAGE.format(commands="\n".join(f"    {command}" for command in commands),
                        table=audiomnist_markdown(table)
                        + "".join(f"\n{note}\n" for note in notes))
    return text + (_CLASS_MEANS if (Path(folder) / "class_means.png").is_file() else "")


def audiomnist_markdown(table: Mapping[str, Any]) -> str:
    """The table as Markdown, a row for each cell.

    Parameters
    ----------
    table : dict
        As `make_audiomnist_table` returns it.

    Returns
    -------
    str
    """
    head = ["split", "speakers shared", *FIGURES, "error rate of each seed",
            "accuracy over folds, mean +/- sd"]
    rows = []
    for cell in table.values():
        values = [f"{as_text(f['value'])} ({as_text(f['low'])} to {as_text(f['high'])})"
                  for f in (cell["figures"][name] for name in FIGURES)]
        seeds = ", ".join(as_text(seed["error_rate"]) for seed in cell["seeds"].values())
        folds = "{:.4f} +/- {:.4f}".format(*cell["folds"]) if cell["folds"] else "-"
        rows.append([cell["title"], cell["shared_speakers"], *values, seeds, folds])
    return "\n".join(markdown_table(head, rows)) + "\n"
