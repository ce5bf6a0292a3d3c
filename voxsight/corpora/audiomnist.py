"""AudioMNIST: spoken digits, with a JSON table of speakers (Becker et al., 2018)."""

import json
import os
import re
from pathlib import Path
from typing import Any

from voxsight.base.texts import read_text, readable
from voxsight.corpora.speaker_tables import LeftOut, find_table
from voxsight.corpora.utterance import Utterance, parse_gender, plausible_age
from voxsight.errors import UsageError
from voxsight.sound.folders import sound_files

LAYOUT = "data/<speaker>/<digit>_<speaker>_<repetition>.wav"
TABLE = "audioMNIST_meta.txt"


def check(source: Path) -> None:
    """Raise UsageError unless there is AudioMNIST's table of speakers."""
    if find_table([_data_folder(source)], TABLE) is None:
        raise UsageError(f"{_data_folder(source) / TABLE}: not found, expected AudioMNIST's "
                         "table of speakers; name the folder that holds data/")


def read(source: Path, subset: str | None = None) -> list[Utterance]:
    """Utterances of AudioMNIST, sorted by path; there are no subsets.

    Recordings of speakers that the table does not name are left out; a line on stderr says so.
    """
    folder, utterances = _data_folder(source), []
    table = find_table([folder], TABLE)
    assert table is not None  # `check` found it
    speakers, left_out = _speakers(table), LeftOut(table)
    for path in sound_files(folder):
        speaker = audiomnist_speaker(path)
        if speaker is None or speaker not in speakers:
            left_out.add(path, speaker)
            continue
        entry, place = speakers[speaker], f"{table}, speaker {speaker}"
        if not isinstance(entry, dict):
            raise UsageError(f"{place}: found {entry!r}, expected an object with a gender, such "
                             'as {"gender": "male"}; correct it')
        utterances.append(Utterance(
            path=path, speaker=speaker, gender=parse_gender(entry.get("gender"), place),
            corpus="audiomnist", age=plausible_age(entry.get("age", "")),
            accent=str(entry.get("accent", "")), text=Path(path).name.split("_")[0]))
    left_out.tell()
    return utterances


def audiomnist_speaker(path: str | os.PathLike) -> str | None:
    """Speaker in an AudioMNIST path ``.../<speaker>/<digit>_<speaker>_<repetition>.wav``.

    Examples
    --------
    >>> audiomnist_speaker("data/07/3_07_12.wav"), audiomnist_speaker("data/a.wav")
    ('07', None)
    """
    match = re.search(r"(?:^|/)([^/]+)/(\d)_\1_(\d+)\.\w+$", str(path).replace("\\", "/"))
    return match.group(1) if match else None


def _speakers(table: Path) -> dict[str, Any]:
    """What the table says of each speaker."""
    try:
        speakers = json.loads(readable(read_text(table)))
    except json.JSONDecodeError as error:
        raise UsageError(f"{table}, line {error.lineno}, column {error.colno}: found no JSON "
                         f"there ({error.msg}), expected an object with an entry for each "
                         "speaker; correct it or fetch the corpus again") from error
    if not isinstance(speakers, dict):
        raise UsageError(f"{table}: found a {type(speakers).__name__}, expected an object with "
                         "an entry for each speaker; correct it or fetch the corpus again")
    return speakers


def _data_folder(source: Path) -> Path:
    return source / "data" if (source / "data").is_dir() else source
