"""Places to write to that are no files of their own: devices, pipes and open descriptors.

They are written to as they are; a file is replaced as a whole, see `files.replacing`.
"""

import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from voxsight.errors import UsageError

if TYPE_CHECKING:
    from voxsight.base.files import AnyPath

STDOUT = "-"
_MOST_LINKS = 40  # that lead from one to the next; Linux follows as many


def is_stream(path: "AnyPath") -> bool:
    """Whether a path is no file to be replaced: a device, a pipe, ``-``, or ``/dev/stdout``."""
    if "://" in str(path):
        return False
    if _descriptor(path) is not None:
        return True
    try:
        mode = os.stat(str(path)).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def is_stdout(path: "AnyPath") -> bool:
    """Whether a path is where this process prints to: ``-``, or another name of that place."""
    if "://" in str(path):
        return False
    try:
        return _descriptor(path) == 1 or os.path.samestat(os.stat(str(path)), os.fstat(1))
    except OSError:
        return False


def open_stream(path: "AnyPath") -> BinaryIO:
    """What `is_stream`, open for writing; a pipe waits for its reader.

    Raises
    ------
    UsageError
        If it is a disk.
    """
    number = _descriptor(path)
    with naming(path):
        if number is None:
            if stat.S_ISBLK(os.stat(str(path)).st_mode):
                raise UsageError(f"{path}: found a disk, expected a file, a pipe or a terminal to "
                                 "write to; name another place")
            return open(str(path), "wb")
        if number == 1:
            sys.stdout.flush()  # what was printed comes first
        # A copy, since opening a file by the name of a descriptor would start at its beginning.
        return os.fdopen(os.dup(number), "wb")


@contextlib.contextmanager
def naming(path: "AnyPath", temporary: Path | None = None) -> Iterator[None]:
    """Let errors of the block that name no file, or a temporary one, name `path`."""
    try:
        yield
    except OSError as error:
        if error.errno and (error.filename is None or str(error.filename) == str(temporary)):
            error.filename, error.filename2 = str(path), None
        raise


def _descriptor(path: "AnyPath") -> int | None:
    """The descriptor of this process that a path leads to, as ``/dev/stdout`` leads to 1."""
    if str(path) == STDOUT:
        return 1
    place, folders = str(path), ("/dev/fd", f"/proc/{os.getpid()}/fd")
    for _ in range(_MOST_LINKS):
        folder, name = os.path.split(place)
        if name.isdecimal() and os.path.realpath(folder) in folders:
            return int(name)
        if not os.path.islink(place):
            break
        place = os.path.join(folder, os.readlink(place))
    return None
