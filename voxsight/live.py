"""The running answer for what a microphone hears."""

import contextlib
import dataclasses
import math
import queue

import numpy as np
import soundfile

from voxsight import files
from voxsight.answering import classify
from voxsight.audio import as_pcm16
from voxsight.errors import UsageError
from voxsight.prediction import NO_SPEECH, Prediction
from voxsight.recorder import FULL_SCALE, input_stream

STEP_S = 0.2  # from one answer to the next
BLOCK_S = 0.05
NOW_S = 2.0  # an answer is about the newest of this length
TRACE_S, CELLS = 10.0, 30  # what a trace shows, and its width in characters
PATIENCE_S = 3.0  # a device from which nothing came for so long is gone
FLOOR_DB, METER = -60.0, 10  # the meter's lower end, and its width in characters
BLOCKS, DIGITS = "▁▂▃▄▅▆▇█", "0123456789"


@dataclasses.dataclass(frozen=True)
class Moment:
    """The answer while listening goes on.

    Attributes
    ----------
    end_s : float
        seconds heard since the start
    peak : float
        of what came since the moment before, in [0, 1]
    answer : Prediction
        for the newest `NOW_S`
    """

    end_s: float
    peak: float
    answer: Prediction


def listen(seconds=None, rate=48_000, device=None, *, model="models/default", out=None,
           stopped=lambda: False):
    """Answer for the newest sound from a microphone, several times a second.

    Where the machine is too slow for every step, steps are left out, so that answers do not
    fall behind.

    Parameters
    ----------
    seconds : float, optional
        how long; by default until `stopped`
    rate : int
        Hz
    device : int or str, optional
        number or name of an input device; the system's default otherwise
    model : str or os.PathLike
        model folder
    out : str or os.PathLike, optional
        16-bit PCM WAV for all that was heard
    stopped : callable
        asked after each step whether to stop

    Yields
    ------
    Moment

    Raises
    ------
    UsageError
        if there is no microphone or no model, or the device stops to deliver
    """
    classify((np.zeros(rate // 5, np.float32), rate), model=model)  # loads it before the start
    arrived, now, heard, gone = queue.SimpleQueue(), np.zeros(0, np.float32), 0, None
    with (_recording(out, rate) as record,
          input_stream(rate, device, round(BLOCK_S * rate), arrived.put)):
        while not stopped() and (seconds is None or heard < seconds * rate):
            try:
                step = _newest(arrived, round(STEP_S * rate))
            except UsageError as error:
                gone = error  # said when what was heard before is safe
                break
            record(step)
            heard += len(step)
            now = np.concatenate([now, step])[-round(NOW_S * rate):]
            answer = classify((now, rate), model=model)
            yield Moment(heard / rate, float(np.abs(step).max()), answer)
    if gone:
        raise gone


def status_line(moments, marks=BLOCKS, width=80):
    """The newest moment as a line: level meter, label, probability, trace of the last 10 s.

    Parameters
    ----------
    moments : sequence of Moment
        in time order
    marks : str
        characters of the trace, from ``p_female`` 0 to 1; where there was no speech it has a dot
    width : int
        columns of the terminal; the trace is cut to fit where that is under 79

    Returns
    -------
    str

    Examples
    --------
    >>> said = [Moment(1.0, 0.1, Prediction("", "no_speech", 0.5)),
    ...         Moment(1.2, 0.1, Prediction("", "female", 0.98))]
    >>> status_line(said, DIGITS)
    '[#######   ]  -20 dB  female     p_female 0.98  .9'
    """
    newest = moments[-1]
    level_db = 20 * math.log10(max(newest.peak, 1e-5))
    lit = min(METER, max(0, round(METER * (1 - level_db / FLOOR_DB))))
    p_female = newest.answer.p_female
    level = "clipped" if newest.peak >= FULL_SCALE else f"{level_db:4.0f} dB"
    head = (f"[{'#' * lit:{METER}}] {level}  {newest.answer.label:9}  p_female "
            + ("    " if p_female is None else f"{p_female:.2f}") + "  ")
    trace = _trace(moments, marks)
    return (head + trace[-max(1, width - len(head) - 1):])[: width - 1]


def _trace(moments, marks):
    """A mark for each cell of time; blank where an answer was left out."""
    cells = {math.ceil(m.end_s * CELLS / TRACE_S): _mark(m.answer, marks) for m in moments}
    last = max(cells)
    return "".join(cells.get(cell, " ")
                   for cell in range(max(min(cells), last - CELLS + 1), last + 1))


def _mark(answer, marks):
    if answer.label == NO_SPEECH:
        return "."
    return marks[min(len(marks) - 1, int(answer.p_female * len(marks)))]


def _newest(arrived, size):
    """What came since the step before, at least `size` samples."""
    blocks, found = [], 0
    while found < size or not arrived.empty():
        try:
            blocks.append(arrived.get(timeout=PATIENCE_S))
        except queue.Empty:
            raise UsageError(f"found no sound from the input device for {PATIENCE_S:g} s, expected "
                             "a stream; connect it again, or choose another with "
                             "--device") from None
        found += len(blocks[-1])
    return np.concatenate(blocks)


@contextlib.contextmanager
def _recording(path, rate):
    """A function that adds samples to a WAV which appears at the end."""
    if path is None:
        yield lambda samples: None
        return
    with (files.replacing(path) as temporary,
          soundfile.SoundFile(temporary, "w", rate, 1, "PCM_16", format="WAV") as file):
        yield lambda samples: file.write(as_pcm16(samples))
