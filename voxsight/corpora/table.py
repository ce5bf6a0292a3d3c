"""A CSV of recordings."""

import dataclasses
from pathlib import Path

from voxsight.base import files
from voxsight.corpora.utterance import UNLABELLED, Utterance, parse_gender
from voxsight.errors import UsageError

LAYOUT = "columns path,speaker,gender"
COLUMNS = ("path", "speaker", "gender")
OPTIONAL_COLUMNS = ("corpus", "age", "accent", "text", "language")


def check(source: Path) -> None:
    """Raise UsageError unless the CSV has the columns ``path,speaker,gender``."""
    check_columns(source, COLUMNS)


def read(source: Path, subset: str | None = None) -> list[Utterance]:
    """Utterances of a CSV in its order; `subset` is a value of ``corpus``."""
    return read_rows(source, subset, labelled=True)


def check_columns(path: Path, needed: tuple[str, ...]) -> None:
    """Raise UsageError unless a CSV has rows with some columns."""
    missing = set(needed) - set(next(files.csv_rows(path), ()))
    if missing:
        raise UsageError(f"{path}: found no column {', '.join(sorted(missing))}, expected "
                         f"{','.join(needed)} and any of {','.join(OPTIONAL_COLUMNS)}; add the "
                         "column")


def read_rows(path: Path, subset: str | None, labelled: bool) -> list[Utterance]:
    """Utterances of a CSV; paths are relative to it. If not `labelled`, gender is not read."""
    names = [field.name for field in dataclasses.fields(Utterance)]
    utterances = []
    for row in files.csv_rows(path):
        values = {name: (row.get(name) or "").strip() for name in names}
        values["path"] = str(path.parent / row["path"])
        values["gender"] = parse_gender(row["gender"], path) if labelled else UNLABELLED
        values["corpus"] = values["corpus"] or path.parent.resolve().name
        if subset in (None, values["corpus"]):
            utterances.append(Utterance(**values))
    return utterances
