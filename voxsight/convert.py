"""Recordings of a corpus to a folder of pictures, on all cores, resumable."""

import contextlib
import dataclasses
import functools
import os
import zlib
from collections import deque

import numpy as np
import soxr

from voxsight import files, mfc
from voxsight.audio import undecodable
from voxsight.augmentation import altered_copies as altered
from voxsight.cluster import AHEAD, connected
from voxsight.datasets import DatasetWriter
from voxsight.embeddings import MARGIN_S, RATE, find_encoder
from voxsight.errors import RecordingError
from voxsight.listening import Listener
from voxsight.parallel import ordered_map, progress


@dataclasses.dataclass(frozen=True)
class Conversion:
    """What a conversion did: pictures in the dataset, recordings done and failed."""

    pictures: int
    recordings: int
    already_done: int
    failures: tuple  # of RecordingError


def convert(utterances, recipe, out, maps, *, root, altered_copies=0.0, teacher=None, jobs=None,
            dask=None, shard=None, quiet=False):
    """Write the pictures of a corpus, its manifest and its maps.

    Parameters
    ----------
    utterances : list of corpora.Utterance
    recipe : recipes.Recipe
    out, maps : str or path
        folders to write to, or URLs that fsspec knows
    root : str or os.PathLike
        folder of the corpus; random choices are seeded by the paths below it, so that
        they do not depend on where the corpus lies
    altered_copies : float
        altered copies of each picture; 0.1 is one for every tenth recording, 2.5 two for
        each and a third for every other
    teacher : str, optional
        encoder that hears the voice of each picture, key of `embeddings.ENCODERS`
    jobs : int, optional
        processes; the cores available by default
    dask : str, optional
        address of a Dask cluster whose workers do the work, and write the pictures
    shard : shards.Shard, optional
        convert its share of the recordings only, to where `shards.merge` finds it
    quiet : bool
        no progress bar

    Returns
    -------
    Conversion

    Raises
    ------
    UsageError
        if `out` holds pictures made with other settings, or another run writes there
    """
    settings = {"recipe": recipe.to_dict(), "augment": altered_copies}
    if teacher:
        settings["teacher"] = teacher
    if shard:
        settings["shard"] = shard.to_dict(len(utterances))
        utterances, out = shard.share_of(utterances), shard.place(out)
        maps = f"{out}/maps"
    make = functools.partial(_picture_maker, recipe, os.path.abspath(root), altered_copies,
                             teacher)
    failures = []
    with (files.only_writer(out),
          contextlib.closing(DatasetWriter(out, maps, settings)) as writer):
        todo = [u for u in utterances if os.path.abspath(u.path) not in writer.done]
        done = _converted_by(dask, make, todo, writer) if dask else _kept(
            ordered_map(make, todo, jobs, _lost), writer.add)
        for error in progress(done, len(todo), desc="MFC pictures", unit="recording",
                              quiet=quiet):
            failures += [error] if error else []
        writer.finish()
    return Conversion(writer.pictures, len(todo) - len(failures),
                      len(utterances) - len(todo), tuple(failures))


def _lost(utterance):
    return undecodable(utterance.path)


def _kept(results, keep):
    """Keep each result; yields the error of each recording, or None."""
    for result in results:
        failed = isinstance(result, RecordingError)
        if not failed:
            keep(*result)
        yield result if failed else None


def _converted_by(address, make, todo, writer):
    """Let the workers of a cluster store their results; yields as `_kept`.

    The names of pictures are numbered over all recordings, so a worker is told them when
    those before have been counted; what it writes then never passes through this process.
    """
    todo = [dataclasses.replace(u, path=os.path.abspath(u.path)) for u in todo]
    folder = files.absolute(writer.folder)
    with connected(address, make, _lost) as cluster:
        writing = deque()
        for future in cluster.futures(todo):
            results = cluster.submit(_without_jpegs, future).result()
            for result in results:
                if not isinstance(result, RecordingError):
                    writer.name(result[0])
            writing.append((results, cluster.submit(_write, future, results, folder)))
            if len(writing) > AHEAD:
                yield from _logged(*writing.popleft(), writer)
        for results, written in writing:
            yield from _logged(results, written, writer)


def _logged(results, written, writer):
    written.result()
    yield from _kept(results, writer.log)


def _without_jpegs(results):
    return [result if isinstance(result, RecordingError) else (result[0], result[2])
            for result in results]


def _write(results, named, folder):
    """Pictures of some recordings under the names in their rows."""
    for result, name in zip(results, named):
        if not isinstance(result, RecordingError):
            for row, jpeg in zip(name[0], result[1]):
                files.write_bytes(f"{folder}/{row['image']}", jpeg)


def _picture_maker(recipe, root, altered_copies, teacher):
    hear = _Teacher(find_encoder(teacher), recipe.sample_rate) if teacher else None
    return functools.partial(_pictures_of, recipe=recipe, root=root,
                             altered_copies=altered_copies, teacher=hear)


def _pictures_of(utterance, *, recipe, root, altered_copies, teacher):
    """Manifest rows, JPEGs and embeddings of one utterance, or the error that kept them back."""
    key = os.path.relpath(os.path.abspath(utterance.path), root).replace(os.sep, "/")
    rows, jpegs, embeddings = [], [], []
    try:
        # The published pictures show whole recordings, found to hold speech or not.
        listener = Listener(utterance.path, recipe, whole_if_short=recipe.level == "stored",
                            margin_s=MARGIN_S if altered_copies or teacher else 0.0)
        versions = _versions(listener.windows(), utterance.gender, recipe, key, altered_copies)
        for window, kind, samples, voice in versions:
            front = _front(key, samples, recipe)
            jpegs.append(mfc.encode(mfc.picture(samples, recipe, front), recipe))
            rows.append(_row(utterance, window, kind))
            if teacher:
                embeddings.append(teacher.embed(window, voice))
        if not listener.recording.nonzero_samples:
            raise RecordingError(utterance.path, "found zeros only", "a voice",
                                 "record it again or leave it out")
    except RecordingError as error:
        return error
    return rows, jpegs, embeddings


class _Teacher:
    """An encoder that hears each voice once, however many pictures show it."""

    def __init__(self, encoder, rate):
        self._encoder, self._rate = encoder, rate
        self._window = self._as_recorded = None

    def embed(self, window, voice):
        if voice is not window.surroundings:
            return self._hear(voice)
        if window is not self._window:
            self._window, self._as_recorded = window, self._hear(voice)
        return self._as_recorded

    def _hear(self, voice):
        if self._rate != RATE:
            voice = soxr.resample(voice, self._rate, RATE)
        return self._encoder.embed(voice)


def _versions(windows, gender, recipe, key, altered_copies):
    """Each window as it is and, as often as drawn for the recording, altered.

    With the samples that are shown, and those of the voice behind them.
    """
    copies, rng = 0, None
    if altered_copies:
        rng = np.random.default_rng([zlib.crc32(key.encode("utf-8", "surrogateescape")), 1])
        copies = int(altered_copies + rng.random())
    for window in windows:
        yield window, "", window.samples, window.surroundings
        around = altered(window.surroundings, recipe.sample_rate, gender, copies, rng)
        for samples, kinds, voice in around:
            yield window, kinds, _shifted(samples, window, recipe, rng), voice


def _shifted(samples, window, recipe, rng, reach=0.4):
    """A window of an altered copy, up to `reach` of its length earlier or later."""
    size = len(window.samples)
    shift = int(rng.uniform(-reach, reach) * recipe.window_samples)
    start = min(max(0, window.offset + shift), len(samples) - size)
    return samples[start: start + size]


def _front(key, samples, recipe):
    return mfc.random_front(key, len(samples), recipe) if recipe.level == "stored" else None


def _row(utterance, window, kind):
    return {"source": os.path.abspath(utterance.path), "start_s": f"{window.start_s:.3f}",
            "end_s": f"{window.end_s:.3f}", "speaker": utterance.speaker,
            "gender": utterance.gender, "corpus": utterance.corpus, "age": utterance.age,
            "accent": utterance.accent, "text": utterance.text, "augmentation": kind}
