"""A folder with `female/` and `male/` in it."""

from pathlib import Path

from voxsight.base.texts import listed, readable
from voxsight.corpora.utterance import LABELS, Utterance
from voxsight.errors import UsageError
from voxsight.sound.folders import sound_files

LAYOUT = "female/ and male/ with recordings, best in a folder per speaker"


def check(source: Path) -> None:
    """Raise UsageError unless there is a folder of one of the labels."""
    if not source.is_dir():
        raise UsageError(f"{source}: found a file, expected a folder with {LAYOUT}")
    if not _folders(source):
        found = listed(sorted(f"{child.name}/" for child in source.iterdir() if child.is_dir()))
        raise UsageError(f"{source}: found {found or 'no folders'}, expected {LAYOUT}; name the "
                         "folder that holds female/ and male/")


def read(source: Path, subset: str | None = None) -> list[Utterance]:
    """Utterances of a folder, sorted by label and path; there are no subsets.

    Speakers are named after their label and folder, since ``female/1`` and ``male/1`` are two
    people. Without a folder per speaker nothing says who speaks; each recording then counts as
    a speaker of its own.
    """
    utterances, corpus = [], readable(source.resolve().name)
    for gender, folder in _folders(source):
        for path in sound_files(folder):
            inside = Path(path).relative_to(folder)
            name = inside.parts[0] if len(inside.parts) > 1 else inside.stem
            utterances.append(Utterance(path=path, speaker=f"{gender}/{readable(name)}",
                                        gender=gender, corpus=corpus))
    return utterances


def _folders(source: Path) -> list[tuple[str, Path]]:
    """Label and folder of those that are named after a label, such as ``Females``."""
    children = sorted(child for child in source.iterdir() if child.is_dir())
    return [(label, child) for label in LABELS for child in children
            if child.name.lower() in (label, f"{label}s")]
