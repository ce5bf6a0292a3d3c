"""Sound files below a folder."""

import os

from voxsight.sound.decoders import EXTENSIONS


def sound_files(folder: str | os.PathLike) -> list[str]:
    """Paths of the files below a folder whose extension is one of sound files, sorted.

    Links to folders are not followed.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("b.WAV", "a.mp3", "notes.txt"):
    ...         (Path(folder) / name).touch()
    ...     [os.path.basename(path) for path in sound_files(folder)]
    ['a.mp3', 'b.WAV']
    """
    paths: list[str] = []
    for parent, folders, names in os.walk(os.fspath(folder)):
        folders.sort()
        paths += [os.path.join(parent, name) for name in names
                  if os.path.splitext(name)[1].lower() in EXTENSIONS]
    return sorted(paths)
