"""A CSV of recordings whose gender is not known, or not to be read."""

from pathlib import Path

from voxsight.corpora import table
from voxsight.corpora.utterance import Utterance

LAYOUT = "columns path,speaker"
COLUMNS = ("path", "speaker")

check = table.check


def read(source: Path, subset: str | None = None) -> list[Utterance]:
    """Unlabelled utterances of a CSV in its order; `subset` is a value of ``corpus``."""
    return table.read_rows(source, COLUMNS, subset)
