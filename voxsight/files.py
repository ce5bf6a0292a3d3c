"""Files that appear whole or not at all, and what else every module asks of the disk."""

import contextlib
import csv
import hashlib
import io
import json
import os
import tempfile
from pathlib import Path


@contextlib.contextmanager
def replacing(path):
    """Give a temporary path beside `path` that takes its place on success.

    Parameters
    ----------
    path : str or os.PathLike
        the file to appear; its folder is made when missing

    Yields
    ------
    Path
        where to write; removed again if the block raises
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".tmp-", suffix=path.suffix)
    os.close(handle)
    try:
        yield Path(name)
        os.chmod(name, 0o666 & ~_umask())  # mkstemp makes files private
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


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
    return json.loads(Path(path).read_text(encoding="utf-8"))


def csv_line(values):
    """One line of CSV, with its newline, quoted where it must be."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(values)
    return out.getvalue()


def write_csv(path, columns, rows):
    """Write dictionaries `rows` to `path` as CSV with the given columns."""
    lines = [csv_line(columns)]
    lines += [csv_line(row.get(column, "") for column in columns) for row in rows]
    write_bytes(path, "".join(lines).encode("utf-8", "surrogateescape"))


def read_csv(path):
    """Rows of the CSV file `path` as dictionaries."""
    with open(path, newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
        return list(csv.DictReader(file))


def sha256(path):
    """Hexadecimal SHA-256 digest of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
