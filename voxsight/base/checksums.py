"""JSON with checksums of itself and of files beside it: detects damage, not malice."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from voxsight.base.files import read_json, sha256, write_json

DIGESTS = "sha256"  # key of the checksums in the JSON


def write_checksummed_json(path: str | os.PathLike, values: Mapping[str, Any],
                           names: Sequence[str] = ()) -> None:
    """Write `values` as JSON with the checksums of files beside it, and of itself.

    Parameters
    ----------
    path : str or os.PathLike
        The JSON file.
    values : mapping
        What to write.
    names : sequence of str
        Files in the same folder, which must exist.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_checksummed_json(f"{folder}/config.json", {"epochs": 3})
    ...     read_checksummed_json(f"{folder}/config.json")
    {'epochs': 3}
    """
    path = Path(path)
    digests = {name: sha256(path.parent / name) for name in names}
    digests[path.name] = _digest_of({**values, DIGESTS: digests})
    write_json(path, {**values, DIGESTS: digests})


def read_checksummed_json(path: str | os.PathLike, *, files_too: bool = False) -> dict[str, Any]:
    """Read what `write_checksummed_json` wrote, and check that it has not changed.

    Parameters
    ----------
    path : str or os.PathLike
        The JSON file.
    files_too : bool
        Compare the files beside it with their checksums, too.

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        Says which file is missing, was changed or cut, or lacks its checksum.
    """
    path = Path(path)
    values = read_json(path)
    digests = dict(values.pop(DIGESTS))
    if digests.pop(path.name, None) != _digest_of(values | {DIGESTS: digests}):
        raise ValueError("it is not as it was written")
    if missing := [name for name in digests if not (path.parent / name).is_file()]:
        raise ValueError(f"found no {missing[0]} beside it")
    if files_too:
        for name, expected in digests.items():
            _check_file(path.parent / name, expected)
    return values


def _check_file(path: Path, expected: str) -> None:
    actual = sha256(path)
    if actual != expected:
        raise ValueError(f"{path.name} is not as it was written: found SHA-256 {actual[:12]}..., "
                         f"expected {expected[:12]}...")


def _digest_of(values: Mapping[str, Any]) -> str:
    text = json.dumps(values, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
