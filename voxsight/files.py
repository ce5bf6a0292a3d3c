"""Files that appear whole or not at all, and what else every module asks of the disk."""

import contextlib
import csv
import getpass
import hashlib
import io
import json
import os
import tempfile
from pathlib import Path

from voxsight.errors import UsageError

SEAL = "sha256"  # key of the digests in sealed JSON


def location(path):
    """Where to read or write, on this machine or elsewhere.

    Parameters
    ----------
    path : path or str
        a URL that fsspec knows, such as ``s3://bucket/folder``, is one of elsewhere

    Returns
    -------
    pathlib.Path or upath.UPath

    Raises
    ------
    UsageError
        if universal_pathlib, or what it needs for this kind of URL, is not installed
    """
    if "://" not in str(path):
        return Path(path)
    try:
        from fsspec.core import url_to_fs
        from upath import UPath

        url_to_fs(str(path))  # asks for the package of this protocol
    except (ImportError, ValueError) as error:
        raise UsageError(f"{path}: found {error}, expected a place that fsspec can reach; run "
                         "pip install 'voxsight[cluster]', and the package of the protocol, "
                         "such as s3fs") from error
    return UPath(path)


def absolute(path):
    """`path` for a process that may run in another folder; a URL is so already."""
    return str(path) if "://" in str(path) else os.path.abspath(path)


def partial_of(path):
    """A local file to add to while `path` is in the making, beside it where that is local."""
    if isinstance(location(path), Path):
        return Path(f"{path}.partial")
    return _own_place() / f"{_hashed(str(path))}.partial"


@contextlib.contextmanager
def replacing(path):
    """Give a temporary path beside `path` that takes its place on success.

    Parameters
    ----------
    path : str or path
        the file to appear; its folder is made when missing. To a URL it is sent at the end

    Yields
    ------
    Path
        where to write; removed again if the block raises
    """
    path = location(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not isinstance(path, Path):
        with tempfile.TemporaryDirectory() as folder:
            yield (temporary := Path(folder) / path.name)
            path.write_bytes(temporary.read_bytes())
        return
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".tmp-", suffix=path.suffix)
    os.close(handle)
    try:
        yield Path(name)
        os.chmod(name, 0o666 & ~_umask())  # mkstemp makes files private
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def only_writer(path):
    """Keep other runs of the same user from writing to `path` meanwhile.

    The lock goes with the process, however it ends, and is not inherited by its workers.

    Parameters
    ----------
    path : path
        a file or a folder, there already or not

    Raises
    ------
    UsageError
        if another run writes there
    """
    name = _hashed(path if "://" in str(path) else os.path.realpath(path))
    with open(_own_place() / f"{name}.lock", "a") as file:
        try:
            _lock(file)
        except OSError as error:
            raise UsageError(f"{path}: found another run that writes there, expected this one "
                             "alone; wait for it, or write elsewhere") from error
        yield


def write_bytes(path, data):
    """Write `data` to `path` whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_json(path, value, indent=1):
    """Write `value` to `path` as JSON, on one line where `indent` is None."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    write_bytes(path, (text + "\n").encode("utf-8", "surrogateescape"))


def read_json(path):
    """Value stored in the JSON file `path`."""
    return json.loads(location(path).read_text(encoding="utf-8"))


def write_sealed_json(path, values, names=()):
    """Write `values` as JSON with digests of files beside it, and of itself.

    Parameters
    ----------
    path : path
    values : dict
    names : sequence of str
        files in the same folder, written before
    """
    path = Path(path)
    digests = {name: sha256(path.parent / name) for name in names}
    digests[path.name] = _digest_of(values | {SEAL: digests})
    write_json(path, values | {SEAL: digests})


def read_sealed_json(path, *, files_too=False):
    """Values that `write_sealed_json` wrote, if they are still the same.

    Parameters
    ----------
    path : path
    files_too : bool
        compare the files beside it with their digests too

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        says which file is missing, was changed or cut, or lacks its digest
    """
    path = Path(path)
    values = read_json(path)
    digests = dict(values.pop(SEAL))
    if digests.pop(path.name, None) != _digest_of(values | {SEAL: digests}):
        raise ValueError("it is not as it was written")
    if missing := [name for name in digests if not (path.parent / name).is_file()]:
        raise ValueError(f"found no {missing[0]} beside it")
    for name, expected in digests.items() if files_too else ():
        found = sha256(path.parent / name)
        if found != expected:
            raise ValueError(f"{name} is not as it was written: found SHA-256 {found[:12]}..., "
                             f"expected {expected[:12]}...")
    return values


def fitting_name(name, longest=200):
    """A file name that leaves room for an ending: cut, with a digest of all of it, if too long.

    Parameters
    ----------
    name : str
    longest : int
        bytes; file systems allow 255
    """
    encoded = os.fsencode(name)
    if len(encoded) <= longest:
        return name
    digest = hashlib.sha256(encoded).hexdigest()[:12]
    return encoded[: longest - 13].decode(errors="ignore") + f"_{digest}"


def csv_line(values):
    """One line of CSV, with its newline, quoted where it must be."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(values)
    return out.getvalue()


def csv_lines(columns, rows):
    """Dictionaries `rows` as lines of CSV with the given columns, and a head."""
    yield csv_line(columns)
    for row in rows:
        yield csv_line(row.get(column, "") for column in columns)


def write_csv(path, columns, rows):
    """Write dictionaries `rows`, which may be many, to `path` as CSV with the given columns."""
    with (replacing(path) as temporary,
          open(temporary, "w", encoding="utf-8", errors="surrogateescape", newline="") as file):
        file.writelines(csv_lines(columns, rows))


def write_json_pairs(path, pairs):
    """What `write_json` writes for a dictionary of `pairs` of strings, which may be many."""
    with (replacing(path) as temporary,
          open(temporary, "w", encoding="utf-8", errors="surrogateescape", newline="") as file):
        before = "{\n "
        for pair in pairs:
            key, value = (json.dumps(text, ensure_ascii=False) for text in pair)
            file.write(f"{before}{key}: {value}")
            before = ",\n "
        file.write("{}\n" if before[0] == "{" else "\n}\n")


def read_csv(path):
    """Rows of the CSV file `path` as dictionaries."""
    return list(csv_rows(path))


def csv_rows(path):
    """Rows of the CSV file `path` as dictionaries, one after the other."""
    with location(path).open(newline="", encoding="utf-8-sig",
                             errors="surrogateescape") as file:
        yield from csv.DictReader(file)


def sha256(path):
    """Hexadecimal SHA-256 digest of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _own_place():
    """A folder for what this user's runs tell each other."""
    place = Path(tempfile.gettempdir()) / f"voxsight-{getattr(os, 'getuid', getpass.getuser)()}"
    place.mkdir(mode=0o700, exist_ok=True)
    return place


def _hashed(text):
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:32]


def _lock(file):
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        # Record locks, since those of flock pass on to workers, which may outlive a run.
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _digest_of(values):
    text = json.dumps(values, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
