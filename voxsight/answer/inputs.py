"""The recordings that a command was given, as files and folders."""

import dataclasses
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from voxsight.base import files
from voxsight.errors import RecordingError
from voxsight.sound.folders import sound_files


@dataclasses.dataclass(frozen=True)
class Input:
    """A recording that was named on the command line; it gets one row.

    Attributes
    ----------
    path : str
        As given; of a recording in a folder, the folder as given and the path below it.
    name : str
        Name of the files that are written for it, without their ending.
    error : str
        Why there is nothing to read.
    """

    path: str
    name: str
    error: str = ""

    def located(self) -> "Input":
        """The same for a process that runs in another folder."""
        return dataclasses.replace(self, path=os.path.abspath(self.path))


def find_inputs(paths: Sequence[str]) -> list[Input]:
    """Recordings among files and folders, in the order given.

    Parameters
    ----------
    paths : list of str
        Files are taken as they are. Folders are searched in sorted order.

    Returns
    -------
    list of Input
        A folder without recordings is one input, with an error.
    """
    recordings: list[tuple[str, str]] = []  # path and error
    for path in paths:
        recordings += _in_folder(path) if os.path.isdir(path) else [(path, "")]
    names = distinct_names([path for path, _ in recordings])
    return [Input(path, name, error) for (path, error), name in zip(recordings, names)]


def distinct_names(paths: Sequence[str]) -> list[str]:
    """A file name for each path: its stem, or the whole path if several share that stem.

    Parameters
    ----------
    paths : sequence of str

    Returns
    -------
    list of str

    Examples
    --------
    >>> distinct_names(["anna/1.wav", "ben/1.wav", "ben/2.wav"])
    ['anna_1.wav', 'ben_1.wav', '2']
    """
    stems = [Path(path).stem for path in paths]
    counts = Counter(stems)
    return [files.fitting_name(stem if counts[stem] == 1 else path.strip("/.").replace("/", "_"))
            for path, stem in zip(paths, stems)]


def _in_folder(folder: str) -> list[tuple[str, str]]:
    """Path and error of each recording of a folder."""
    recordings = sound_files(folder)
    if not recordings:
        error = RecordingError(folder, "found a folder without sound files", "recordings in it",
                               "name another folder")
        return [(folder, error.reason)]
    base = folder.rstrip("/") or "/"
    return [(f"{base}/{os.path.relpath(path, folder)}", "") for path in recordings]
