"""Locks: one run at a time writes to a place."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from voxsight.base.private import private_folder, short_digest
from voxsight.errors import UsageError


@contextlib.contextmanager
def only_writer(path: str | os.PathLike) -> Iterator[None]:
    """Keep other runs of the same user from writing to `path` meanwhile.

    The lock ends with the process, however it ends.

    Parameters
    ----------
    path : str or os.PathLike
        A file, a folder or a URL that may exist already.

    Raises
    ------
    UsageError
        If another run, of this process or another one, writes there.
    """
    from filelock import FileLock, Timeout

    name = short_digest(str(path) if "://" in str(path) else os.path.realpath(path))
    lock = FileLock(Path(private_folder()) / f"{name}.lock", timeout=0, is_singleton=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise UsageError(f"{path}: another run is writing there; wait until it ends, or write "
                         "elsewhere") from error
    try:
        yield
    finally:
        lock.release()
