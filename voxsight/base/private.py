"""A folder that only this user can write to, for locks and unfinished results."""

import getpass
import hashlib
import os
import stat
import tempfile
from pathlib import Path

from voxsight.errors import UsageError


def private_folder() -> Path:
    """A folder for locks and unfinished results that only this user can write to.

    Returns
    -------
    Path
        The cache folder of the user, created if necessary. If it cannot be written to, a folder
        in the system's temporary folder.

    Raises
    ------
    UsageError
        If that one is not this user's alone.
    """
    from platformdirs import user_cache_path

    for folder in (user_cache_path("voxsight").resolve(), _temporary_folder()):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError:  # a home that cannot be written to, as in some containers
            continue
        if os.access(folder, os.W_OK) and _is_private(folder):
            return folder
    raise UsageError(f"{folder}: belongs to another user, or others may write to it, and the cache "
                     "folder of this user cannot be written to; set XDG_CACHE_HOME to a folder of "
                     "your own")


def short_digest(text: str) -> str:
    """The first 32 hexadecimal digits of the SHA-256 of a text, for file names."""
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:32]


def _temporary_folder() -> Path:
    user = getattr(os, "getuid", getpass.getuser)()
    return Path(tempfile.gettempdir()) / f"voxsight-{user}"


def _is_private(folder: Path) -> bool:
    if not hasattr(os, "getuid"):
        return True
    status = folder.lstat()  # a link would lead to where its maker wants
    others_write = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not others_write
