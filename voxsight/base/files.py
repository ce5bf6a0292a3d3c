"""Reading and writing files: whole-or-nothing writes, JSON and CSV, and remote locations."""

import contextlib
import csv
import getpass
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from voxsight.errors import UsageError

if TYPE_CHECKING:
    from upath import UPath

    AnyPath = str | os.PathLike | UPath

DIGEST_CHARACTERS = 12  # of a SHA-256, enough to keep shortened file names apart


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
def replacing(path: "AnyPath") -> Iterator[Path]:
    """Give a temporary path that replaces `path` when the block ends without an error.

    Parameters
    ----------
    path : str or os.PathLike
        The file to write. Its folder is created if necessary. If it is a URL, the file is
        uploaded when the block ends.

    Yields
    ------
    Path
        Where to write. The file is removed if the block raises.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(f"{folder}/a.txt") as temporary:
    ...         _ = temporary.write_text("one")
    ...     os.listdir(folder)
    ['a.txt']
    """
    target = location(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    if not isinstance(target, Path):
        with tempfile.TemporaryDirectory() as folder:
            yield (temporary := Path(folder) / target.name)
            target.write_bytes(temporary.read_bytes())
        return
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".tmp-", suffix=target.suffix)
    os.close(handle)
    try:
        yield Path(name)
        os.chmod(name, 0o666 & ~_umask())  # mkstemp makes files private
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_bytes(path: "AnyPath", data: bytes) -> None:
    """Write `data` to `path`, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


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
    return json.loads(location(path).read_text(encoding="utf-8"))


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


def write_csv(path: "AnyPath", columns: Sequence[str],
              rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a CSV file, whole or not at all.

    Parameters
    ----------
    path : str or os.PathLike
        The file; a URL too.
    columns, rows : sequence of str, iterable of mapping
        As for `csv_lines`; rows are written as they come, so there may be many.
    """
    with _writing_text(path) as file:
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
        If that one belongs to another user.
    """
    from platformdirs import user_cache_path

    for folder in (user_cache_path("voxsight"), _temporary_folder()):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError:  # a home that cannot be written to, as in some containers
            continue
        if os.access(folder, os.W_OK) and _belongs_to_user(folder):
            return folder
    raise UsageError(f"{folder}: belongs to another user, and the cache folder of this user cannot "
                     "be written to; set XDG_CACHE_HOME to a folder of your own")


def short_digest(text: str) -> str:
    """The first 32 hexadecimal digits of the SHA-256 of a text, for file names."""
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:32]


@contextlib.contextmanager
def _writing_text(path: "AnyPath") -> Iterator[TextIO]:
    """A text file that appears when the block ends without an error."""
    with (replacing(path) as temporary,
          open(temporary, "w", encoding="utf-8", errors="surrogateescape", newline="") as file):
        yield file


def _temporary_folder() -> Path:
    user = getattr(os, "getuid", getpass.getuser)()
    return Path(tempfile.gettempdir()) / f"voxsight-{user}"


def _belongs_to_user(folder: Path) -> bool:
    return not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
