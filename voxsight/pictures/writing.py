"""Writing a dataset so that a stopped conversion can be resumed."""

import itertools
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from voxsight.base import files
from voxsight.base.journal import Journal
from voxsight.corpora.utterance import LABELS
from voxsight.encoders import ENCODERS
from voxsight.errors import UsageError
from voxsight.pictures.dataset import COLUMNS, embeddings_path

Row = dict[str, Any]  # of the manifest


class DatasetWriter:
    """Writes pictures and a manifest; a run that was killed is resumed by the next one.

    The rows of a recording go to a journal after its pictures are on disk, and become the
    manifest at the end. Pictures are numbered in the order of the recordings, so a resumed run
    writes the same bytes as an uninterrupted one.

    Parameters
    ----------
    folder, maps : str or os.PathLike
        Where pictures and maps go; URLs too.
    settings : dict
        Contents of ``recipe.json``. If it names a ``teacher``, every picture has an embedding.

    Attributes
    ----------
    folder, maps : path
    done : set of str
        Recordings whose pictures are stored.

    Raises
    ------
    UsageError
        If the folder holds pictures made with other settings.
    """

    def __init__(self, folder: str | os.PathLike, maps: str | os.PathLike,
                 settings: Mapping[str, Any]) -> None:
        self.folder, self.maps = files.location(folder), files.location(maps)
        self._manifest = self.folder / "manifest.csv"
        self._temporary_picture = self.folder / ".tmp-picture"
        self._claim(settings)
        self.done: set[str] = set()
        self._counts: Counter[str] = Counter()
        self._journal = self._resumed(settings)
        self._embeddings = self._open_embeddings(settings.get("teacher"))

    @property
    def n_pictures(self) -> int:
        """Pictures in the dataset."""
        return self._counts.total()

    def add(self, rows: Sequence[Row], jpegs: Sequence[bytes],
            embeddings: Sequence[np.ndarray] = ()) -> None:
        """Store the pictures of one recording; `rows` lack their ``image``."""
        self.name(rows)
        for row, jpeg in zip(rows, jpegs):
            self._store(jpeg, self.folder / row["image"])
        self.log(rows, embeddings)

    def name(self, rows: Sequence[Row]) -> None:
        """Give the pictures of one recording the next free names."""
        for row in rows:
            row["image"] = f"{row['gender']}_{self._counts[row['gender']]}.jpg"
            self._counts[row["gender"]] += 1

    def log(self, rows: Sequence[Row], embeddings: Sequence[np.ndarray] = ()) -> None:
        """Remember that the pictures of one recording, named before, are stored."""
        if self._embeddings:
            self._embeddings.write(np.asarray(embeddings, np.float16).tobytes())
            self._embeddings.flush()
        self._journal.add([[row[column] for column in COLUMNS] for row in rows])

    def finish(self) -> None:
        """Write the manifest and one map per gender."""
        files.write_csv(self._manifest, COLUMNS, self._rows())
        base = self.folder.resolve().parent if isinstance(self.folder, Path) else None
        for gender in LABELS:
            files.write_json_pairs(self.maps / f"{gender}.json", (
                (f"{self.folder.name}/{row['image']}", portable_path(row["source"], base))
                for row in self._rows() if row["gender"] == gender))
        self._journal.remove()

    def close(self) -> None:
        """Leave what is done for the next run."""
        self._journal.close()
        if self._embeddings:
            self._embeddings.close()

    def _rows(self) -> Iterator[Row]:
        for entry in self._journal.entries():
            yield from (dict(zip(COLUMNS, values)) for values in entry)

    def _store(self, jpeg: bytes, path: Any) -> None:
        if not isinstance(path, Path):
            files.write_bytes(path, jpeg)
            return
        self._temporary_picture.write_bytes(jpeg)
        self._temporary_picture.replace(path)

    def _claim(self, settings: Mapping[str, Any]) -> None:
        path = self.folder / "recipe.json"
        if path.is_file() and _stored_settings(path) != settings:
            raise UsageError(f"{path}: the folder has pictures made with other settings than "
                             "those of this command; choose another --out or remove the "
                             "folder")
        if not path.is_file():
            files.partial_of(self._manifest).unlink(missing_ok=True)  # of a dataset that is gone
        files.write_json(path, settings)

    def _resumed(self, settings: Mapping[str, Any]) -> Journal:
        """The journal of the run before, or one with the rows of the finished manifest."""
        journal = Journal(str(self._manifest), settings, self._finished())
        for entry in journal.entries():
            for row in (dict(zip(COLUMNS, values)) for values in entry):
                self.done.add(row["source"])
                self._counts[row["gender"]] += 1
        return journal

    def _finished(self) -> Iterator[list[list[Any]]]:
        """The rows of a finished manifest, those of a recording together."""
        rows = files.csv_rows(self._manifest) if self._manifest.is_file() else iter(())
        for _, group in itertools.groupby(rows, itemgetter("source")):
            yield [[row[column] for column in COLUMNS] for row in group]

    def _open_embeddings(self, teacher: str | None) -> BinaryIO | None:
        if teacher is None:
            return None
        if not isinstance(self.folder, Path):
            raise UsageError(f"{self.folder}: is a URL, but the teacher's embeddings need a "
                             "folder of this machine; name one with --out")
        file = open(embeddings_path(self.folder, teacher), "ab")
        # A killed run may have written embeddings of pictures that are made again.
        file.truncate(self.n_pictures * 2 * (ENCODERS[teacher].size or 0))
        return file


def _stored_settings(path: Any) -> Any:
    """Contents of ``recipe.json``; None if it is broken."""
    try:
        return files.read_json(path)
    except ValueError:
        return None


def portable_path(path: str | os.PathLike, base: Path | None) -> str:
    """`path` with ``/``, relative to the folder `base` if it lies in it, else absolute."""
    place = Path(os.path.abspath(path))
    inside = base is not None and place.is_relative_to(base)
    return (place.relative_to(base) if base and inside else place).as_posix()
