"""What a recording is like, whatever is said in it: duration, level, noise, band, pitch."""

import dataclasses
import functools

import numpy as np
import soxr

from voxsight.audio import Recording, undecodable
from voxsight.errors import RecordingError
from voxsight.parallel import ordered_map, progress
from voxsight.pitch import median_f0
from voxsight.speech import DETECTOR_RATE, SpeechTracker

LONGEST_S = 60.0  # what comes later is not looked at
FRAME_S = 0.032
FULL_SCALE = 0.999  # at and above it a sample may have been clipped
CLIPPED_RUN = 3  # so many of them in a row were
BAND_DB = -60.0  # below the strongest, of the mean spectrum; nothing above the band is louder


@dataclasses.dataclass(frozen=True)
class Properties:
    """Of one recording.

    Attributes
    ----------
    duration_s : float
        seconds
    speech_share : float
        share of it that is speech
    level_db : float
        of the loudest tenth of frames, dB below full scale
    noise_db : float
        of the quietest tenth of frames, dB below the loudest tenth
    clipped_share : float
        share of samples in runs at full scale
    bandwidth_hz : float
        highest frequency within 60 dB of the strongest in the mean spectrum
    dc : float
        mean of the samples, as a share of their root mean square
    rate_hz : float
        stored sampling rate
    f0_hz : float
        median fundamental frequency; NaN where no frame is voiced
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


def properties_of(path):
    """Properties of a recording.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    Properties

    Raises
    ------
    RecordingError
    """
    recording = Recording(path)
    blocks = recording.blocks(remove_dc=False)
    samples, kept = [], 0
    for block in blocks:
        if kept < LONGEST_S * recording.rate:
            samples.append(block)
            kept += len(block)
    return describe(np.concatenate(samples), recording.rate, recording.duration_s)


def describe(samples, rate, duration_s=None):
    """Properties of samples; `duration_s` where they are the start of something longer."""
    own_s = len(samples) / rate
    level, dc = np.sqrt(np.mean(np.square(samples, dtype=float))), float(np.mean(samples))
    heard = samples - np.float32(dc)
    at_16k = heard if rate == DETECTOR_RATE else soxr.resample(heard, rate, DETECTOR_RATE)
    tracker = SpeechTracker(DETECTOR_RATE)
    tracker.feed(at_16k, last=True)
    loud, quiet = _loud_and_quiet_db(heard, rate)
    f0 = median_f0(at_16k, DETECTOR_RATE)
    return Properties(
        duration_s or own_s, min(1.0, tracker.speech_s / own_s), loud, quiet - loud,
        _clipped_share(samples), _bandwidth(heard, rate), abs(dc) / max(level, 1e-9), float(rate),
        np.nan if f0 is None else f0)


def properties_of_all(paths, *, jobs=None, quiet=False):
    """Properties of recordings, in order; a RecordingError in place of those not read.

    Parameters
    ----------
    paths : sequence of str
    jobs, quiet
        as everywhere

    Returns
    -------
    list of Properties or RecordingError
    """
    results = ordered_map(functools.partial(_reader), paths, jobs, undecodable)
    return list(progress(results, len(paths), desc="properties", unit="recording", quiet=quiet))


def _reader():
    return _properties_or_error


def _properties_or_error(path):
    try:
        return properties_of(path)
    except RecordingError as error:
        return error


def _loud_and_quiet_db(samples, rate):
    size = max(1, int(FRAME_S * rate))
    padded = np.pad(samples, (0, max(0, size - len(samples))))
    frames = padded[: len(padded) // size * size].reshape(-1, size)
    levels = 10 * np.log10(np.mean(np.square(frames, dtype=float), axis=1) + 1e-12)
    quiet, loud = np.percentile(levels, [10, 90])
    return float(loud), float(quiet)


def _clipped_share(samples):
    peak = float(np.abs(samples).max())
    if peak < FULL_SCALE:
        return 0.0
    at_peak = np.abs(samples) >= FULL_SCALE * min(peak, 1.0)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], at_peak.astype(np.int8), [0]])))
    runs = edges[1::2] - edges[::2]
    return float(runs[runs >= CLIPPED_RUN].sum() / len(samples))


def _bandwidth(samples, rate, size=1024):
    padded = np.pad(samples, (0, max(0, size - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[:: size // 2]
    power = np.mean(np.abs(np.fft.rfft(frames * np.hanning(size), axis=1)) ** 2, axis=0)
    inside = np.flatnonzero(power >= power.max() * 10 ** (BAND_DB / 10))
    return float(inside[-1] * rate / size) if power.max() > 0 else 0.0
