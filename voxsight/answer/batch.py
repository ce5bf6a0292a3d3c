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
from voxsight.answer.prediction import COLUMNS, UNCERTAIN, Prediction, WindowPrediction
from voxsight.answer.writers import RecordingWriter, Timelines, Writer
from voxsight.base import files, locks, streams
from voxsight.base.journal import Journal
from voxsight.base.parallel.cluster import connected
from voxsight.base.parallel.shards import Shard
from voxsight.base.parallel.workers import ordered_map
from voxsight.base.progress import progress
from voxsight.errors import UsageError
from voxsight.network.folder import CONFIG, ModelFolder
from voxsight.sound.recording import undecodable

FEW = 8  # recordings are answered sooner than more processes would start


def predict_all(paths: Sequence[str], model: ModelFolder | str | os.PathLike, *,
                writers: Sequence[Writer] = (), csv: str | os.PathLike | None = None,
                min_confidence: float | None = None, partial: str = UNCERTAIN,
                jobs: int | None = None, dask: str | None = None,
                shard: Shard | None = None, quiet: bool = False) -> Iterator[Prediction]:
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
        File for the rows. A stopped run is resumed from ``FILE.partial``; recordings that it
        could not read are tried again. A device, a pipe or ``-`` gets the rows as they come.
    min_confidence : float, optional
        Below it a label is ``uncertain`` (default: the confidence that the model promises).
    partial : {"uncertain", "answer", "refuse"}
        What to say of a recording of which less than nine tenths could be decoded.
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
    _check_place(csv, inputs, writers)
    if shard:
        inputs = shard.part_of(inputs)
    settings = [files.sha256(folder.path / CONFIG), min_confidence, partial,
                [repr(w) for w in writers], [f.name for f in dataclasses.fields(Prediction)]]
    options = {"min_confidence": min_confidence, "partial": partial}
    with _rows_of(csv, shard, settings, on=bool(writers)) as rows:
        done = rows.resumed({item.path for item in inputs})
        todo = [item for item in inputs if item.path not in done]
        predictions = _predictions(todo, folder, options, writers, jobs, dask)
        new = iter(progress(predictions, len(todo), desc="recordings", unit="recording",
                            quiet=quiet or len(todo) < FEW))
        for item in inputs:
            if (prediction := done.get(item.path)) is None:
                prediction = next(new)
                rows.add(prediction)
            yield prediction
        next(new, None)  # ends the bar and the workers
        rows.finish([item.path for item in inputs])


def _predictions(todo: Sequence[Input], folder: ModelFolder, options: dict[str, Any],
                 writers: Sequence[Writer], jobs: int | None,
                 dask: str | None) -> Iterator[Prediction]:
    if not dask:
        few = len(todo) < FEW
        folder.check_files()  # here, so that no worker has to
        opener = functools.partial(_predictor, folder, options, tuple(writers), few)
        yield from ordered_map(opener, todo, 1 if few else jobs, _lost)
        return
    opener = functools.partial(_predictor, folder.portable_name, options,
                               tuple(writer.located() for writer in writers), False)
    with connected(dask, opener, _lost) as cluster:
        predictions = cluster.map([item.located() for item in todo])
        for item, prediction in zip(todo, predictions):
            yield dataclasses.replace(prediction, path=item.path)


def _lost(item: Input) -> Prediction:
    return Prediction(item.path, error=undecodable(item.path).reason)


def _predictor(model: ModelFolder | str, options: dict[str, Any], writers: Sequence[Writer],
               alone: bool) -> Callable[[Input], Prediction]:
    opened = open_model(model, **options, alone=alone)
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


def _check_place(csv: str | os.PathLike | None, inputs: Sequence[Input],
                 writers: Sequence[Writer]) -> None:
    """Raise UsageError if a recording's timeline would take the place of the table."""
    for writer in writers:
        if csv and isinstance(writer, Timelines):
            place = os.path.relpath(csv, writer.folder)
            for item in inputs:
                if place == f"{item.name}.csv":
                    raise UsageError(f"{csv}: found the place of the timeline of {item.path}, "
                                     "expected another for the table; name another file")


@contextlib.contextmanager
def _rows_of(csv: str | os.PathLike | None, shard: Shard | None, settings: Any,
             on: bool) -> "Iterator[_Rows]":
    """Where the rows of a run go; nobody else writes there meanwhile.

    If a pipe loses its reader, the run goes `on` for what else it writes, or it stops.
    """
    if csv is None:
        yield _Rows()
    elif streams.is_stream(csv):
        with contextlib.closing(_Streamed(csv, on)) as streamed:
            yield streamed
    else:
        place = shard.path_for(csv) if shard else csv
        with locks.only_writer(place), contextlib.closing(_Table(place, settings)) as table:
            yield table


class _Rows:
    """What becomes of the rows of a run: nothing."""

    def resumed(self, paths: Set[str]) -> dict[str, Prediction]:
        """Predictions of an unfinished run by path; some of these paths."""
        return {}

    def add(self, prediction: Prediction) -> None:
        """Take the next prediction."""

    def finish(self, paths: Sequence[str]) -> None:
        """All predictions were added or resumed."""

    def close(self) -> None:
        """The run has ended, finished or not."""


class _Streamed(_Rows):
    """A CSV in a device or a pipe, which get rows as they come and keep none."""

    def __init__(self, path: str | os.PathLike, on: bool) -> None:
        self._path, self._file, self._on, self._read = path, streams.open_stream(path), on, True
        self._write(files.csv_line(COLUMNS))

    def add(self, prediction: Prediction) -> None:
        row = prediction.to_row()
        self._write(files.csv_line(row[column] for column in COLUMNS))

    def close(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._file.close()

    def _write(self, line: str) -> None:
        if not self._read:
            return
        try:
            with streams.naming(self._path):
                self._file.write(line.encode("utf-8", "surrogateescape"))
                self._file.flush()
        except BrokenPipeError:
            self._read = False
            if not self._on:
                raise


class _Table(_Rows):
    """The CSV of a run and the journal that it is resumed from."""

    def __init__(self, path: str | os.PathLike, settings: Any) -> None:
        self._path, self._journal = path, Journal(path, settings)

    def resumed(self, paths: Set[str]) -> dict[str, Prediction]:
        # An error may pass, as that of a disk that was away.
        done = {prediction.path: prediction for prediction in self._stored()
                if not prediction.error}
        if not done.keys() <= paths:
            other = next(path for path in done if path not in paths)
            raise UsageError(f"{self._journal.path}: holds rows of an unfinished run on other "
                             f"recordings, such as {other}; name these too, write elsewhere, or "
                             "delete this file to start again")
        return done

    def add(self, prediction: Prediction) -> None:
        self._journal.add(dataclasses.asdict(prediction))

    def finish(self, paths: Sequence[str]) -> None:
        """Write the CSV in the order of the paths."""
        files.write_csv(self._path, COLUMNS, (
            prediction.to_row() for prediction in self._in_order(paths)))
        self._journal.remove()

    def close(self) -> None:
        self._journal.close()

    def _in_order(self, paths: Sequence[str]) -> Iterator[Prediction]:
        if [prediction.path for prediction in self._stored()] == paths:
            yield from self._stored()  # in memory one at a time
            return
        by_path = {prediction.path: prediction for prediction in self._stored()}
        yield from (by_path[path] for path in paths)

    def _stored(self) -> Iterator[Prediction]:
        yield from (Prediction(**entry) for entry in self._journal.entries())
