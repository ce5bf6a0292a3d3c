"""A folder with `female/` and `male/` in it."""

from pathlib import Path

from voxsight.corpora.utterance import LABELS, Utterance
from voxsight.sound.folders import sound_files

LAYOUT = "female/ and male/ with recordings, best in a folder per speaker"


def check(source: Path) -> None:
    """Any folder will do; one without recordings gives no utterances."""


def read(source: Path, subset: str | None = None) -> list[Utterance]:
    """Utterances of a folder, sorted by path; there are no subsets.

    Without a folder per speaker nothing says who speaks; each recording then counts as a
    speaker of its own.
    """
    utterances = []
    for gender in LABELS:
        for path in sound_files(source / gender):
            inside = Path(path).relative_to(source / gender)
            speaker = inside.parts[0] if len(inside.parts) > 1 else f"{gender}/{inside.stem}"
            utterances.append(Utterance(path=path, speaker=speaker, gender=gender,
                                        corpus=source.resolve().name))
    return utterances
