"""Numbers that describe the first seconds of a recording, computed once and kept.

What classifiers other than the picture network look at: the fundamental frequency,
mel-frequency cepstra, and statistics of the spectrum (librosa).
"""

import dataclasses
import functools
import os
import sqlite3
import zlib
from collections import defaultdict
from pathlib import Path

import numpy as np
import soxr

from voxsight import audio, properties
from voxsight.audio import Recording, undecodable
from voxsight.degradation import add_noise, coloured_noise
from voxsight.errors import RecordingError
from voxsight.parallel import ordered_map, progress
from voxsight.pitch import median_f0
from voxsight.speech import Heard, SpeechTracker

# Corpora differ in their band, and a classifier would read that instead of the voice; so
# all are heard at the lowest rate in common use.
HEARD_RATE = 16_000
SUMMARIES = ("mean", "min", "max", "std")
STATISTICS = (("zero-crossing rate", 1), ("tonal centroid", 6), ("roll-off", 1), ("flatness", 1),
              ("contrast", 7), ("bandwidth", 1), ("centroid", 1), ("rms", 1))
ALTERATIONS = ("white noise", "coloured noise", "pitch")  # of training recordings
VERSION = 1  # of the computation; kept features of another are not used


@dataclasses.dataclass(frozen=True)
class FeatureConfig:
    """What is described, and how finely.

    Attributes
    ----------
    seconds : float
        of each recording, from its start
    windows : int
        consecutive stretches of `seconds`, at most
    sample_rate : int
        Hz, of what librosa is given
    n_mfcc : int
        coefficients per frame
    n_fft, hop_length : int
        samples per frame and between frames
    properties : bool
        the properties of the whole recording too, see `properties.Properties`
    """

    seconds: float = 2.0
    windows: int = 1
    sample_rate: int = 22_050
    n_mfcc: int = 40
    n_fft: int = 2_048
    hop_length: int = 512
    properties: bool = False

    @property
    def frames(self):
        """Frames of the whole `seconds`."""
        return 1 + int(self.seconds * self.sample_rate) // self.hop_length


def hear(path, seconds):
    """Listen to a whole recording once and keep its first seconds.

    Parameters
    ----------
    path : str or os.PathLike
    seconds : float

    Returns
    -------
    speech.Heard
        samples at `HEARD_RATE`

    Raises
    ------
    RecordingError
    """
    recording, tracker = Recording(path), SpeechTracker(HEARD_RATE)
    kept, missing = [], int(seconds * HEARD_RATE)
    for block in recording.blocks(HEARD_RATE):
        tracker.feed(block)
        kept.append(block[:missing])
        missing -= len(kept[-1])
    tracker.feed(np.zeros(0, np.float32), last=True)
    return Heard(np.concatenate(kept), tracker.speech_s, recording.duration_s,
                 recording.nonzero_samples / recording.rate)


def describe(samples, config):
    """Features of a stretch of sound.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,), float32]
        at `HEARD_RATE`
    config : FeatureConfig

    Returns
    -------
    dict of str to np.ndarray [float32]
        ``f0`` (1,): median fundamental frequency in Hz, NaN where no frame is voiced;
        ``mfcc`` (n_mfcc, frames); ``mfcc_statistics`` (4 * n_mfcc,) and ``statistics``
        (4 * 19,): per row of `STATISTICS`, the `SUMMARIES` over time
    """
    import librosa

    f0 = median_f0(samples, HEARD_RATE)
    y = soxr.resample(samples, HEARD_RATE, config.sample_rate)
    y = np.pad(y, (0, max(0, config.n_fft - len(y))))
    about = {"sr": config.sample_rate, "n_fft": config.n_fft, "hop_length": config.hop_length}
    mfcc = librosa.feature.mfcc(y=y, n_mfcc=config.n_mfcc, **about)
    features = {"f0": [np.nan if f0 is None else f0], "mfcc": mfcc,
                "mfcc_statistics": summaries(mfcc), "statistics": summaries(_tracks(y, about))}
    return {name: np.asarray(values, np.float32) for name, values in features.items()}


def statistics_names():
    """Name of each entry of ``statistics``, such as ``contrast 3, max``."""
    rows = [name if count == 1 else f"{name} {i + 1}" for name, count in STATISTICS
            for i in range(count)]
    return [f"{row}, {summary}" for summary in SUMMARIES for row in rows]


def stretches(path, alteration, config):
    """The stretches of a recording that are described, as they are or altered.

    Parameters
    ----------
    path : str or os.PathLike
    alteration : str
        one of `ALTERATIONS`, drawn from a generator seeded by the file's name; or nothing
    config : FeatureConfig

    Returns
    -------
    list of np.ndarray [shape=(n,), float32]
        at `HEARD_RATE`; the last may be shorter, but by half at most, or is the only one

    Raises
    ------
    RecordingError
    """
    return _stretches(Recording(path).blocks(HEARD_RATE), path, alteration, config)


class FeatureStore:
    """Features of recordings, each computed once and kept in one SQLite file.

    Parameters
    ----------
    path : str or os.PathLike
        the file, made when missing
    config : FeatureConfig
    """

    def __init__(self, path, config):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        self.config = config
        self._database = sqlite3.connect(path)
        self._database.execute("CREATE TABLE IF NOT EXISTS features (key TEXT, name TEXT, "
                               "shape TEXT, data BLOB, PRIMARY KEY (key, name))")

    def of(self, items, *, jobs=None, quiet=False):
        """Features of recordings.

        Parameters
        ----------
        items : sequence of (str, str)
            path, and an alteration (one of `ALTERATIONS`) or nothing
        jobs, quiet
            as everywhere

        Returns
        -------
        list of (list of dict) or RecordingError
            per stretch of a recording, as `describe` gives it, and ``properties`` where
            the config asks for them
        """
        keys = [self._key(*item) for item in items]
        missing = {key: item for key, item in zip(keys, items) if not self._known(key)}
        failures = {}
        results = ordered_map(functools.partial(_describer, self.config),
                              list(missing.values()), jobs, lambda lost: undecodable(lost[0]))
        for key, found in zip(missing, progress(results, len(missing), desc="features",
                                                unit="recording", quiet=quiet or not missing)):
            if isinstance(found, RecordingError):
                failures[key] = found
            else:
                self._keep(key, found)
        return [failures.get(key) or self._read(key) for key in keys]

    def close(self):
        """Close the file."""
        self._database.close()

    def _key(self, path, alteration):
        try:
            about = os.stat(path)
            state = about.st_size, about.st_mtime_ns
        except OSError:
            state = None
        return repr((VERSION, dataclasses.astuple(self.config), os.path.abspath(path), state,
                     alteration))

    def _known(self, key):
        found = self._database.execute("SELECT 1 FROM features WHERE key = ?", (key,))
        return found.fetchone() is not None

    def _keep(self, key, found):
        rows = [(key, f"{window}/{name}", ",".join(map(str, values.shape)), values.tobytes())
                for window, features in enumerate(found) for name, values in features.items()]
        with self._database:
            self._database.executemany("INSERT OR REPLACE INTO features VALUES (?, ?, ?, ?)", rows)

    def _read(self, key):
        rows = self._database.execute("SELECT name, shape, data FROM features WHERE key = ?",
                                      (key,))
        found = defaultdict(dict)
        for name, shape, data in rows:
            window, _, name = name.partition("/")
            found[int(window)][name] = np.frombuffer(data, np.float32).reshape(
                [*map(int, shape.split(","))])
        return [found[window] for window in sorted(found)]


def _describer(config):
    return functools.partial(_describe_item, config=config)


def _describe_item(item, *, config):
    path, alteration = item
    try:
        if not config.properties:
            return [describe(samples, config) for samples in stretches(path, alteration, config)]
        samples, rate = audio.read(path, remove_dc=False)  # once for both
        heard = audio.resample([samples], rate, HEARD_RATE) if rate != HEARD_RATE else [samples]
        blocks = audio.high_pass(heard, HEARD_RATE)
        found = [describe(own, config) for own in _stretches(blocks, path, alteration, config)]
        own = dataclasses.astuple(properties.describe(samples, rate))
        return [features | {"properties": np.array(own, np.float32)} for features in found]
    except RecordingError as error:
        return error


def _stretches(blocks, path, alteration, config):
    size, kept = int(config.seconds * HEARD_RATE), []
    missing = size * config.windows
    for block in blocks:
        kept.append(block[:missing])
        missing -= len(kept[-1])
        if missing <= 0:
            break
    samples = np.concatenate(kept)
    if alteration:
        seed = zlib.crc32(os.fsencode(os.path.basename(path)))
        samples = _altered(samples, alteration, np.random.default_rng(seed))
    starts = range(0, max(1, len(samples) - size // 2), size)
    return [samples[start: start + size] for start in starts]


def _altered(samples, kind, rng):
    """A copy with noise at 10 to 30 dB below it, or shifted by a semitone at most."""
    if kind == "pitch":
        import librosa

        return librosa.effects.pitch_shift(samples, sr=HEARD_RATE, n_steps=rng.uniform(-1, 1))
    tilt = 0.0 if kind == "white noise" else rng.uniform(0.5, 2.0)
    return add_noise(samples, coloured_noise(len(samples), tilt, rng), rng.uniform(10.0, 30.0))


def _tracks(y, about):
    """Rows of `STATISTICS` over time, shape (19, frames)."""
    import librosa

    feature, frame = librosa.feature, {"hop_length": about["hop_length"]}
    power = np.abs(librosa.stft(y, n_fft=about["n_fft"], **frame)) ** 2
    magnitude = {"S": np.sqrt(power), "sr": about["sr"]}
    chroma = feature.chroma_stft(S=power, sr=about["sr"], tuning=0.0, n_fft=about["n_fft"])
    return np.vstack([
        feature.zero_crossing_rate(y, frame_length=about["n_fft"], **frame),
        feature.tonnetz(chroma=chroma), feature.spectral_rolloff(**magnitude),
        feature.spectral_flatness(S=magnitude["S"]), feature.spectral_contrast(**magnitude),
        feature.spectral_bandwidth(**magnitude), feature.spectral_centroid(**magnitude),
        feature.rms(y=y, frame_length=about["n_fft"], **frame)])


def summaries(tracks):
    """The `SUMMARIES` of each row over time, shape (4 * rows,)."""
    return np.concatenate([getattr(np, name)(tracks, axis=1) for name in SUMMARIES])
