"""The store: what was computed from recordings, kept so that it is computed once.

One SQLite file holds features, embeddings, chunks and finished trainings. A key names the kind
of value, the version of the code that computes it, its settings with all their options and,
where it was computed from a file, the path, size and modification time of that file. A file
that was recorded again, or other settings, therefore never get an old value.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType

import numpy as np

from voxsight.errors import UsageError

NAME = "store.sqlite"
WAIT_S = 60.0  # for another run that is writing
_TABLE = ("CREATE TABLE IF NOT EXISTS arrays (key TEXT, name TEXT, dtype TEXT, shape TEXT, "
          "data BLOB, PRIMARY KEY (key, name))")


def file_key(path: str | os.PathLike, kind: str, version: int, *settings: object) -> str:
    """Key of a value that is computed from one file.

    Parameters
    ----------
    path : str or os.PathLike
        The file; its size and modification time are part of the key.
    kind : str
        What is computed, such as ``features``.
    version : int
        Version of the code that computes it.
    *settings
        What shapes it; objects whose `repr` tells all of their values.

    Returns
    -------
    str
    """
    return repr((kind, version, settings, os.path.abspath(path), file_state(path)))


def file_state(path: str | os.PathLike) -> tuple[int, int] | None:
    """Size and modification time in ns, which change with a file; None if it cannot be seen."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


class Store:
    """Named arrays by key, in ``store.sqlite`` of a folder.

    Parameters
    ----------
    folder : str or os.PathLike
        Made if it does not exist. Several runs may use it at the same time.

    Raises
    ------
    UsageError
        If the file is no store, or cannot be read or written; the methods too.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, Store(folder) as store:
    ...     store.put("key", {"embedding": np.array([1.0, 2.0])})
    ...     store.get("key")["embedding"].tolist(), store.get("another")
    ([1.0, 2.0], None)
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        Path(folder).mkdir(parents=True, exist_ok=True)
        self._path = Path(folder) / NAME
        with self._usable():
            self._database = sqlite3.connect(self._path, timeout=WAIT_S)
            self._database.execute(_TABLE)

    def __contains__(self, key: str) -> bool:
        with self._usable():
            row = self._database.execute("SELECT 1 FROM arrays WHERE key = ? LIMIT 1", (key,))
            return row.fetchone() is not None

    def get(self, key: str) -> dict[str, np.ndarray] | None:
        """Arrays of a key by name; None if there are none."""
        with self._usable():
            rows = self._database.execute(
                "SELECT name, dtype, shape, data FROM arrays WHERE key = ?", (key,)).fetchall()
        arrays = {name: np.frombuffer(data, dtype).reshape([int(n) for n in shape.split(",") if n])
                  for name, dtype, shape, data in rows}
        return arrays or None

    def put(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Keep arrays under a key, all of them or none."""
        rows = [(key, name, array.dtype.str, ",".join(map(str, array.shape)), array.tobytes())
                for name, array in ((name, np.asarray(value)) for name, value in arrays.items())]
        with self._usable(), self._database:
            self._database.execute("DELETE FROM arrays WHERE key = ?", (key,))
            self._database.executemany("INSERT INTO arrays VALUES (?, ?, ?, ?, ?)", rows)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @contextlib.contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise UsageError(f"{self._path}: could not be used ({error}), expected a store of "
                             "computed values that may be written; delete it or name another "
                             "folder") from error

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()
