"""Journals: what a run has finished so far, kept so that a stopped run can be resumed."""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from voxsight.base.files import partial_of, replacing
from voxsight.base.streams import naming
from voxsight.errors import UsageError


class Journal:
    """Entries beside a file in the making, one line of JSON each.

    Entries are only ever added. What a killed run or a power cut left unfinished at the end is
    cut off.

    Parameters
    ----------
    target : str or os.PathLike
        The file that the entries will become; a URL too. They are kept in
        ``<target>.partial``.
    settings : object
        What the run shares with the one that it continues, as JSON.
    first : iterable
        Entries that a new journal begins with, all of them or none.

    Raises
    ------
    UsageError
        If there are entries of a run with other settings.
    """

    def __init__(self, target: str | os.PathLike, settings: Any,
                 first: Iterable[Any] = ()) -> None:
        self.path = Path(partial_of(target))
        self._head = head = (json.dumps(settings, default=os.fspath) + "\n").encode()
        if not self._continues(head):
            with replacing(self.path) as temporary, open(temporary, "wb") as file:
                file.write(head)
                file.writelines(map(_as_line, first))
        with naming(self.path):
            _cut_off_unfinished(self.path)
            self._file = open(self.path, "ab")

    def _continues(self, head: bytes) -> bool:
        """Whether there are entries already; raises if they are of another run."""
        try:
            with open(self.path, "rb") as file:
                found = file.readline()
        except FileNotFoundError:
            return False
        if found != head and not head.startswith(found):
            raise UsageError(f"{self.path}: holds the results of an unfinished run with other "
                             "settings; repeat that command to finish it, write elsewhere, or "
                             "delete this file")
        return found == head

    def entries(self) -> Iterator[Any]:
        """Entries so far, oldest first."""
        with open(self.path, "rb") as file:
            next(file)
            yield from map(_of_line, file)

    def add(self, entry: Any) -> None:
        """Keep an entry."""
        with naming(self.path):
            self._file.write(_as_line(entry))
            self._file.flush()

    def replace(self, entries: Iterable[Any]) -> None:
        """Keep these entries in place of all so far; a killed run leaves the ones or the others."""
        self.close()
        with replacing(self.path) as temporary, open(temporary, "wb") as file:
            file.write(self._head)
            file.writelines(map(_as_line, entries))
        with naming(self.path):
            self._file = open(self.path, "ab")

    def close(self) -> None:
        """Leave the entries for the next run."""
        with naming(self.path):
            self._file.close()

    def remove(self) -> None:
        """Delete the entries: the file that they became is written."""
        self.close()
        self.path.unlink(missing_ok=True)


def _as_line(entry: Any) -> bytes:
    # Names that are not UTF-8 stay the bytes that they are.
    return (json.dumps(entry, ensure_ascii=False) + "\n").encode("utf-8", "surrogateescape")


def _of_line(line: bytes) -> Any:
    return json.loads(line.decode("utf-8", "surrogateescape"))


def _cut_off_unfinished(path: Path) -> None:
    """Keep the lines of a file up to the first that is not whole."""
    whole = 0
    with open(path, "rb") as file:
        for line in file:
            try:
                _of_line(line)
            except ValueError:
                break
            if not line.endswith(b"\n"):
                break
            whole += len(line)
    if whole < os.path.getsize(path):
        os.truncate(path, whole)
