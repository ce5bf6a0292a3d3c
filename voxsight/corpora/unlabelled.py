"""A CSV of recordings whose gender is not known, or not to be read."""

from pathlib import Path

from voxsight.corpora import table
from voxsight.corpora.utterance import Utterance

LAYOUT = "columns path,speaker"
COLUMNS = ("path", "speaker")


def check(source: Path) -> None:
    """Raise UsageError unless the CSV has the columns ``path,speaker``."""
    table.check_columns(source, COLUMNS)


def read(source: Path, subset: str | None = None) -> list[Utterance]:
    """Unlabelled utterances of a CSV in its order; `subset` is a value of ``corpus``."""
    return table.read_rows(source, subset, labelled=False)
