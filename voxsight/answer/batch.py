"""Many recordings to rows, in their order.

What is written of each recording besides its row is the business of *writers*; see `writers`.
"""

import contextlib
import dataclasses
import functools
import os
from collections.abc import Callable, Iterator, Sequence, Set
from typing import Any

from voxsight.answer.inputs import Input, find_inputs
from voxsight.answer.opening import Model, open_model
from voxsight.answer.prediction import COLUMNS, Prediction, WindowPrediction
from voxsight.answer.writers import RecordingWriter, Writer
from voxsight.base import files, locks
from voxsight.base.cluster import connected
from voxsight.base.journal import Journal
from voxsight.base.progress import progress
from voxsight.base.shards import Shard
from voxsight.base.workers import ordered_map
from voxsight.errors import UsageError
from voxsight.network.folder import CONFIG, ModelFolder
from voxsight.sound.recording import undecodable

FEW = 8  # recordings are answered sooner than more processes would start


def predict_all(paths: Sequence[str], model: ModelFolder | str | os.PathLike, *,
                writers: Sequence[Writer] = (), csv: str | os.PathLike | None = None,
                min_confidence: float | None = None, jobs: int | None = None,
                dask: str | None = None, shard: Shard | None = None,
                quiet: bool = False) -> Iterator[Prediction]:
    """Predictions for many recordings.

    Parameters
    ----------
    paths : list of str
        Files and folders.
    model : ModelFolder, str or os.PathLike
        A model folder.
    writers : sequence of Writer
        Write what is wanted of each recording besides its row.
    csv : str or os.PathLike, optional
        File for the rows. A stopped run is resumed from ``FILE.partial``.
    min_confidence : float, optional
        Below it a label is ``uncertain`` (default: the confidence that the model promises).
    jobs : int, optional
        Worker processes (default: all cores).
    dask : str, optional
        Address of a Dask cluster, whose workers answer and write.
    shard : Shard, optional
        Only this part of the recordings, with rows where a merge finds them.
    quiet : bool
        No progress bar.

    Yields
    ------
    Prediction
        One per recording, in order.

    Raises
    ------
    UsageError
        If the model is missing or the writers need another one, another run writes to `csv`,
        or an unfinished run with other settings, or on other recordings, did.
    """
    folder = ModelFolder.of(model)
    if writers:
        _ = folder.picture_config  # raises unless there are windows to write
    inputs = find_inputs(paths)
    if shard:
        inputs, csv = shard.part_of(inputs), csv and shard.path_for(csv)
    settings = [files.sha256(folder.path / CONFIG), min_confidence, [repr(w) for w in writers]]
    with locks.only_writer(csv) if csv else contextlib.nullcontext():
        rows = _Rows(csv, settings)
        with contextlib.closing(rows):
            done = rows.resumed({item.path for item in inputs})
            todo = [item for item in inputs if item.path not in done]
            predictions = _predictions(todo, folder, min_confidence, writers, jobs, dask)
            new = iter(progress(predictions, len(todo), desc="recordings", unit="recording",
                                quiet=quiet or len(todo) < FEW))
            for item in inputs:
                if (prediction := done.get(item.path)) is None:
                    prediction = next(new)
                    rows.add(prediction)
                yield prediction
            next(new, None)  # ends the bar and the workers
            rows.finish([item.path for item in inputs])


def _predictions(todo: Sequence[Input], folder: ModelFolder, min_confidence: float | None,
                 writers: Sequence[Writer], jobs: int | None,
                 dask: str | None) -> Iterator[Prediction]:
    if not dask:
        few = len(todo) < FEW
        folder.check_files()  # here, so that no worker has to
        opener = functools.partial(_predictor, folder, min_confidence, tuple(writers), few)
        yield from ordered_map(opener, todo, 1 if few else jobs, _lost)
        return
    opener = functools.partial(_predictor, folder.portable_name, min_confidence,
                               tuple(writer.located() for writer in writers), False)
    with connected(dask, opener, _lost) as cluster:
        predictions = cluster.map([item.located() for item in todo])
        for item, prediction in zip(todo, predictions):
            yield dataclasses.replace(prediction, path=item.path)


def _lost(item: Input) -> Prediction:
    return Prediction(item.path, error=undecodable(item.path).reason)


def _predictor(model: ModelFolder | str, min_confidence: float | None,
               writers: Sequence[Writer], alone: bool) -> Callable[[Input], Prediction]:
    opened = open_model(model, min_confidence=min_confidence, alone=alone)
    return functools.partial(_predict, model=opened, writers=writers)


def _predict(item: Input, *, model: Model, writers: Sequence[Writer]) -> Prediction:
    if item.error:
        return Prediction(item.path, error=item.error)
    if not writers:
        return model.predict(item.path)
    begun = _All([writer.begin(item.name, model) for writer in writers])  # type: ignore[arg-type]
    prediction = model.predict(item.path, keep=begun)
    begun.finish(prediction)
    return prediction


class _All:
    """Hands the windows of a recording to all of its writers."""

    def __init__(self, writers: Sequence[RecordingWriter]) -> None:
        self._writers = writers

    def append(self, window: WindowPrediction, /) -> None:
        for writer in self._writers:
            writer.append(window)

    def finish(self, prediction: Prediction) -> None:
        for writer in self._writers:
            writer.finish(prediction)


class _Rows:
    """The CSV of a run and the journal that it is resumed from; without a path nothing."""

    def __init__(self, path: str | os.PathLike | None, settings: Any) -> None:
        self._path = path
        self._journal = None if path is None else Journal(path, settings)

    def resumed(self, paths: Set[str]) -> dict[str, Prediction]:
        """Predictions of an unfinished run by path; some of these paths."""
        done = {prediction.path: prediction for prediction in self._stored()}
        if self._journal is not None and not done.keys() <= paths:
            other = next(path for path in done if path not in paths)
            raise UsageError(f"{self._journal.path}: holds rows of an unfinished run on other "
                             f"recordings, such as {other}; name these too, write elsewhere, or "
                             "delete this file to start again")
        return done

    def add(self, prediction: Prediction) -> None:
        if self._journal is not None:
            self._journal.add(dataclasses.asdict(prediction))

    def finish(self, paths: Sequence[str]) -> None:
        """Write the CSV in the order of the paths."""
        if self._journal is not None and self._path is not None:
            files.write_csv(self._path, COLUMNS, (
                prediction.to_row() for prediction in self._in_order(paths)))
            self._journal.remove()

    def _in_order(self, paths: Sequence[str]) -> Iterator[Prediction]:
        if [prediction.path for prediction in self._stored()] == paths:
            yield from self._stored()  # in memory one at a time
            return
        by_path = {prediction.path: prediction for prediction in self._stored()}
        yield from (by_path[path] for path in paths)

    def _stored(self) -> Iterator[Prediction]:
        if self._journal is not None:
            yield from (Prediction(**entry) for entry in self._journal.entries())

    def close(self) -> None:
        if self._journal is not None:
            self._journal.close()
