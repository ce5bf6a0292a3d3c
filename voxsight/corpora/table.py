"""A CSV of recordings."""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from voxsight.base.texts import Row, in_lines, listed, note, readable, table_rows
from voxsight.corpora.utterance import UNLABELLED, Utterance, parse_gender
from voxsight.errors import UsageError

LAYOUT = "columns path,speaker,gender"
COLUMNS = ("path", "speaker", "gender")
OPTIONAL_COLUMNS = ("corpus", "age", "accent", "text", "language")


def check(source: Path) -> None:
    """Raise UsageError if `source` is a folder; `read` checks the columns."""
    if source.is_dir():
        raise UsageError(f"{source}: found a folder, expected a CSV with {LAYOUT}; name the "
                         "file, or the layout of the folder")


def read(source: Path, subset: str | None = None) -> list[Utterance]:
    """Utterances of a CSV in its order; `subset` is a value of ``corpus``."""
    return read_rows(source, COLUMNS, subset)


def read_rows(path: Path, columns: Sequence[str], subset: str | None) -> list[Utterance]:
    """Utterances of a CSV.

    A recording that is listed twice counts once, and one whose speaker is not named counts as a
    speaker of its own; a line on stderr says so.

    Parameters
    ----------
    path : Path
        Paths in the CSV are relative to it.
    columns : sequence of str
        Those that it must have. Without ``gender`` the utterances are unlabelled.
    subset : str, optional
        Only rows with this value of ``corpus``.

    Returns
    -------
    list of Utterance

    Raises
    ------
    UsageError
        If a column or a path is missing, a gender is neither female nor male, or a recording has
        rows that contradict each other.
    """
    reading = _Reading(path, "gender" in columns)
    for number, row in enumerate(table_rows(path)):
        if not number:
            _check_columns(path, row.cells, columns)
        corpus = readable(row.cells.get("corpus", "").strip())
        corpus = corpus or readable(path.parent.resolve().name)
        if subset in (None, corpus):
            reading.add(row, corpus)
    return reading.finish()


class _Reading:
    """Collects the rows of a CSV, and what is wrong or odd about them."""

    def __init__(self, path: Path, labelled: bool) -> None:
        self._path, self._labelled = path, labelled
        self._utterances: dict[str, tuple[int, Utterance]] = {}  # by absolute path
        self._refused: dict[int, str] = {}  # by line
        self._nameless: list[int] = []
        self._repeated: list[int] = []

    def add(self, row: Row, corpus: str) -> None:
        """Take a row, or remember why it cannot be taken."""
        try:
            utterance = self._utterance(row, corpus)
        except UsageError as error:
            self._refused[row.line] = str(error)
            return
        line, first = self._utterances.setdefault(os.path.abspath(utterance.path),
                                                  (row.line, utterance))
        if line == row.line:
            self._nameless += [] if row.cells["speaker"].strip() else [line]
        elif (first.speaker, first.gender) == (utterance.speaker, utterance.gender):
            self._repeated.append(row.line)
        else:
            self._refused[row.line] = (
                f"{self._place(row)}: found {utterance.gender} of speaker {utterance.speaker}, "
                f"but line {line} says {first.gender} of speaker {first.speaker}, expected one "
                "label and speaker of a recording; correct the rows or leave them out")

    def finish(self) -> list[Utterance]:
        """The utterances, if no row is refused; says what is odd about them."""
        if self._refused:
            first, *others = self._refused
            more = f" (as in {in_lines(others)})" if others else ""
            raise UsageError(self._refused[first] + more)
        utterances = [utterance for _, utterance in self._utterances.values()]
        genders = defaultdict(set)
        for utterance in utterances:
            genders[utterance.voice, utterance.speaker].add(utterance.gender)
        both = [speaker for (_, speaker), found in genders.items() if len(found) > 1]
        for lines, what in ((self._nameless, "no speaker named; each recording counts as a "
                             "speaker of its own"),
                            (self._repeated, "recordings listed before; each counts once")):
            if lines:
                note(f"{self._path}, {in_lines(lines)}: {what}")
        if both:
            note(f"{self._path}: speakers with recordings of both labels, each counts as one "
                 f"person: {listed(both)}")
        return utterances

    def _utterance(self, row: Row, corpus: str) -> Utterance:
        cell = row.cells["path"]
        if not cell.strip():
            raise UsageError(f"{self._path}, line {row.line}: found no path, expected that of a "
                             "recording; fill it in or leave the row out")
        values = {name: readable(row.cells.get(name, "").strip())
                  for name in ("speaker", "age", "accent", "text", "language")}
        values["speaker"] = values["speaker"] or readable(cell.strip())
        gender = (parse_gender(readable(row.cells["gender"].strip()), self._place(row))
                  if self._labelled else UNLABELLED)
        return Utterance(path=_recording(self._path.parent, cell), gender=gender, corpus=corpus,
                         **values)

    def _place(self, row: Row) -> str:
        return f"{self._path}, line {row.line} ({readable(row.cells['path'].strip())})"


def _check_columns(path: Path, cells: Mapping[str, str], columns: Sequence[str]) -> None:
    """Raise UsageError unless the row has cells of some columns."""
    if missing := sorted(set(columns) - set(cells)):
        raise UsageError(f"{path}: found no column {', '.join(missing)} among "
                         f"{', '.join(map(repr, cells))}, expected {','.join(columns)} and any of "
                         f"{','.join(OPTIONAL_COLUMNS)}; add the column")


def _recording(folder: Path, cell: str) -> str:
    """The recording that a cell names: as it stands if that exists, or else made readable."""
    names = dict.fromkeys((cell, cell.strip(), readable(cell.strip())))
    *others, place = (str(folder / name) for name in names)
    return next(filter(os.path.lexists, others), place)
