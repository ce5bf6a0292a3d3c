"""The recordings that a command was given, as files and folders."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from voxsight.base.names import below_common_folder, distinct_names
from voxsight.errors import RecordingError
from voxsight.sound.folders import look_into


@dataclasses.dataclass(frozen=True)
class Input:
    """A recording that was named on the command line; it gets one row.

    Attributes
    ----------
    path : str
        As given; of a recording in a folder, the folder as given and the path below it.
    name : str
        Name of the files that are written for it, without their ending; with ``/`` if they
        belong into folders below the output's. No other recording has it.
    error : str
        Why there is nothing to read.
    """

    path: str
    name: str
    error: str = ""

    def located(self) -> "Input":
        """The same for a process that runs in another folder."""
        return dataclasses.replace(self, path=os.path.abspath(self.path))


def find_inputs(paths: Sequence[str], endings: Sequence[str] = ("",)) -> list[Input]:
    """Recordings among files and folders, in the order given.

    Outputs of a recording in a folder lie where it lies in the folder; those of a file have its
    name. Where two would have the same name, both lie where their recordings lie below the
    folder that holds all of them.

    Parameters
    ----------
    paths : list of str
        Files are taken as they are. Folders are searched in sorted order.
    endings : sequence of str
        As for `names.distinct_names`.

    Returns
    -------
    list of Input
        A folder without recordings, or one that may not be looked into, is one input, with an
        error.
    """
    found: list[_Found] = []
    for path in paths:
        found += _in_folder(path) if os.path.isdir(path) else [(path, Path(path).stem, "")]
    short: dict[str, str] = {}
    for path, name, error in found:
        if not error:
            short.setdefault(path, name)
    names = dict(zip(short, _names(short, endings)))
    return [Input(path, names.get(path, ""), error) for path, _, error in found]


_Found = tuple[str, str, str]  # path, what its outputs are best named, and error


def _names(short: dict[str, str], endings: Sequence[str]) -> list[str]:
    """A name for the outputs of each path, given the shortest."""
    whole = below_common_folder(list(short))
    choices = [(name, os.path.splitext(path)[0], path) for name, path in zip(short.values(), whole)]
    return distinct_names(choices, endings)


def _in_folder(folder: str) -> list[_Found]:
    """The recordings of a folder, and folders in it that may not be looked into."""
    there = look_into(folder)
    found = [*((path, "") for path in there.paths),
             *((error.path, error.reason) for error in there.unread)]
    if not found:
        error = RecordingError(folder, "found a folder without sound files", "recordings in it",
                               "name another folder")
        return [(folder, "", error.reason)]
    base = folder.rstrip("/") or "/"
    return [_below(base, os.path.relpath(path, folder).replace(os.sep, "/"), error)
            for path, error in sorted(found)]


def _below(folder: str, path: str, error: str) -> _Found:
    if path == ".":  # the folder itself may not be looked into
        return folder, "", error
    return f"{folder}/{path}", os.path.splitext(path)[0], error
