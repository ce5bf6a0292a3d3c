"""LibriSpeech: read books, by speaker and chapter (Panayotov et al., 2015)."""

import os
import re
from pathlib import Path

from voxsight.corpora.utterance import Utterance, parse_gender
from voxsight.errors import UsageError
from voxsight.sound.folders import sound_files

LAYOUT = "<subset>/<speaker>/<chapter>/<utterance>.flac and SPEAKERS.TXT"
TABLE = "SPEAKERS.TXT"


def check(source: Path) -> None:
    """Raise UsageError unless there is LibriSpeech's table of speakers."""
    if _table(source) is None:
        raise UsageError(f"{source / TABLE}: not found, expected LibriSpeech's table of speakers; "
                         "name the folder LibriSpeech/ itself")


def read(source: Path, subset: str | None = None) -> list[Utterance]:
    """Utterances of one subset or of all that are there, sorted by path."""
    genders, utterances = _genders(source), []
    present = [folder.name for folder in sorted(source.iterdir()) if folder.is_dir()]
    for name in [subset] if subset else present:
        for path in sound_files(source / name):
            speaker = Path(path).name.split("-")[0]
            if speaker in genders:
                utterances.append(Utterance(path=path, speaker=speaker, gender=genders[speaker],
                                            corpus=f"librispeech/{name}", language="en"))
    return utterances


def librispeech_chapter(path: str | os.PathLike) -> str | None:
    """Chapter in a LibriSpeech path ``.../<speaker>-<chapter>-<utterance>.flac``.

    Returns
    -------
    str or None
        ``<speaker>-<chapter>``.

    Examples
    --------
    >>> librispeech_chapter("dev-clean/84/121123/84-121123-0001.flac")
    '84-121123'
    """
    match = re.search(r"(?:^|[/\\])(\d+-\d+)-\d+\.\w+$", str(path))
    return match.group(1) if match else None


def _table(source: Path) -> Path | None:
    places = (source / TABLE, source.parent / TABLE)
    return next((path for path in places if path.is_file()), None)


def _genders(source: Path) -> dict[str, str]:
    """Gender of each speaker."""
    table = _table(source)
    assert table is not None  # `check` found it
    genders = {}
    for line in table.read_text(encoding="utf-8").splitlines():
        if not line.startswith(";"):
            speaker, sex, *_ = (field.strip() for field in line.split("|"))
            genders[speaker] = parse_gender(sex, table)
    return genders
