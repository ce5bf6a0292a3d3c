"""Converts the recordings of a corpus to a folder of pictures, on all cores; can be resumed."""

import contextlib
import dataclasses
import functools
import os
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import soxr

from voxsight.base import files, locks
from voxsight.base.parallel.cluster import AHEAD, connected
from voxsight.base.parallel.shards import Shard
from voxsight.base.parallel.workers import ordered_map
from voxsight.base.progress import progress
from voxsight.base.store import file_state
from voxsight.corpora.utterance import Utterance
from voxsight.encoders import Encoder, find_encoder
from voxsight.errors import RecordingError
from voxsight.pictures import alteration, cepstra, jpeg
from voxsight.pictures.recipe import Recipe
from voxsight.pictures.writing import DatasetWriter, Row, identity
from voxsight.sound.excerpts import MARGIN_S, RATE
from voxsight.sound.recording import Recording, incomplete, undecodable
from voxsight.sound.windows import Window, WindowReader

if TYPE_CHECKING:
    from distributed import Future

# Manifest rows, JPEGs and embeddings of the pictures of one recording; without the JPEGs if
# they stay on a worker of a cluster.
_Converted = tuple[list[Row], list[bytes], list[np.ndarray]]
_Named = tuple[list[Row], list[np.ndarray]]


@dataclasses.dataclass(frozen=True)
class Conversion:
    """Result of a conversion.

    Attributes
    ----------
    pictures : int
        Pictures in the dataset.
    recordings : int
        Recordings that this run converted.
    already_done : int
        Recordings that an earlier run had converted.
    failures : tuple of RecordingError
        One for each recording that cannot be converted.
    """

    pictures: int
    recordings: int
    already_done: int
    failures: tuple[RecordingError, ...]


def convert(utterances: list[Utterance], recipe: Recipe, out: str | os.PathLike,
            maps: str | os.PathLike, *, root: str | os.PathLike, altered_copies: float = 0.0,
            teacher: str | None = None, plan: str = "", jobs: int | None = None,
            dask: str | None = None, shard: Shard | None = None,
            quiet: bool = False) -> Conversion:
    """Write the pictures of a corpus, its manifest and its maps.

    Parameters
    ----------
    utterances : list of Utterance
    recipe : Recipe
    out, maps : str or os.PathLike
        Folders to write to, or URLs that fsspec supports.
    root : str or os.PathLike
        Folder of the corpus. Random choices are seeded by paths relative to it, so that they do
        not depend on where the corpus lies.
    altered_copies : float
        Altered copies of each picture: 0.1 is one for every tenth recording, 2.5 is two for each
        recording and a third for every other one.
    teacher : str, optional
        Key of `ENCODERS`. The embedding of the voice in each picture is stored too.
    plan : str
        Digest of a comparison. Pictures that were made for another one are refused.
    jobs : int, optional
        Worker processes (default: all cores).
    dask : str, optional
        Address of a Dask cluster whose workers convert, and write the pictures.
    shard : Shard, optional
        Convert only this part of the recordings, to where `merging.merge_datasets` expects it.
    quiet : bool
        No progress bar.

    Returns
    -------
    Conversion

    Raises
    ------
    UsageError
        If `out` has pictures made with other settings, or another run writes there.
    """
    settings: dict[str, Any] = {"recipe": recipe.to_dict(), "augment": altered_copies}
    if teacher:
        settings["teacher"] = teacher
    if plan:
        settings["plan"] = plan
    if shard:
        settings["shard"] = shard.to_dict(len(utterances))
        utterances, out = shard.part_of(utterances), shard.path_for(out)
        maps = f"{out}/maps"
    open_converter = functools.partial(_open_converter, recipe, os.path.abspath(root),
                                       altered_copies, teacher)
    failures: list[RecordingError] = []
    present = {os.path.abspath(u.path): identity(_described(u)) for u in utterances}
    with (locks.only_writer(out),
          contextlib.closing(DatasetWriter(out, maps, settings, present)) as writer):
        todo = [u for u in utterances if os.path.abspath(u.path) not in writer.done]
        if dask:
            errors = _convert_by_cluster(dask, open_converter, todo, writer)
        else:
            errors = _stored(ordered_map(open_converter, todo, jobs, _lost), writer.add)
        for error in progress(errors, len(todo), desc="MFC pictures", unit="recording",
                              quiet=quiet):
            failures += [error] if error else []
        writer.finish()
    return Conversion(writer.n_pictures, len(todo) - len(failures),
                      len(utterances) - len(todo), tuple(failures))


def _lost(utterance: Utterance) -> RecordingError:
    return undecodable(utterance.path)


def _stored(results: Iterable[tuple | RecordingError],
            store: Callable[..., None]) -> Iterator[RecordingError | None]:
    """Store the result of each recording; yields its error, or None."""
    for result in results:
        if isinstance(result, RecordingError):
            yield result
        else:
            store(*result)
            yield None


def _convert_by_cluster(address: str, open_converter: Callable[[], Callable],
                        utterances: Sequence[Utterance],
                        writer: DatasetWriter) -> Iterator[RecordingError | None]:
    """Let the workers of a cluster convert, and store their results; yields as `_stored`.

    Pictures are numbered over all recordings. A worker is therefore told the names of its
    pictures once those of all recordings before have been counted. It writes the pictures itself;
    they never pass through this process.
    """
    todo = [dataclasses.replace(u, path=os.path.abspath(u.path)) for u in utterances]
    folder = files.absolute(writer.folder)
    with connected(address, open_converter, _lost) as cluster:
        writing: deque[tuple[list[_Named | RecordingError], Future]] = deque()
        for future in cluster.futures(todo):
            results = cluster.submit(_without_jpegs, future).result()
            for result in results:
                if not isinstance(result, RecordingError):
                    writer.name(result[0])
            writing.append((results, cluster.submit(_write_pictures, future, results, folder)))
            if len(writing) > AHEAD:
                yield from _logged(*writing.popleft(), writer)
        for results, written in writing:
            yield from _logged(results, written, writer)


def _logged(results: list[_Named | RecordingError], written: "Future",
            writer: DatasetWriter) -> Iterator[RecordingError | None]:
    """Wait until a worker has written its pictures, then log them; yields as `_stored`."""
    written.result()
    yield from _stored(results, writer.log)


def _without_jpegs(
        results: list[_Converted | RecordingError]) -> list[_Named | RecordingError]:
    """Results without the JPEGs. Runs on a worker."""
    return [result if isinstance(result, RecordingError) else (result[0], result[2])
            for result in results]


def _write_pictures(results: list[_Converted | RecordingError],
                    named: list[_Named | RecordingError], folder: str) -> None:
    """Write pictures under the names in their rows. Runs on a worker."""
    for result, names in zip(results, named):
        if isinstance(result, RecordingError) or isinstance(names, RecordingError):
            continue
        for row, picture in zip(names[0], result[1]):
            files.write_bytes(f"{folder}/{row['image']}", picture)


def _open_converter(recipe: Recipe, root: str, altered_copies: float, teacher: str | None
                    ) -> Callable[[Utterance], _Converted | RecordingError]:
    """The function that converts one utterance."""
    opened = _Teacher(find_encoder(teacher), recipe.sample_rate) if teacher else None
    return functools.partial(_pictures_of, recipe=recipe, root=root,
                             altered_copies=altered_copies, teacher=opened)


def _pictures_of(utterance: Utterance, *, recipe: Recipe, root: str, altered_copies: float,
                 teacher: "_Teacher | None") -> _Converted | RecordingError:
    """Pictures of one utterance, or the error that prevented them."""
    key = os.path.relpath(os.path.abspath(utterance.path), root).replace(os.sep, "/")
    described = _described(utterance)
    rows: list[Row] = []
    jpegs: list[bytes] = []
    embeddings: list[np.ndarray] = []
    try:
        # The published pictures show whole recordings, whether they contain speech or not.
        reader = WindowReader(Recording(utterance.path), recipe.window_settings,
                              whole_if_short=recipe.level == "stored",
                              margin_s=MARGIN_S if altered_copies or teacher else 0.0)
        versions = _versions(reader.windows(), utterance.gender, recipe, key, altered_copies)
        for version in versions:
            jpegs.append(jpeg.encode(_picture(version.samples, key, recipe), recipe))
            rows.append(_row(described, version))
            if teacher:
                embeddings.append(teacher.embed(version))
        if not reader.recording.n_nonzero:
            raise RecordingError(utterance.path, "found zeros only", "a voice",
                                 "record it again or leave it out")
        if not reader.recording.is_nearly_whole:
            raise incomplete(reader.recording)
    except RecordingError as error:
        return error
    return rows, jpegs, embeddings


@dataclasses.dataclass(frozen=True)
class _Version:
    """A window of a recording, as recorded or altered.

    Attributes
    ----------
    window : Window
    kinds : str
        How it was altered; empty if it was not.
    samples : np.ndarray [shape=(n,), float32]
        What the picture shows.
    voice : np.ndarray [shape=(m,), float32]
        The voice in it and around it, without what was added to the voice.
    """

    window: Window
    kinds: str
    samples: np.ndarray
    voice: np.ndarray


class _Teacher:
    """An encoder that embeds each voice once, however many pictures show it."""

    def __init__(self, encoder: Encoder, rate: int) -> None:
        self._encoder, self._rate = encoder, rate
        self._window: Window | None = None
        self._as_recorded = np.zeros(0, np.float32)

    def embed(self, version: _Version) -> np.ndarray:
        """Embedding of the voice of a version."""
        if version.voice is not version.window.surroundings:
            return self._embed(version.voice)
        if version.window is not self._window:
            self._window, self._as_recorded = version.window, self._embed(version.voice)
        return self._as_recorded

    def _embed(self, voice: np.ndarray) -> np.ndarray:
        if self._rate != RATE:
            voice = soxr.resample(voice, self._rate, RATE)
        return self._encoder.embed(voice)


def _versions(windows: Iterable[Window], gender: str, recipe: Recipe, key: str,
              altered_copies: float) -> Iterator[_Version]:
    """Each window unaltered, followed by its altered copies.

    Whether a recording has one copy more or less is drawn once for all of its windows.
    """
    rng = np.random.default_rng([zlib.crc32(key.encode("utf-8", "surrogateescape")), 1])
    copies = int(altered_copies + rng.random()) if altered_copies else 0
    for window in windows:
        around = window.surroundings
        assert around is not None  # windows of a reader have them
        yield _Version(window, "", window.samples, around)
        for copy, kinds, voice in alteration.altered_copies(around, recipe.sample_rate, gender,
                                                            copies, rng):
            yield _Version(window, kinds, _shifted(copy, window, recipe, rng), voice)


def _shifted(samples: np.ndarray, window: Window, recipe: Recipe, rng: np.random.Generator,
             reach: float = 0.4) -> np.ndarray:
    """A window of an altered copy, up to `reach` of its length earlier or later."""
    size = len(window.samples)
    shift = int(rng.uniform(-reach, reach) * recipe.window_samples)
    start = min(max(0, window.offset + shift), len(samples) - size)
    return samples[start: start + size]


def _picture(samples: np.ndarray, key: str, recipe: Recipe) -> np.ndarray:
    """Picture of a window; at a random offset in its padding where the published ones are."""
    leading_zeros = None
    if recipe.level == "stored":
        leading_zeros = cepstra.random_leading_zeros(key, len(samples), recipe)
    return cepstra.picture(samples, recipe, leading_zeros)


def _described(utterance: Utterance) -> Row:
    """What the rows of a recording share: what the corpus says of it, and its file's state."""
    return {"source": os.path.abspath(utterance.path), "speaker": utterance.speaker,
            "gender": utterance.gender, "corpus": utterance.corpus, "age": utterance.age,
            "accent": utterance.accent, "text": utterance.text,
            "state": "-".join(map(str, file_state(utterance.path) or ()))}


def _row(described: Row, version: _Version) -> Row:
    """Row of the manifest, without the name of the picture."""
    window = version.window
    return described | {"start_s": f"{window.start_s:.3f}", "end_s": f"{window.end_s:.3f}",
                        "augmentation": version.kinds}
