"""Predictions for the newest sound from a microphone, while it is recorded."""

import dataclasses
import math
import os
import queue
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from voxsight.answer.opening import Model, open_model
from voxsight.answer.prediction import NO_SPEECH, Prediction
from voxsight.errors import UsageError
from voxsight.network.folder import ModelFolder
from voxsight.sound.microphone import FULL_SCALE, input_stream
from voxsight.sound.recording import Recording
from voxsight.sound.writing import wav_writer

STEP_S = 0.2  # from one prediction to the next
BLOCK_S = 0.05  # of sound that the device delivers at once
NOW_S = 2.0  # a prediction is about the newest sound of this length
TRACE_S, CELLS = 10.0, 30  # time that a trace covers, and its width in characters
PATIENCE_S = 3.0  # a device that delivers nothing for so long was disconnected
FLOOR_DB, METER = -60.0, 10  # lower end of the level meter, and its width in characters
Blocks = queue.SimpleQueue[np.ndarray | None]  # None ends them
BLOCKS, DIGITS = "▁▂▃▄▅▆▇█", "0123456789"


@dataclasses.dataclass(frozen=True)
class Moment:
    """The prediction at one moment of a recording that goes on.

    Attributes
    ----------
    end_s : float
        Seconds since the start.
    peak : float
        Of the sound since the moment before, in [0, 1].
    prediction : Prediction
        For the newest seconds.
    """

    end_s: float
    peak: float
    prediction: Prediction


class Follower:
    """Predictions for the newest of a sound that goes on.

    One thread puts blocks of any size, while another one takes the moments. If that is too slow
    for every step, steps are skipped, so that the predictions do not fall behind the sound.

    Parameters
    ----------
    model : Model
    rate : int
        Sampling rate, Hz.
    now_s : float
        A prediction is about the newest sound of this length. With less it follows another
        voice sooner, with more it is sure more often.

    Attributes
    ----------
    newest : np.ndarray [shape=(n,), float32]
        The last `TRACE_S` of what was taken.
    n_samples : int
        How many samples were taken.
    """

    def __init__(self, model: Model, rate: int, now_s: float = NOW_S) -> None:
        self.rate, self.n_samples, self.newest = rate, 0, np.zeros(0, np.float32)
        self._model, self._now_s = model, now_s
        self._arrived: Blocks = queue.SimpleQueue()

    def put(self, block: np.ndarray) -> None:
        """Add mono samples in [-1, 1], shape (n,)."""
        self._arrived.put(block)

    def end(self) -> None:
        """Let the moments end."""
        self._arrived.put(None)

    def moments(self, take: Callable[[np.ndarray], object] = lambda step: None) -> Iterator[Moment]:
        """Moments, each at least `STEP_S` after the one before.

        Parameters
        ----------
        take : callable
            Is given the samples of each step.

        Yields
        ------
        Moment

        Raises
        ------
        UsageError
            If no sound arrives.
        """
        while True:
            try:
                step = _newest(self._arrived, round(STEP_S * self.rate))
            except _Ended:
                return
            take(step)
            self.n_samples += len(step)
            self.newest = np.concatenate([self.newest, step])[-round(TRACE_S * self.rate):]
            now = Recording.of(self.newest[-round(self._now_s * self.rate):], self.rate)
            yield Moment(self.n_samples / self.rate, float(np.abs(step).max()),
                         self._model.predict(now))


def listen(seconds: float | None = None, rate: int = 48_000, device: int | str | None = None, *,
           model: ModelFolder | str | os.PathLike = "models/default",
           out: str | os.PathLike | None = None,
           stopped: Callable[[], bool] = lambda: False) -> Iterator[Moment]:
    """Predictions for the newest sound from a microphone, several times a second.

    If the machine is too slow for every step, steps are skipped, so that the predictions do not
    fall behind the sound.

    Parameters
    ----------
    seconds : float, optional
        How long to listen (default: until `stopped`).
    rate : int
        Sampling rate, Hz.
    device : int or str, optional
        Number or name of an input device (default: the system's).
    model : ModelFolder, str or os.PathLike
        A model folder.
    out : str or os.PathLike, optional
        16-bit PCM WAV for everything that is recorded.
    stopped : callable
        Asked after each step whether to stop.

    Yields
    ------
    Moment

    Raises
    ------
    UsageError
        If there is no microphone or no model, or the device stops delivering sound.
    """
    opened = open_model(model)
    opened.predict(Recording.of(np.zeros(rate // 5, np.float32), rate))  # loads all it needs
    follower = Follower(opened, rate)
    disconnected: UsageError | None = None
    with (wav_writer(out, rate) as write,
          input_stream(rate, device, round(BLOCK_S * rate), follower.put)):
        moments = follower.moments(write)
        while not stopped() and (seconds is None or follower.n_samples < seconds * rate):
            try:
                moment = next(moments)
            except UsageError as error:
                disconnected = error  # raised below, once the file with the sound so far is closed
                break
            yield moment
    if disconnected:
        raise disconnected


def status_line(moments: Sequence[Moment], marks: str = BLOCKS, width: int = 80) -> str:
    """The newest moment as a line: level meter, label, probability, trace of the last 10 s.

    Parameters
    ----------
    moments : sequence of Moment
        In time order.
    marks : str
        Characters of the trace, from ``p_female`` 0 to 1. A dot stands for no speech.
    width : int
        Columns of the terminal. Below 79 the trace is cut to fit.

    Returns
    -------
    str

    Examples
    --------
    >>> moments = [Moment(1.0, 0.1, Prediction("", "no_speech", 0.5)),
    ...            Moment(1.2, 0.1, Prediction("", "female", 0.98))]
    >>> status_line(moments, DIGITS)
    '[#######   ]  -20 dB  female     p_female 0.98  .9'
    """
    newest = moments[-1]
    p_female = newest.prediction.p_female
    # Of what is no voice a probability means nothing.
    nobody = p_female is None or newest.prediction.label == NO_SPEECH
    probability = "    " if nobody else f"{p_female:.2f}"
    head = f"{_meter(newest.peak)}  {newest.prediction.label:9}  p_female {probability}  "
    trace_width = max(1, width - len(head) - 1)
    return (head + _trace(moments, marks)[-trace_width:])[: width - 1]


def _meter(peak: float) -> str:
    """Level of a peak in [0, 1], as a bar and in dB below full scale."""
    level_db = 20 * math.log10(max(peak, 1e-5))
    lit = min(METER, max(0, round(METER * (1 - level_db / FLOOR_DB))))
    level = "clipped" if peak >= FULL_SCALE else f"{level_db:4.0f} dB"
    return f"[{'#' * lit:{METER}}] {level}"


def _trace(moments: Sequence[Moment], marks: str) -> str:
    """A mark for each cell of time; blank where a prediction was skipped."""
    cells = {math.ceil(moment.end_s * CELLS / TRACE_S): _mark(moment.prediction, marks)
             for moment in moments}
    last = max(cells)
    first = max(min(cells), last - CELLS + 1)
    return "".join(cells.get(cell, " ") for cell in range(first, last + 1))


def _mark(prediction: Prediction, marks: str) -> str:
    if prediction.label == NO_SPEECH:
        return "."
    assert prediction.p_female is not None  # every label but no_speech has a probability
    return marks[min(len(marks) - 1, int(prediction.p_female * len(marks)))]


class _Ended(Exception):
    """No more sound will come."""


def _newest(arrived: Blocks, size: int) -> np.ndarray:
    """Everything that arrived since the step before, at least `size` samples."""
    blocks: list[np.ndarray] = []
    n_samples = 0
    while n_samples < size or not arrived.empty():
        try:
            block = arrived.get(timeout=PATIENCE_S)
        except queue.Empty:
            raise UsageError(f"found no sound from the input device for {PATIENCE_S:g} s, expected "
                             "a stream; connect it again, or choose another with "
                             "--device") from None
        if block is None:
            raise _Ended
        blocks.append(block)
        n_samples += len(block)
    return np.concatenate(blocks)
