"""Writing a dataset so that a stopped conversion can be resumed."""

import itertools
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from voxsight.base import files
from voxsight.base.journal import Journal
from voxsight.corpora.utterance import LABELS
from voxsight.encoders import ENCODERS
from voxsight.errors import UsageError
from voxsight.pictures.dataset import COLUMNS, embeddings_path

Row = dict[str, Any]  # of the manifest


class Identity(NamedTuple):
    """A recording as it was converted: the state of its file, and what the corpus says of it."""

    state: str
    speaker: str
    gender: str
    corpus: str


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
    present : mapping of str to tuple
        `identity` of each recording as it is now. Pictures of one that has changed since, or
        that has another label, are made again.

    Attributes
    ----------
    folder, maps : path
    done : set of str
        Recordings whose pictures are stored and show them as they are now.

    Raises
    ------
    UsageError
        If the folder holds pictures made with other settings.
    """

    def __init__(self, folder: str | os.PathLike, maps: str | os.PathLike,
                 settings: Mapping[str, Any],
                 present: Mapping[str, Identity] = MappingProxyType({})) -> None:
        self.folder, self.maps = files.location(folder), files.location(maps)
        self._manifest = self.folder / "manifest.csv"
        self._temporary_picture = self.folder / ".tmp-picture"
        self._claim(settings)
        self._present = present
        self.done: set[str] = set()
        self._next: Counter[str] = Counter()  # number of the next picture of each gender
        self._teacher = settings.get("teacher")
        self._outdated: list[str] = []  # pictures that are replaced
        self._journal = self._resumed(settings)
        self._embeddings = self._open_embeddings()

    @property
    def n_pictures(self) -> int:
        """Pictures in the dataset."""
        return self._n_pictures

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
            row["image"] = f"{row['gender']}_{self._next[row['gender']]}.jpg"
            self._next[row["gender"]] += 1

    def log(self, rows: Sequence[Row], embeddings: Sequence[np.ndarray] = ()) -> None:
        """Remember that the pictures of one recording, named before, are stored."""
        if self._embeddings:
            self._embeddings.write(np.asarray(embeddings, np.float16).tobytes())
            self._embeddings.flush()
        self._journal.add([[row[column] for column in COLUMNS] for row in rows])
        self._n_pictures += len(rows)

    def finish(self) -> None:
        """Write the manifest and one map per gender."""
        files.write_csv(self._manifest, COLUMNS, self._rows())
        base = self.folder.resolve().parent if isinstance(self.folder, Path) else None
        for gender in LABELS:
            files.write_json_pairs(self.maps / f"{gender}.json", (
                (f"{self.folder.name}/{row['image']}", portable_path(row["source"], base))
                for row in self._rows() if row["gender"] == gender))
        for image in self._outdated:
            (self.folder / image).unlink(missing_ok=True)
        self._journal.remove()

    def close(self) -> None:
        """Leave what is done for the next run."""
        self._journal.close()
        if self._embeddings:
            self._embeddings.close()

    def _rows(self) -> Iterator[Row]:
        for entry in self._journal.entries():
            yield from _rows_of(entry)

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
        """The journal of the run before, or one with the rows of the finished manifest.

        Entries of recordings that have changed are taken out of it, and their embeddings out of
        their file. A run that is killed meanwhile leaves a journal and embeddings that agree,
        or the embeddings that belong to the journal beside the others.
        """
        journal = Journal(str(self._manifest), settings, self._finished())
        self._take_up_embeddings(sum(map(len, journal.entries())))
        current: list[bool] = []  # of each picture
        for row in (row for entry in journal.entries() for row in _rows_of(entry)):
            current.append(self._is_current(row))
            number = int(Path(row["image"]).stem.rpartition("_")[2])
            self._next[row["gender"]] = max(self._next[row["gender"]], number + 1)
            if current[-1]:
                self.done.add(row["source"])
            else:
                self._outdated.append(row["image"])
        self._n_pictures = sum(current)
        if self._outdated:
            self._keep_embeddings(current)
            journal.replace(entry for entry in journal.entries()
                            if self._is_current(_rows_of(entry)[0]))
            self._take_up_embeddings(self._n_pictures)
        return journal

    def _is_current(self, row: Row) -> bool:
        """Whether the recording of a row is as it was; True if that is not known."""
        stored, now = identity(row), self._present.get(row["source"])
        if now is None:
            return True
        same_file = stored.state == now.state or not (stored.state and now.state)
        return same_file and stored[1:] == now[1:]

    def _finished(self) -> Iterator[list[list[Any]]]:
        """The rows of a finished manifest, those of a recording together."""
        rows = files.csv_rows(self._manifest) if self._manifest.is_file() else iter(())
        for _, group in itertools.groupby(rows, itemgetter("source")):
            yield [[row.get(column) or "" for column in COLUMNS] for row in group]

    @property
    def _embedding_bytes(self) -> int:
        """Size of the embedding of one picture in its file; 0 without a teacher."""
        return 2 * (ENCODERS[self._teacher].size or 0) if self._teacher else 0

    def _embeddings_places(self) -> tuple[Path, Path]:
        """The file of the embeddings, and the one that is about to replace it."""
        if not isinstance(self.folder, Path):
            raise UsageError(f"{self.folder}: is a URL, but the teacher's embeddings need a "
                             "folder of this machine; name one with --out")
        place = embeddings_path(self.folder, self._teacher or "")
        return place, place.with_name(f"{place.name}.partial")

    def _open_embeddings(self) -> BinaryIO | None:
        if self._teacher is None:
            return None
        file = open(self._embeddings_places()[0], "ab")
        # A killed run may have written embeddings of pictures that are made again.
        file.truncate(self.n_pictures * self._embedding_bytes)
        return file

    def _keep_embeddings(self, current: Sequence[bool]) -> None:
        """Write those of the current pictures beside the others."""
        if self._teacher:
            place, kept = self._embeddings_places()
            rows = np.fromfile(place, np.uint8)[: len(current) * self._embedding_bytes]
            rows.reshape(len(current), -1)[np.array(current, bool)].tofile(kept)

    def _take_up_embeddings(self, n_pictures: int) -> None:
        """Let the file that `_keep_embeddings` wrote replace the other, if it fits the journal."""
        if self._teacher:
            place, kept = self._embeddings_places()
            if kept.is_file() and kept.stat().st_size == n_pictures * self._embedding_bytes:
                kept.replace(place)
            kept.unlink(missing_ok=True)


def identity(row: Row) -> Identity:
    """What the pictures in a row of the manifest depend on, of the recording and its labels."""
    return Identity(row.get("state") or "", row["speaker"], row["gender"], row["corpus"])


def _rows_of(entry: Sequence[Sequence[Any]]) -> list[Row]:
    """Rows of the manifest in an entry of the journal."""
    return [dict(zip(COLUMNS, values)) for values in entry]


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
