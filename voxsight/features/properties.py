"""Properties of a recording whatever is said in it: duration, level, noise, bandwidth, pitch."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import soxr

from voxsight.base.parallel.workers import ordered_map
from voxsight.base.progress import progress
from voxsight.errors import RecordingError
from voxsight.sound.pitch import median_f0
from voxsight.sound.recording import Recording, undecodable
from voxsight.sound.speech import DETECTOR_RATE, SpeechTracker

LONGEST_S = 60.0  # what comes later is ignored
FRAME_S = 0.032  # of the levels
FULL_SCALE = 0.999  # a sample at or above it may have been clipped
CLIPPED_RUN = 3  # samples; a shorter run at full scale may be a peak that just fits
BAND_DB = -60.0  # the bandwidth ends where the mean spectrum stays this far below its maximum


@dataclasses.dataclass(frozen=True)
class Properties:
    """Properties of one recording.

    Attributes
    ----------
    duration_s : float
        Seconds.
    speech_share : float
        Fraction of the recording that is speech.
    level_db : float
        90th percentile of the levels of frames of 32 ms, dB relative to full scale.
    noise_db : float
        10th percentile of these levels, dB relative to the 90th.
    clipped_share : float
        Fraction of samples in runs at full scale.
    bandwidth_hz : float
        Highest frequency within 60 dB of the strongest in the mean spectrum, Hz.
    dc : float
        Magnitude of the mean of the samples, relative to their root mean square.
    rate_hz : float
        Stored sampling rate, Hz.
    f0_hz : float
        Median fundamental frequency, Hz; NaN if no frame is voiced.
    """

    duration_s: float
    speech_share: float
    level_db: float
    noise_db: float
    clipped_share: float
    bandwidth_hz: float
    dc: float
    rate_hz: float
    f0_hz: float


NAMES = tuple(field.name for field in dataclasses.fields(Properties))


def properties_of(recording: Recording) -> Properties:
    """Properties of a recording, from its first minute.

    Parameters
    ----------
    recording : Recording

    Returns
    -------
    Properties

    Raises
    ------
    RecordingError
        If the recording cannot be decoded.
    """
    samples: list[np.ndarray] = []
    n_samples = 0
    # All of it is decoded, since the duration is known only then.
    for block in recording.blocks(remove_dc=False):
        if n_samples < LONGEST_S * recording.rate:
            samples.append(block)
            n_samples += len(block)
    return describe_properties(np.concatenate(samples), recording.rate, recording.duration_s)


def describe_properties(samples: np.ndarray, rate: int,
                        duration_s: float | None = None) -> Properties:
    """Properties of samples.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,), float32]
        With the offset of the recording, full scale at 1.
    rate : int
        Hz.
    duration_s : float, optional
        Duration of the whole recording, if the samples are only its start.

    Returns
    -------
    Properties
    """
    samples_s = len(samples) / rate
    level, dc = np.sqrt(np.mean(np.square(samples, dtype=float))), float(np.mean(samples))
    centred = samples - np.float32(dc)
    at_16k = centred if rate == DETECTOR_RATE else soxr.resample(centred, rate, DETECTOR_RATE)
    tracker = SpeechTracker(DETECTOR_RATE)
    # Read as for an answer, so that both find the same speech.
    tracker.feed(Recording.of(samples, rate).read(DETECTOR_RATE), last=True)
    loud_db, quiet_db = _loud_and_quiet_db(centred, rate)
    f0 = median_f0(at_16k, DETECTOR_RATE)
    return Properties(
        duration_s=duration_s or samples_s,
        speech_share=min(1.0, tracker.speech_s / samples_s),
        level_db=loud_db,
        noise_db=quiet_db - loud_db,
        clipped_share=_clipped_fraction(samples),
        bandwidth_hz=_bandwidth_hz(centred, rate),
        dc=abs(dc) / max(level, 1e-9),
        rate_hz=float(rate),
        f0_hz=np.nan if f0 is None else f0)


def properties_of_all(paths: Sequence[str], *, jobs: int | None = None,
                      quiet: bool = False) -> list[Properties | RecordingError]:
    """Properties of recordings, in order.

    Parameters
    ----------
    paths : sequence of str
    jobs : int, optional
        Worker processes (default: all cores).
    quiet : bool
        No progress bar.

    Returns
    -------
    list of Properties or RecordingError
        An error in place of each recording that cannot be decoded.
    """
    results = ordered_map(_open_reader, paths, jobs, undecodable)
    return list(progress(results, len(paths), desc="properties", unit="recording", quiet=quiet))


def _open_reader() -> Callable[[str], Properties | RecordingError]:
    return _properties_or_error


def _properties_or_error(path: str) -> Properties | RecordingError:
    try:
        return properties_of(Recording(path))
    except RecordingError as error:
        return error


def _loud_and_quiet_db(samples: np.ndarray, rate: int) -> tuple[float, float]:
    """90th and 10th percentile of the levels of frames, dB."""
    size = max(1, int(FRAME_S * rate))
    padded = np.pad(samples, (0, max(0, size - len(samples))))
    frames = padded[: len(padded) // size * size].reshape(-1, size)
    levels = 10 * np.log10(np.mean(np.square(frames, dtype=float), axis=1) + 1e-12)
    quiet, loud = np.percentile(levels, [10, 90])
    return float(loud), float(quiet)


def _clipped_fraction(samples: np.ndarray) -> float:
    """Fraction of samples in runs of `CLIPPED_RUN` or more at the peak."""
    peak = float(np.abs(samples).max())
    if peak < FULL_SCALE:
        return 0.0
    at_peak = np.abs(samples) >= FULL_SCALE * min(peak, 1.0)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], at_peak.astype(np.int8), [0]])))
    runs = edges[1::2] - edges[::2]
    return float(runs[runs >= CLIPPED_RUN].sum() / len(samples))


def _bandwidth_hz(samples: np.ndarray, rate: int, size: int = 1024) -> float:
    """Highest frequency within `BAND_DB` of the maximum of the mean spectrum; 0 for silence."""
    padded = np.pad(samples, (0, max(0, size - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[:: size // 2]
    power = np.mean(np.abs(np.fft.rfft(frames * np.hanning(size), axis=1)) ** 2, axis=0)
    inside = np.flatnonzero(power >= power.max() * 10 ** (BAND_DB / 10))
    return float(inside[-1] * rate / size) if power.max() > 0 else 0.0
