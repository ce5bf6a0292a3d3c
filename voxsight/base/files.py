"""Reading and writing files: whole-or-nothing writes, JSON and CSV, and remote locations."""

import contextlib
import csv
import errno
import hashlib
import io
import json
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from voxsight.base.private import private_folder, short_digest
from voxsight.base.streams import is_stream, naming, open_stream
from voxsight.errors import UsageError

if TYPE_CHECKING:
    from upath import UPath

    AnyPath = str | os.PathLike | UPath

DIGEST_CHARACTERS = 12  # of a SHA-256, enough to keep shortened file names apart
UNFINISHED = ".tmp-"  # begins the names of files in the making
_inputs: frozenset[tuple[int, int]] = frozenset()  # device and number of files to be kept


def location(path: "AnyPath") -> "Path | UPath":
    """A path object for a local path or for a URL.

    Parameters
    ----------
    path : str or os.PathLike
        A local path, or a URL that fsspec supports, such as ``s3://bucket/folder``.

    Returns
    -------
    pathlib.Path or upath.UPath

    Raises
    ------
    UsageError
        If universal_pathlib, or the package for this kind of URL, is not installed.
    """
    if "://" not in str(path):
        return Path(str(path))
    try:
        from fsspec.core import url_to_fs
        from upath import UPath

        url_to_fs(str(path))  # raises if the package for this protocol is missing
    except (ImportError, ValueError) as error:
        raise UsageError(f"{path}: found {error}, expected a location that fsspec can reach; run "
                         "pip install 'voxsight[cluster]', and the package of the protocol, "
                         "such as s3fs") from error
    return UPath(path)


def absolute(path: "AnyPath") -> str:
    """The path for a process with another working directory; a URL is returned as it is."""
    return str(path) if "://" in str(path) else os.path.abspath(str(path))


def partial_of(path: "AnyPath") -> Path:
    """The local file that holds the unfinished content of `path`.

    Parameters
    ----------
    path : str or os.PathLike
        The file to be written; a URL too.

    Returns
    -------
    Path
        ``<path>.partial``; for a URL, a file in the private folder of this user.
    """
    if isinstance(location(path), Path):
        return Path(f"{path}.partial")
    return private_folder() / f"{short_digest(str(path))}.partial"


@contextlib.contextmanager
def replacing(path: "AnyPath", lasting: bool = True) -> Iterator[Path]:
    """Give a temporary path that replaces `path` when the block ends without an error.

    What replaces a file is on the disk before it takes the file's name, so that a power cut
    leaves the old one or the new one; unless it is not `lasting`.

    Parameters
    ----------
    path : str or os.PathLike
        The file to write. Its folder is created if necessary. A symbolic link stays, and the
        file that it leads to is replaced. What `is_stream` gets the content once the block
        ends; see `streams`. If it is a URL, the file is uploaded then.
    lasting : bool
        Wait for the disk, which takes some 10 ms: too long for one of many small files that
        are easily made again.

    Yields
    ------
    Path
        Where to write. The file is removed if the block raises.

    Raises
    ------
    UsageError
        If it is one of the files that `protecting` protects.
    OSError
        If it cannot be written; its ``filename`` is `path`.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(f"{folder}/a.txt") as temporary:
    ...         _ = temporary.write_text("one")
    ...     os.listdir(folder)
    ['a.txt']
    """
    target = location(path)
    if isinstance(target, Path) and not is_stream(path):
        yield from _replacing_file(path, lasting)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield (temporary := Path(folder) / target.name)
        if not isinstance(target, Path):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(temporary.read_bytes())
            return
        with naming(path), open(temporary, "rb") as file, open_stream(path) as stream:
            shutil.copyfileobj(file, stream)


@contextlib.contextmanager
def protecting(paths: Iterable[str | os.PathLike]) -> Iterator[None]:
    """Let `replacing` refuse to replace these files until the block ends."""
    global _inputs
    before = _inputs
    _inputs = before.union(filter(None, map(_identity, paths)))
    try:
        yield
    finally:
        _inputs = before


def check_is_no_input(path: "AnyPath") -> None:
    """Raise UsageError if a file is one of those that `protecting` protects."""
    if _inputs and _identity(str(path)) in _inputs:
        raise UsageError(f"{path}: is an input of this command and would be replaced by a result; "
                         "write the results elsewhere")


def write_bytes(path: "AnyPath", data: bytes, lasting: bool = True) -> None:
    """Write `data` to `path`, whole or not at all; see `replacing`."""
    with replacing(path, lasting) as temporary:
        temporary.write_bytes(data)


def write_text(path: "AnyPath", text: str) -> str:
    """Write `text` to `path` as UTF-8, whole or not at all, and return it as it was written.

    Bytes of file names that are no UTF-8 become escapes, since no page can show them.
    """
    data = text.encode("utf-8", "backslashreplace")
    write_bytes(path, data)
    return data.decode()


def write_json(path: "AnyPath", value: Any, indent: int | None = 1) -> None:
    """Write `value` to `path` as JSON, whole or not at all.

    Parameters
    ----------
    path : str or os.PathLike
        The file; a URL too.
    value : object
        Dictionaries, lists, strings, numbers and None.
    indent : int, optional
        Spaces per level; None writes a single line.
    """
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    write_bytes(path, (text + "\n").encode("utf-8", "surrogateescape"))


def read_json(path: "AnyPath") -> Any:
    """The value stored in the JSON file `path`."""
    return json.loads(location(path).read_text(encoding="utf-8", errors="surrogateescape"))


def fitting_name(name: str, longest: int = 200) -> str:
    """Shorten a file name so that it leaves room for an extension.

    Parameters
    ----------
    name : str
        The name without its extension.
    longest : int
        Longest result, bytes; file systems allow 255.

    Returns
    -------
    str
        The name itself if it is short enough. Otherwise its beginning and a digest of the
        whole name, so that different names stay different.

    Examples
    --------
    >>> fitting_name("seven"), fitting_name("seven" * 50, 20)
    ('seven', 'sevense_0cfa6f91434f')
    """
    encoded = os.fsencode(name)
    if len(encoded) <= longest:
        return name
    digest = hashlib.sha256(encoded).hexdigest()[:DIGEST_CHARACTERS]
    beginning = encoded[: longest - DIGEST_CHARACTERS - 1]
    return f"{beginning.decode(errors='ignore')}_{digest}"


def csv_line(values: Iterable) -> str:
    """One line of CSV, with its newline; values are quoted where necessary."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(values)
    return out.getvalue()


def csv_lines(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Lines of a CSV file.

    Parameters
    ----------
    columns : sequence of str
        The names of the columns, which become the first line.
    rows : iterable of mapping
        Values by column; a missing value is empty.

    Yields
    ------
    str
        With its newline.

    Examples
    --------
    >>> list(csv_lines(["path", "speaker"], [{"path": "a.wav"}]))
    ['path,speaker\\n', 'a.wav,\\n']
    """
    yield csv_line(columns)
    for row in rows:
        yield csv_line(row.get(column, "") for column in columns)


def write_csv(path: "AnyPath", columns: Sequence[str], rows: Iterable[Mapping[str, Any]],
              lasting: bool = True) -> None:
    """Write a CSV file, whole or not at all.

    Parameters
    ----------
    path : str or os.PathLike
        The file; a URL too.
    columns, rows : sequence of str, iterable of mapping
        As for `csv_lines`; rows are written as they come, so there may be many.
    lasting : bool
        As for `replacing`.
    """
    with _writing_text(path, lasting) as file:
        file.writelines(csv_lines(columns, rows))


def write_json_pairs(path: "AnyPath", pairs: Iterable[tuple[str, str]]) -> None:
    """Write pairs of key and value as `write_json` writes a dictionary.

    Parameters
    ----------
    path : str or os.PathLike
        The file; a URL too.
    pairs : iterable of (str, str)
        They are written as they come, so there may be many.
    """
    with _writing_text(path) as file:
        separator = "{\n "
        for pair in pairs:
            key, value = (json.dumps(text, ensure_ascii=False) for text in pair)
            file.write(f"{separator}{key}: {value}")
            separator = ",\n "
        empty = separator[0] == "{"
        file.write("{}\n" if empty else "\n}\n")


def read_csv(path: "AnyPath") -> list[dict[str, str]]:
    """Rows of the CSV file `path` as dictionaries."""
    return list(csv_rows(path))


def csv_rows(path: "AnyPath") -> Iterator[dict[str, str]]:
    """Rows of the CSV file `path` as dictionaries, read one at a time."""
    with location(path).open(newline="", encoding="utf-8-sig",
                             errors="surrogateescape") as file:
        yield from csv.DictReader(file)


def sha256(path: str | os.PathLike) -> str:
    """Hexadecimal SHA-256 digest of a local file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _writing_text(path: "AnyPath", lasting: bool = True) -> Iterator[TextIO]:
    """A text file that appears when the block ends without an error."""
    with (replacing(path, lasting) as temporary,
          open(temporary, "w", encoding="utf-8", errors="surrogateescape", newline="") as file):
        yield file


def _replacing_file(path: "AnyPath", lasting: bool) -> Iterator[Path]:
    """What `replacing` does for files of this machine."""
    target = Path(os.path.realpath(str(path)))  # where a link leads to
    temporary = target.with_name(f"{UNFINISHED}{secrets.token_hex(8)}{target.suffix[:16]}")
    try:
        with naming(path, temporary):
            mode = _mode_to_keep(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            # Made with the permissions that the user's files have.
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            yield temporary
            if lasting:
                _write_through(temporary)
            if mode is not None:
                os.chmod(temporary, mode)
            os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):  # it may never have been made
            temporary.unlink()
        raise
    with contextlib.suppress(OSError):  # a folder that may be written to and not read
        if lasting:
            _write_through(target.parent)


def _mode_to_keep(path: "AnyPath") -> int | None:
    """Permissions of the file that is replaced; None if there is none yet."""
    try:
        status = os.stat(str(path))
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    check_is_no_input(path)
    return stat.S_IMODE(status.st_mode) & 0o777


def _write_through(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk and not only in memory."""
    if os.name == "nt":  # which opens no folders
        return
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _identity(path: str | os.PathLike) -> tuple[int, int] | None:
    """Device and number of a file; None unless it is one."""
    try:
        status = os.stat(str(path))
    except (OSError, ValueError):
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None
