"""Windows of a recording that contain its speech; each becomes one picture."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from voxsight.sound.recording import Recording
from voxsight.sound.signal import with_head
from voxsight.sound.speech import FRAME_S, SpeechTracker

Span = tuple[float, float]  # start and end, seconds


@dataclass(frozen=True)
class Window:
    """A stretch of a recording that becomes one picture.

    Attributes
    ----------
    start_s, end_s : float
        Where it lies in the recording, seconds.
    samples : np.ndarray [shape=(n,), float32]
        Its samples.
    speech : tuple of (float, float)
        Start and end, in seconds, of the speech that it represents. Empty for the loudest
        stretch of a recording without speech.
    surroundings : np.ndarray [shape=(m,), float32]
        The samples and, as far as they exist, those of a margin on both sides.
    offset : int
        Where in the surroundings the window starts, samples.
    """

    start_s: float
    end_s: float
    samples: np.ndarray
    speech: tuple[Span, ...] = ()
    surroundings: np.ndarray | None = None
    offset: int = 0


@dataclass(frozen=True)
class WindowSettings:
    """How a recording is read and cut into windows.

    Attributes
    ----------
    rate : int
        Sampling rate of the windows, Hz.
    n_samples : int
        Length of a window, samples.
    stored_level : bool
        Full scale is 2**15, and the offset of the recording is kept, as in the published
        AudioMNIST pictures; floating-point PCM keeps its values unscaled. Otherwise the offset is
        removed.
    """

    rate: int
    n_samples: int
    stored_level: bool = False


class WindowReader:
    """Reads a recording once and yields its windows.

    Parameters
    ----------
    recording : Recording
        The recording to read.
    settings : WindowSettings
        Rate and length of the windows.
    whole_if_short : bool
        Yield a recording no longer than a window without searching it for speech.
    margin_s : float
        Length of the surroundings on both sides of each window, seconds.

    Attributes
    ----------
    recording : Recording
        As given.
    """

    def __init__(self, recording: Recording, settings: WindowSettings, *,
                 whole_if_short: bool = False, margin_s: float = 0.0) -> None:
        self.recording, self._settings = recording, settings
        self._whole_if_short, self._margin_s = whole_if_short, margin_s
        self._tracker: SpeechTracker | None = None

    @property
    def speech_s(self) -> float:
        """Seconds of speech in the part of the recording that was read."""
        return self._tracker.speech_s if self._tracker else 0.0

    def windows(self) -> Iterator[Window]:
        """Windows that contain speech, in time order; see `speech_windows`.

        Yields
        ------
        Window

        Raises
        ------
        RecordingError
            If the recording cannot be decoded.
        """
        rate, n_samples = self._settings.rate, self._settings.n_samples
        blocks = self._blocks()
        if self._whole_if_short:
            blocks = with_head(blocks, n_samples + 1)
            head = next(blocks)
            if len(head) <= n_samples:
                end_s = len(head) / rate
                yield Window(0.0, end_s, head, ((0.0, end_s),), head)
                return
            blocks = itertools.chain([head], blocks)
        self._tracker = SpeechTracker(rate)
        yield from speech_windows(blocks, rate, n_samples / rate, self._tracker, self._margin_s)

    def _blocks(self) -> Iterator[np.ndarray]:
        stored = self._settings.stored_level
        blocks = self.recording.blocks(self._settings.rate, remove_dc=not stored)
        if stored and self.recording.stored_as_integers:
            return (block * np.float32(32768) for block in blocks)
        return blocks


def speech_windows(blocks: Iterable[np.ndarray], rate: int, window_s: float,
                   tracker: SpeechTracker, margin_s: float = 0.0) -> Iterator[Window]:
    """Windows of one length that contain the speech of a recording.

    A recording no longer than a window is one window. If a longer one contains no speech, its
    loudest stretch is returned, with no speech in it.

    Parameters
    ----------
    blocks : iterable of np.ndarray [shape=(n,), float32]
        The recording.
    rate : int
        Sampling rate of the blocks, Hz.
    window_s : float
        Length of a window, seconds.
    tracker : SpeechTracker
        A new one. Afterwards its ``speech_s`` says how much speech there was.
    margin_s : float
        Length of the surroundings on both sides of each window, seconds.

    Yields
    ------
    Window
        In time order.
    """
    size = round(window_s * rate)
    # A group is complete when its windows are in the buffer and no segment can join it any more:
    # a window may reach half its length beyond its speech, and a segment that still fits into the
    # window of the group may follow.
    wait_s = window_s + margin_s + tracker.rules.min_silence_s + 2 * FRAME_S
    buffer, loudest = _Buffer(rate, round(margin_s * rate)), _Loudest(size)
    waiting: list[Span] = []  # segments of groups that are not complete
    any_speech = False
    for block, last in _marking_last(blocks):
        buffer.append(block)
        waiting += tracker.feed(block, last)
        any_speech = any_speech or bool(waiting)
        complete = [group for group in _groups(waiting, window_s)
                    if last or group[-1][1] + wait_s <= tracker.searched_s]
        waiting = waiting[sum(map(len, complete)):]
        latest_s = (buffer.end - size) / rate if last else np.inf
        for start_s, speech in (plan for g in complete for plan in _windows_of(g, window_s)):
            start = round(max(0.0, min(start_s, latest_s)) * rate)
            yield buffer.window(start, size, speech)
        needed_s = waiting[0][0] if waiting else tracker.open_since_s
        needed = round((needed_s - window_s - margin_s) * rate)
        if not any_speech:
            loudest.search(buffer, last)
            needed = min(needed, loudest.searched - buffer.margin)
        buffer.forget_before(needed)
    if not any_speech and loudest.window is not None:
        yield loudest.window


def _groups(segments: list[Span], window_s: float) -> list[list[Span]]:
    """Neighbouring segments that fit into one window together."""
    groups: list[list[Span]] = []
    for segment in segments:
        if groups and segment[1] - groups[-1][0][0] <= window_s:
            groups[-1].append(segment)
        else:
            groups.append([segment])
    return groups


def _windows_of(group: list[Span], window_s: float) -> list[tuple[float, tuple[Span, ...]]]:
    """Start of each window of a group, and the speech that it represents.

    A long segment becomes several windows, which overlap or leave out a little; each represents
    an equal part of it.
    """
    start, end = group[0][0], group[-1][1]
    count = max(1, round((end - start) / window_s))
    if count == 1:
        return [((start + end - window_s) / 2, tuple(group))]
    starts = np.linspace(start, end - window_s, count).tolist()
    edges = np.linspace(start, end, count + 1).tolist()
    return [(window_start, (span,)) for window_start, span in zip(starts, pairwise(edges))]


def _marking_last(blocks: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, bool]]:
    """Each block, and whether it is the last one."""
    previous = None
    for block in blocks:
        if previous is not None:
            yield previous, False
        previous = block
    if previous is not None:
        yield previous, True


class _Buffer:
    """The newest samples of a stream, addressed by their position in the recording.

    Parameters
    ----------
    rate : int
        Hz.
    margin : int
        Surroundings on both sides of a window, samples.
    """

    def __init__(self, rate: int, margin: int = 0) -> None:
        self.rate, self.margin, self.start = rate, margin, 0
        self.samples = np.zeros(0, np.float32)

    @property
    def end(self) -> int:
        return self.start + len(self.samples)

    def append(self, block: np.ndarray) -> None:
        self.samples = np.concatenate([self.samples, block])

    def window(self, start: int, size: int, speech: tuple[Span, ...]) -> Window:
        first = max(0, start - self.start)
        last = start + size - self.start
        before = max(0, first - self.margin)
        surroundings = self.samples[before: last + self.margin].copy()
        samples = surroundings[first - before: last - before]
        return Window(start / self.rate, (start + len(samples)) / self.rate, samples, speech,
                      surroundings, first - before)

    def forget_before(self, position: int) -> None:
        drop = min(max(0, position - self.start), len(self.samples))
        self.samples, self.start = self.samples[drop:], self.start + drop


class _Loudest:
    """The loudest stretch of a stream.

    Parameters
    ----------
    size : int
        Length of a stretch, samples; a shorter stream is one stretch.

    Attributes
    ----------
    searched : int
        Position before which every stretch starts that was compared.
    window : Window or None
        The loudest of them.
    """

    def __init__(self, size: int) -> None:
        self._size, self._energy = size, -1.0
        self.searched = 0
        self.window: Window | None = None

    def search(self, buffer: _Buffer, last: bool) -> None:
        """Compare the stretches whose surroundings are in the buffer by now.

        Each is compared once. Until the last block this waits for many of them, so that many
        short blocks cost no more than few long ones.
        """
        size = min(self._size, buffer.end) if last else self._size
        end = buffer.end + 1 - size - (0 if last else buffer.margin)
        if end <= self.searched or (not last and end - self.searched < size):
            return
        samples = buffer.samples[self.searched - buffer.start: end - 1 + size - buffer.start]
        sums = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
        energies = sums[size:] - sums[: len(sums) - size]
        first = int(energies.argmax())
        if energies[first] > self._energy:
            self._energy = float(energies[first])
            self.window = buffer.window(self.searched + first, self._size, ())
        self.searched = end
