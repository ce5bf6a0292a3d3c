"""Shards: parts of the work for machines that share nothing, and merging their results."""

import dataclasses
import itertools
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from voxsight.base import files
from voxsight.errors import UsageError

if TYPE_CHECKING:
    from upath import UPath

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Shard:
    """One part of the work.

    Attributes
    ----------
    number : int
        Which part, counted from 1.
    count : int
        Number of parts.
    """

    number: int
    count: int

    def part_of(self, items: list[T]) -> list[T]:
        """The items of this shard.

        Parameters
        ----------
        items : list
            All items. The parts of all shards, one after the other, are these items again.

        Returns
        -------
        list

        Examples
        --------
        >>> [Shard(k, 3).part_of([1, 2, 3, 4, 5, 6, 7, 8]) for k in (1, 2, 3)]
        [[1, 2], [3, 4, 5], [6, 7, 8]]
        """
        n = len(items)
        return items[(self.number - 1) * n // self.count: self.number * n // self.count]

    def path_for(self, out: str | os.PathLike) -> str:
        """Path of the results of this shard.

        Parameters
        ----------
        out : str or os.PathLike
            The folder or CSV file that the results of all shards become.

        Returns
        -------
        str

        Examples
        --------
        >>> Shard(2, 4).path_for("answers.csv"), Shard(2, 4).path_for("mfc_dataset/")
        ('answers.csv.parts/2of4.csv', 'mfc_dataset.parts/2of4')
        """
        name = str(out).rstrip("/")
        extension = ".csv" if name.endswith(".csv") else ""
        return f"{name}.parts/{self.number}of{self.count}{extension}"

    def to_dict(self, total: int) -> dict[str, int]:
        """The entry about the shard in the settings of a dataset.

        Parameters
        ----------
        total : int
            Number of recordings of all shards.

        Returns
        -------
        dict
        """
        return {"number": self.number, "count": self.count, "recordings": total}


def merge_tables(out: str | os.PathLike, columns: Sequence[str]) -> int:
    """Merge the CSV files of all shards into one.

    Parameters
    ----------
    out : str or os.PathLike
        The CSV to write; the shards wrote to `Shard.path_for` of it.
    columns : sequence of str
        Its columns.

    Returns
    -------
    int
        Number of rows.

    Raises
    ------
    UsageError
        As `parts_of`.
    """
    parts = parts_of(out)
    files.write_csv(out, columns, itertools.chain.from_iterable(map(files.csv_rows, parts)))
    return sum(1 for _ in files.csv_rows(out))


def parts_of(out: str | os.PathLike) -> "list[Path | UPath]":
    """Results of all shards.

    Parameters
    ----------
    out : str or os.PathLike
        The file or folder that they become.

    Returns
    -------
    list of Path or upath.UPath
        In the order of the shards.

    Raises
    ------
    UsageError
        If one is missing or unfinished, or there are results of another number of shards.
    """
    out = str(out).rstrip("/")
    folder = files.location(f"{out}.parts")
    if not folder.is_dir():
        raise UsageError(f"{out}: found no {folder}, expected the parts of shards there; run each "
                         "with --shard K/N and this path")
    parts = {}
    for part in folder.iterdir():
        name = re.fullmatch(r"(\d+)of(\d+)(\.csv)?", part.name)
        if name and (part.is_file() or (part / "manifest.csv").is_file()):
            parts[int(name[2]), int(name[1])] = part
    count = max(parts, default=(1, 1))[0]
    missing = [f"{k}/{count}" for k in range(1, count + 1) if (count, k) not in parts]
    if missing or len(parts) != count:
        remedy = (f"run --shard {', '.join(missing)}" if missing
                  else "remove those of another number of shards")
        raise UsageError(f"{folder}: found {len(parts)} finished parts, expected those of "
                         f"{count} shards and no other; {remedy}")
    return [parts[count, k] for k in range(1, count + 1)]
