"""Answers for uploads: short and long recordings in lanes of their own; all can be stopped."""

import dataclasses
import functools
import io
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import numpy as np

from voxsight.answer.picture_model import PictureModel
from voxsight.answer.prediction import UNCERTAIN, Prediction, WindowPrediction
from voxsight.answer.timeline import timeline, two_voices
from voxsight.base.parallel.processes import available_cores, return_freed_memory
from voxsight.errors import RecordingError
from voxsight.network.folder import ModelFolder
from voxsight.sound.decoding.process import start_ahead
from voxsight.sound.recording import Recording
from voxsight.sound.writing import as_mp3
from voxsight.web.lanes import Lane
from voxsight.web.limits import Limits
from voxsight.web.refusals import Refusal
from voxsight.web.uploads import Upload

LISTENING_RATE = 16_000  # of the sound that the page plays, Hz
LISTENING_S = 600.0  # the longest sound that the page plays
PEAK_S, N_PEAKS = 0.01, 1000  # what a peak is measured over, and how many the page gets


@dataclasses.dataclass
class Heard:
    """What there is to say of one recording.

    Attributes
    ----------
    prediction : Prediction
    segments : list of dict
        ``start_s, end_s, label, p_female``, in time order.
    voices : list of dict
        ``label, seconds`` of each, if two voices were heard.
    peaks : list of float
        Of the waveform, in [0, 1]; about `N_PEAKS`.
    n_windows : int
        How many windows the recording has.
    """

    prediction: Prediction
    segments: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    voices: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    peaks: list[float] = dataclasses.field(default_factory=list)
    n_windows: int = 0


class Stopped(Exception):
    """The answer is not wanted any longer."""


class Task:
    """How far an answer is, and the means to stop it.

    Attributes
    ----------
    state : {"waiting", "working", "done", "failed", "stopped"}
    heard_s, stated_s : float
        Seconds that were read, and those that the header states; 0 if it does not.
    """

    def __init__(self) -> None:
        self.state, self.heard_s, self.stated_s = "waiting", 0.0, 0.0
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Have it end soon."""
        self._stopped.set()

    @property
    def is_stopped(self) -> bool:
        """Whether it is to end, or has ended for that reason."""
        return self._stopped.is_set()


class _Longer(Exception):
    """A recording is too long for the lane of the short ones."""


class Answerer:
    """A loaded model that several clients use.

    Parameters
    ----------
    model : ModelFolder, str or os.PathLike
        A model folder.
    limits : Limits

    Raises
    ------
    UsageError
        If it cannot be loaded.
    """

    def __init__(self, model: ModelFolder | str | os.PathLike, limits: Limits) -> None:
        start_ahead()
        self.model, self._limits = PictureModel(model), limits
        return_freed_memory()  # loading takes twice what is needed afterwards
        queues = limits.waiting, limits.client_waiting
        self._short = Lane("short", available_cores() + 1, *queues)
        self._long = Lane("long", 2, *queues)

    def close(self) -> None:
        """Let the threads end."""
        self._short.close()
        self._long.close()

    def submit(self, upload: Upload, task: Task) -> "Future[Heard]":
        """A future of what there is to say of a recording.

        Parameters
        ----------
        upload : Upload
            Clients are served in turn. Its name becomes the path of the prediction.
        task : Task
            Learns how far it is. Once it is stopped the future raises `Stopped`.

        Returns
        -------
        concurrent.futures.Future

        Raises
        ------
        Refusal
            If too many wait already.
        """
        answered: Future[Heard] = Future()
        hear = functools.partial(self._hear, upload, task)

        def in_long_lane() -> None:
            _pass_on(answered, task, lambda: hear(self._limits.longest_s,
                                                  self._limits.long_wall_s))

        def in_short_lane() -> None:
            try:
                _pass_on(answered, task, lambda: hear(self._limits.short_s,
                                                      self._limits.short_wall_s))
            except _Longer:
                task.state = "waiting"
                try:
                    self._long.submit(upload.client, in_long_lane)
                except Refusal as error:
                    answered.set_exception(error)

        self._short.submit(upload.client, in_short_lane)
        return answered

    def listening(self, upload: Upload, duration_s: float) -> "Future[bytes]":
        """A future of the sound as MP3 for a browser, its first `LISTENING_S` at most.

        Raises
        ------
        Refusal
            If too many wait already.
        """
        lane = self._short if duration_s <= self._limits.short_s else self._long
        return lane.submit(upload.client, lambda: _listening(upload.content))

    def _hear(self, upload: Upload, task: Task, longest_s: float, wall_s: float) -> Heard:
        progress = _Progress(task, longest_s, self._limits.longest_s, wall_s)
        try:
            with Recording(io.BytesIO(upload.content), longest_s=self._limits.longest_s,
                           watch=progress.read) as recording:
                progress.check(recording.stated_s)
                task.stated_s = recording.stated_s
                prediction = self.model.predict(recording, keep=progress)
        except RecordingError as error:
            return Heard(Prediction(upload.name, error=error.reason))
        prediction = dataclasses.replace(prediction, path=upload.name)
        segments = timeline(progress.windows, self.model)
        return Heard(prediction, segments, two_voices(segments), progress.peaks.values(),
                     len(progress.windows))


def _pass_on(answered: Future, task: Task, work: Callable[[], Any]) -> None:
    """Work, unless the task was stopped, and say what came of it."""
    if task.is_stopped:
        answered.set_exception(Stopped())
        return
    task.state = "working"
    try:
        answered.set_result(work())
    except _Longer:
        raise
    except BaseException as error:
        answered.set_exception(error)


class _Progress:
    """Told of blocks and windows: keeps what is needed, and ends what should not go on."""

    def __init__(self, task: Task, lane_s: float, longest_s: float, wall_s: float) -> None:
        self.windows: list[WindowPrediction] = []
        self.peaks = _Peaks()
        self._task, self._lane_s, self._longest_s = task, lane_s, longest_s
        self._until = time.monotonic() + wall_s

    def read(self, block: np.ndarray, heard_s: float) -> None:
        self.check(heard_s)
        self._task.heard_s = heard_s
        self.peaks.add(block, heard_s)

    def append(self, window: WindowPrediction, /) -> None:
        self.check(0.0)
        self.windows.append(window.without_arrays())

    def check(self, heard_s: float) -> None:
        if self._task.is_stopped:
            raise Stopped
        if self._lane_s < heard_s and self._lane_s < self._longest_s:
            raise _Longer
        if time.monotonic() > self._until:
            raise RecordingError("", "found a recording that takes too long", "a shorter one",
                                 "cut it into pieces")


class _Peaks:
    """Peaks of a waveform, of which the page draws about `N_PEAKS`."""

    def __init__(self) -> None:
        self._parts: list[np.ndarray] = []
        self._end_s = 0.0

    def add(self, block: np.ndarray, end_s: float) -> None:
        if end_s <= self._end_s:  # a recording of several channels is read twice
            self._parts.clear()
        n_cells = max(1, round((end_s - (self._end_s if self._parts else 0.0)) / PEAK_S))
        self._end_s = end_s
        peaks = np.abs(block).max(axis=1)
        starts = np.linspace(0, len(peaks), min(n_cells, len(peaks)), endpoint=False, dtype=int)
        self._parts.append(np.maximum.reduceat(peaks, starts))

    def values(self) -> list[float]:
        cells = np.concatenate(self._parts)
        starts = np.linspace(0, len(cells), min(N_PEAKS, len(cells)), endpoint=False, dtype=int)
        peaks = np.maximum.reduceat(cells, starts).astype(float)
        return np.round(np.clip(peaks, 0.0, 1.0), 3).tolist()


def _listening(content: bytes) -> bytes:
    blocks, n_samples = [], 0
    for block in (recording := Recording(io.BytesIO(content))).blocks(LISTENING_RATE):
        blocks.append(block)
        n_samples += len(block)
        if n_samples >= LISTENING_S * LISTENING_RATE:
            break
    recording.close()
    return as_mp3(np.concatenate(blocks)[: round(LISTENING_S * LISTENING_RATE)], LISTENING_RATE)


def page_row(heard: Heard) -> dict[str, Any]:
    """The row of `Prediction.to_row`, whose reason says so if two voices were heard."""
    row = heard.prediction.to_row()
    if heard.voices and row["label"] == UNCERTAIN:
        row["reason"] = "two voices: " + ", ".join(
            f"{voice['seconds']:.1f} s labelled {voice['label']}" for voice in heard.voices)
    return row
