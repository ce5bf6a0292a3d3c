"""Merges the datasets that shards wrote into one."""

import contextlib
import itertools
import os
from collections.abc import Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxsight.base import files, locks
from voxsight.base.parallel.shards import parts_of
from voxsight.base.progress import progress
from voxsight.encoders import ENCODERS
from voxsight.errors import UsageError
from voxsight.pictures.dataset import embeddings_path
from voxsight.pictures.writing import DatasetWriter, Row, identity

if TYPE_CHECKING:
    from upath import UPath


def merge_datasets(out: str | os.PathLike, maps: str | os.PathLike = "maps", *,
                   quiet: bool = False) -> int:
    """Merge the parts that all shards wrote into one dataset.

    Parameters
    ----------
    out : str or os.PathLike
        The ``--out`` of ``preprocess_wavs.py`` that the shards were given. The parts stay where
        they are.
    maps : str or os.PathLike
        Folder for the maps of the dataset.
    quiet : bool
        No progress bar.

    Returns
    -------
    int
        Number of pictures.

    Raises
    ------
    UsageError
        If a part is missing, unfinished, or of another run.
    """
    parts = parts_of(out)
    settings = _common_settings(parts)
    present = {row["source"]: identity(row) for part in parts
               for row in files.csv_rows(part / "manifest.csv")}
    with (locks.only_writer(out),
          contextlib.closing(DatasetWriter(out, maps, settings, present)) as writer):
        recordings = ((part, first, rows) for part in parts
                      for first, rows in _recordings_of(part))
        for part, first, rows in progress(recordings, None, desc="merge", unit="recording",
                                          quiet=quiet):
            if rows[0]["source"] not in writer.done:
                jpegs = [(part / row["image"]).read_bytes() for row in rows]
                embeddings = _embeddings(part, settings.get("teacher"), first, len(rows))
                writer.add(rows, jpegs, embeddings)
        writer.finish()
    return writer.n_pictures


def _recordings_of(part: "Path | UPath") -> Iterator[tuple[int, list[Row]]]:
    """Number of the first picture, and rows, of each recording of a dataset."""
    first = 0
    for _, group in itertools.groupby(files.csv_rows(part / "manifest.csv"),
                                      itemgetter("source")):
        rows: list[Row] = list(group)
        yield first, rows
        first += len(rows)


def _embeddings(part: "Path | UPath", encoder: str | None, first: int,
                count: int) -> Sequence[np.ndarray]:
    """Embeddings of consecutive pictures; none without a teacher."""
    if encoder is None:
        return ()
    size = ENCODERS[encoder].size
    assert size is not None  # a teacher's embeddings have one length
    values = np.fromfile(str(embeddings_path(str(part), encoder)), np.float16, count * size,
                         offset=2 * first * size)
    return list(values.reshape(count, size))


def _common_settings(parts: "Sequence[Path | UPath]") -> dict[str, Any]:
    """Contents of ``recipe.json`` of the whole dataset."""
    settings_of_parts = [files.read_json(part / "recipe.json") for part in parts]
    shards = [settings.pop("shard") for settings in settings_of_parts]
    for part, settings, shard in zip(parts, settings_of_parts, shards):
        if (settings != settings_of_parts[0]
                or shard["recordings"] != shards[0]["recordings"]):
            raise UsageError(f"{part}: was made with other settings, or from another corpus, than "
                             f"{parts[0]}; remove the one that is wrong and convert its shard "
                             "again")
    return settings_of_parts[0]
