"""AudioMNIST: spoken digits, with a JSON table of speakers (Becker et al., 2018)."""

import os
import re
from pathlib import Path

from voxsight.base import files
from voxsight.corpora.utterance import Utterance, parse_gender, plausible_age
from voxsight.errors import UsageError
from voxsight.sound.folders import sound_files

LAYOUT = "data/<speaker>/<digit>_<speaker>_<repetition>.wav"
TABLE = "audioMNIST_meta.txt"


def check(source: Path) -> None:
    """Raise UsageError unless there is AudioMNIST's table of speakers."""
    if not (table := _data_folder(source) / TABLE).is_file():
        raise UsageError(f"{table}: not found, expected AudioMNIST's table of speakers; name the "
                         "folder that holds data/")


def read(source: Path, subset: str | None = None) -> list[Utterance]:
    """Utterances of AudioMNIST, sorted by path; there are no subsets."""
    folder = _data_folder(source)
    speakers, utterances = files.read_json(folder / TABLE), []
    for path in sound_files(folder):
        speaker = audiomnist_speaker(path)
        if speaker is None or speaker not in speakers:
            continue
        entry = speakers[speaker]
        utterances.append(Utterance(
            path=path, speaker=speaker, gender=parse_gender(entry.get("gender"), folder / TABLE),
            corpus="audiomnist", age=plausible_age(entry.get("age", "")),
            accent=str(entry.get("accent", "")), text=Path(path).name.split("_")[0]))
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


def _data_folder(source: Path) -> Path:
    return source / "data" if (source / "data").is_dir() else source
