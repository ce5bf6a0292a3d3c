"""Shares of the work for machines that share nothing, and their results made one."""

import contextlib
import dataclasses
import itertools
import re
from operator import itemgetter

import numpy as np

from voxsight import files
from voxsight.datasets import DatasetWriter
from voxsight.embeddings import ENCODERS
from voxsight.errors import UsageError
from voxsight.parallel import progress
from voxsight.prediction import COLUMNS


@dataclasses.dataclass(frozen=True)
class Shard:
    """The share ``number`` of ``count``, counted from 1."""

    number: int
    count: int

    def share_of(self, items):
        """Its part of a list; the parts of all shards, one after the other, are the list.

        Examples
        --------
        >>> [Shard(k, 3).share_of("abcdefgh") for k in (1, 2, 3)]
        ['ab', 'cde', 'fgh']
        """
        n = len(items)
        return items[(self.number - 1) * n // self.count: self.number * n // self.count]

    def place(self, out):
        """Where its part of a folder or file `out` is written to.

        Examples
        --------
        >>> Shard(2, 4).place("answers.csv"), Shard(2, 4).place("mfc_dataset/")
        ('answers.csv.parts/2of4.csv', 'mfc_dataset.parts/2of4')
        """
        out = str(out).rstrip("/")
        return f"{out}.parts/{self.number}of{self.count}" + (".csv" if out.endswith(".csv") else "")

    def to_dict(self, total):
        """What a dataset says of being a part, of so many recordings in all."""
        return {"number": self.number, "count": self.count, "recordings": total}


def merge(out, maps="maps", *, quiet=False):
    """Make one of the parts that all shards wrote.

    Parameters
    ----------
    out : str
        the ``--out`` of ``preprocess_wavs.py`` or the ``--csv`` of ``deploy_model.py`` that the
        shards were given
    maps : str or path
        folder for the maps of a dataset
    quiet : bool
        no progress bar

    Returns
    -------
    int
        pictures, or rows; the parts are left where they are

    Raises
    ------
    UsageError
        if a part is missing, unfinished, or of another run
    """
    parts = _parts_of(str(out).rstrip("/"))
    if parts[0].is_file():
        return _merge_tables(out, parts)
    return _merge_datasets(out, maps, parts, quiet)


def _merge_tables(out, parts):
    files.write_csv(out, COLUMNS, itertools.chain.from_iterable(map(files.csv_rows, parts)))
    return sum(1 for _ in files.csv_rows(out))


def _merge_datasets(out, maps, parts, quiet):
    settings = _common_settings(parts)
    with files.only_writer(out), contextlib.closing(DatasetWriter(out, maps, settings)) as writer:
        recordings = ((part, *found) for part in parts for found in _recordings_of(part))
        for part, first, rows in progress(recordings, None, desc="merge", unit="recording",
                                          quiet=quiet):
            if rows[0]["source"] not in writer.done:
                jpegs = [(part / row["image"]).read_bytes() for row in rows]
                heard = _embeddings(part, settings.get("teacher"), first, len(rows))
                writer.add(rows, jpegs, heard)
        writer.finish()
    return writer.pictures


def _recordings_of(part):
    """The number of its first picture, and the rows, of each recording of a dataset."""
    first = 0
    for _, rows in itertools.groupby(files.csv_rows(part / "manifest.csv"), itemgetter("source")):
        rows = list(rows)
        yield first, rows
        first += len(rows)


def _embeddings(part, encoder, first, count):
    if encoder is None:
        return ()
    size = ENCODERS[encoder].size
    return np.fromfile(part / f"{encoder}.float16", np.float16, count * size,
                       offset=2 * first * size).reshape(count, size)


def _common_settings(parts):
    """What ``recipe.json`` of the whole says."""
    found = [files.read_json(part / "recipe.json") for part in parts]
    shards = [settings.pop("shard") for settings in found]
    for part, settings, shard in zip(parts, found, shards):
        if settings != found[0] or shard["recordings"] != shards[0]["recordings"]:
            raise UsageError(f"{part}: found other settings, or another corpus, than in "
                             f"{parts[0]}, expected the same in all parts; remove the one that "
                             "is wrong and convert its shard again")
    return found[0]


def _parts_of(out):
    """Finished parts in the order of their shards."""
    folder = files.location(f"{out}.parts")
    if not folder.is_dir():
        raise UsageError(f"{out}: found no {folder}, expected the parts of shards there; run each "
                         "with --shard K/N and this place")
    found = {}
    for part in folder.iterdir():
        name = re.fullmatch(r"(\d+)of(\d+)(\.csv)?", part.name)
        if name and (part.is_file() or (part / "manifest.csv").is_file()):
            found[int(name[2]), int(name[1])] = part
    count = max(found, default=(1, 1))[0]
    missing = [f"{k}/{count}" for k in range(1, count + 1) if (count, k) not in found]
    if missing or len(found) != count:
        raise UsageError(f"{folder}: found {len(found)} finished parts, expected those of "
                         f"{count} shards and no other; "
                         + (f"run --shard {', '.join(missing)}" if missing
                            else "remove those of another number of shards"))
    return [found[count, k] for k in range(1, count + 1)]
