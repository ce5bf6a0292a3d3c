"""LibriSpeech: read books, by speaker and chapter (Panayotov et al., 2015)."""

import os
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from voxsight.base.texts import in_lines, read_text, readable
from voxsight.corpora.speaker_tables import LeftOut, find_table
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
    """Utterances of one subset or of all that are there, sorted by path.

    Recordings of speakers that the table does not name are left out; a line on stderr says so.
    """
    table, utterances = _table(source), []
    assert table is not None  # `check` found it
    sexes, left_out = _sexes(table), LeftOut(table)
    for name, folder in _subsets(source, subset):
        for path in sound_files(folder):
            speaker = _speaker(path)
            if speaker is None or speaker not in sexes:
                left_out.add(path, speaker)
                continue
            utterances.append(Utterance(path=path, speaker=speaker,
                                        gender=_gender(table, speaker, sexes[speaker]),
                                        corpus=f"librispeech/{name}", language="en"))
    left_out.tell()
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
    >>> librispeech_chapter("84/121123/84_121123_000007_000001.wav")  # of LibriTTS
    '84-121123'
    """
    match = re.search(r"(?:^|[/\\])(?:(\d+)-(\d+)-\d+|(\d+)_(\d+)_\d+_\d+)\.\w+$", str(path))
    return "-".join(filter(None, match.groups())) if match else None


def _subsets(source: Path, subset: str | None) -> list[tuple[str, Path]]:
    """Name and folder of the subsets of a corpus, or of the one that is named itself."""
    if subset:
        return [(subset, source / subset)]
    folders = sorted(child for child in source.iterdir() if child.is_dir())
    if folders and all(folder.name.isdecimal() for folder in folders):  # they are speakers
        return [(source.resolve().name, source)]
    return [(folder.name, folder) for folder in folders]


def _speaker(path: str) -> str | None:
    """Speaker in the name of a file of LibriSpeech or LibriTTS."""
    match = re.match(r"(\d+)[-_]", os.path.basename(path))
    return match.group(1) if match else None


def _table(source: Path) -> Path | None:
    """The table in the folder or beside it, as LibriTTS writes its name too."""
    return find_table((source, Path(os.path.abspath(source)).parent), TABLE)


def _sexes(table: Path) -> dict[str, dict[str, int]]:
    """For each speaker the line of each sex that is stated; also for the head of the table."""
    sexes: dict[str, dict[str, int]] = defaultdict(dict)
    for number, line in enumerate(read_text(table).splitlines(), 1):
        if not line.strip() or line.lstrip().startswith(";"):
            continue
        speaker, *rest = (field.strip() for field in line.split("|"))
        if not rest:
            raise UsageError(f"{table}, line {number}: found {readable(speaker)!r}, expected "
                             "'speaker | sex | ...'; correct the line or leave it out")
        sexes[speaker].setdefault(rest[0], number)
    return sexes


def _gender(table: Path, speaker: str, lines: Mapping[str, int]) -> str:
    """Gender of a speaker for whom a table states each sex in a line."""
    labels = {parse_gender(sex, f"{table}, line {line} (speaker {speaker})")
              for sex, line in lines.items()}
    if len(labels) > 1:
        raise UsageError(f"{table}, {in_lines(list(lines.values()))}: found both labels for "
                         f"speaker {speaker}, expected one; correct one of the lines")
    return labels.pop()
