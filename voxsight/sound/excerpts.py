"""Parts of a recording that other models listen to: its speech."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from voxsight.sound.recording import Recording
from voxsight.sound.speech import SpeechTracker
from voxsight.sound.windows import Window, speech_windows

# Corpora differ in bandwidth, and a classifier could exploit that instead of the voice; so
# every recording is read at the lowest rate in common use.
RATE = 16_000
MARGIN_S = 0.5  # kept around speech: encoders do worse on speech that is cut tightly
CLOSE_S = 0.0  # instead, where statistics over time would describe pauses rather than speech
LONGEST_S = 60.0  # of speech; what comes later is left out
_STRETCH_S = 1.0  # of speech collected at a time


@dataclass(frozen=True)
class Excerpt:
    """Part of a recording, and what is known of all of it.

    Attributes
    ----------
    samples : np.ndarray [shape=(n,), float32]
        At `RATE`.
    speech_s, duration_s, nonzero_s : float
        Seconds of speech, of everything, and of samples that are not zero, in the whole
        recording.
    spans : tuple of (float, float)
        Where the samples lie in the recording: start and length in seconds.
    """

    samples: np.ndarray
    speech_s: float
    duration_s: float
    nonzero_s: float
    spans: tuple[tuple[float, float], ...]


class SpeechCollector:
    """Collects the speech of a recording without long pauses, while its windows pass.

    Parameters
    ----------
    rate : int
        Sampling rate of the windows, Hz.
    longest_s : float
        Speech that comes later is left out.
    margin_s : float
        Kept around speech, seconds; the windows have surroundings of this length.

    Attributes
    ----------
    spans : list of (float, float)
        Start and length of each part in the recording, seconds.
    """

    def __init__(self, rate: int, longest_s: float = LONGEST_S,
                 margin_s: float = MARGIN_S) -> None:
        self._rate, self._left, self._margin_s = rate, int(longest_s * rate), margin_s
        self._parts: list[np.ndarray] = []
        self._end = 0
        self.spans: list[tuple[float, float]] = []

    def collecting(self, windows: Iterable[Window]) -> Iterator[Window]:
        """The same windows; the speech of each is collected before it is passed on.

        Parameters
        ----------
        windows : iterable of Window
            With `MARGIN_S` of surroundings.

        Yields
        ------
        Window
        """
        for window in windows:
            self.add(window)
            yield window

    def add(self, window: Window) -> None:
        """Collect the speech of one window."""
        assert window.surroundings is not None  # windows of `speech_windows` have them
        origin = round(window.start_s * self._rate) - window.offset
        for start_s, end_s in window.speech or ((window.start_s, window.end_s),):
            # The margins of neighbours overlap; nothing is collected twice.
            start = max(self._end, origin, round((start_s - self._margin_s) * self._rate))
            end = round((end_s + self._margin_s) * self._rate)
            part = window.surroundings[start - origin: end - origin][: self._left]
            if len(part):
                self._left -= len(part)
                self._end = start + len(part)
                self._parts.append(part)
                self.spans.append((start / self._rate, len(part) / self._rate))

    @property
    def is_full(self) -> bool:
        """Whether what follows is left out."""
        return self._left <= 0

    @property
    def samples(self) -> np.ndarray:
        """Speech collected so far, shape (n,), float32."""
        return np.concatenate(self._parts) if self._parts else np.zeros(0, np.float32)


def speech_only(recording: Recording, longest_s: float = LONGEST_S,
                margin_s: float = MARGIN_S) -> Excerpt:
    """The speech of a recording without long pauses.

    Its loudest stretch if there is no speech.

    Parameters
    ----------
    recording : Recording
    longest_s : float
        Speech that comes later is left out.
    margin_s : float
        Kept around speech, seconds.

    Returns
    -------
    Excerpt

    Raises
    ------
    RecordingError
        If it cannot be decoded.
    """
    tracker, speech = SpeechTracker(RATE), SpeechCollector(RATE, longest_s, margin_s)
    for window in speech_windows(recording.blocks(RATE), RATE, _STRETCH_S, tracker, margin_s):
        speech.add(window)
    return Excerpt(speech.samples, tracker.speech_s, recording.duration_s, recording.nonzero_s,
                   tuple(speech.spans))


def first_speech(blocks: Iterable[np.ndarray], seconds: float) -> np.ndarray:
    """The samples that `speech_only` finds with `CLOSE_S` around speech; no more is decoded.

    Parameters
    ----------
    blocks : iterable of np.ndarray [shape=(n,), float32]
        The recording at `RATE`.
    seconds : float
        Speech that comes later is left out.

    Returns
    -------
    np.ndarray [shape=(n,), float32]
    """
    speech = SpeechCollector(RATE, seconds, CLOSE_S)
    for window in speech_windows(blocks, RATE, _STRETCH_S, SpeechTracker(RATE), CLOSE_S):
        speech.add(window)
        if speech.is_full:
            break
    return speech.samples
