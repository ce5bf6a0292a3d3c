"""Journals: what a run has finished so far, kept so that a stopped run can be resumed."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from voxsight.base.files import partial_of
from voxsight.errors import UsageError


class Journal:
    """Entries beside a file in the making, one line of JSON each.

    An entry that was being written when the run was killed is dropped; the others are never
    written again.

    Parameters
    ----------
    target : str or os.PathLike
        The file that the entries will become; a URL too. They are kept in
        ``<target>.partial``.
    settings : object
        What the run shares with the one that it continues, as JSON.

    Raises
    ------
    UsageError
        If there are entries of a run with other settings.
    """

    def __init__(self, target: str | os.PathLike, settings: Any) -> None:
        self.path = Path(partial_of(target))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        head = json.dumps(settings, default=os.fspath) + "\n"
        _drop_unfinished_line(self.path)
        self._file = open(self.path, "a+", encoding="utf-8", errors="surrogateescape")
        self._file.seek(0)
        if not (found := self._file.readline()):
            self._file.write(head)
            self._file.flush()
        elif found != head:
            self._file.close()
            raise UsageError(f"{self.path}: holds the results of an unfinished run with other "
                             "settings; repeat that command to finish it, write elsewhere, or "
                             "delete this file")

    def entries(self) -> Iterator[Any]:
        """Entries so far, oldest first."""
        with open(self.path, encoding="utf-8", errors="surrogateescape") as file:
            next(file)
            for line in file:
                yield json.loads(line)

    def add(self, entry: Any) -> None:
        """Keep an entry."""
        self._file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Leave the entries for the next run."""
        self._file.close()

    def remove(self) -> None:
        """Delete the entries: the file that they became is written."""
        self.close()
        self.path.unlink(missing_ok=True)


def _drop_unfinished_line(path: Path) -> None:
    """Cut a line without its end off, which a killed run left."""
    if not path.is_file():
        return
    with open(path, "rb+") as file:
        end = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - 2**16)
            file.seek(start)
            if (newline := file.read(end - start).rfind(b"\n")) >= 0:
                file.truncate(start + newline + 1)
                return
            end = start
        file.truncate(0)
