"""Acoustic features of the first seconds of speech in a recording.

Classifiers other than the picture network use them: the fundamental frequency, mel-frequency
cepstra, and statistics of the spectrum, computed with librosa.
"""

import dataclasses
import os
import zlib
from collections.abc import Collection, Iterable

import numpy as np
from numpy.typing import ArrayLike

from voxsight.sound.effects import add_noise, coloured_noise
from voxsight.sound.excerpts import RATE, first_speech
from voxsight.sound.pitch import median_f0

VERSION = 3  # of the computation; what was stored or trained with another one is not used
KINDS = ("f0", "mfcc", "mfcc_statistics", "statistics")
SUMMARIES = ("mean", "min", "max", "std")  # over time; names of NumPy's functions
# Name and number of rows of each feature that librosa computes.
STATISTICS = (("zero-crossing rate", 1), ("tonal centroid", 6), ("roll-off", 1), ("flatness", 1),
              ("contrast", 7), ("bandwidth", 1), ("centroid", 1), ("rms", 1))
ALTERATIONS = ("white noise", "coloured noise", "pitch")  # of training recordings


@dataclasses.dataclass(frozen=True)
class FeatureConfig:
    """Which part of a recording is described, and how finely.

    Attributes
    ----------
    seconds : float
        Length of a stretch.
    windows : int
        Largest number of consecutive stretches, from the start of the speech.
    n_mfcc : int
        Coefficients per frame.
    n_fft, hop_length : int
        Length of a frame and distance between frames, samples at 16 kHz. By default 93 ms and a
        quarter of that, which are the published 2048 and 512 samples at 22.05 kHz.
    properties : bool
        Also compute the properties of the whole recording; see `properties.Properties`.
    version : int
        `VERSION` of the code that computes the features.
    """

    seconds: float = 2.0
    windows: int = 1
    n_mfcc: int = 40
    n_fft: int = 1_488
    hop_length: int = 372
    properties: bool = False
    version: int = VERSION

    @property
    def frames(self) -> int:
        """Frames of a whole stretch.

        Examples
        --------
        >>> FeatureConfig(seconds=2.0).frames
        87
        """
        return 1 + int(self.seconds * RATE) // self.hop_length


def describe(samples: np.ndarray, config: FeatureConfig,
             kinds: Collection[str] = KINDS) -> dict[str, np.ndarray]:
    """Features of a stretch of sound.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,), float32]
        At 16 kHz.
    config : FeatureConfig
    kinds : collection of str
        Which of the features are wanted.

    Returns
    -------
    dict of str to np.ndarray [float32]
        ``f0`` (1,): median fundamental frequency in Hz, NaN if no frame is voiced.
        ``mfcc`` (n_mfcc, frames). ``mfcc_statistics`` (4 * n_mfcc,): the `SUMMARIES` of each
        coefficient over time. ``statistics`` (4 * 19,): those of each row of `STATISTICS`.
    """
    import librosa

    y = np.pad(samples, (0, max(0, config.n_fft - len(samples))))
    features: dict[str, ArrayLike] = {}
    if "f0" in kinds:
        f0 = median_f0(samples, RATE)
        features["f0"] = [np.nan if f0 is None else f0]
    if "mfcc" in kinds or "mfcc_statistics" in kinds:
        mfcc = librosa.feature.mfcc(y=y, n_mfcc=config.n_mfcc, sr=RATE, n_fft=config.n_fft,
                                    hop_length=config.hop_length)
        features |= {"mfcc": mfcc, "mfcc_statistics": summaries(mfcc)}
    if "statistics" in kinds:
        features["statistics"] = summaries(_statistics_over_time(y, config))
    return {name: np.asarray(features[name], np.float32) for name in KINDS if name in kinds}


def statistics_names() -> list[str]:
    """Name of each entry of ``statistics``.

    Examples
    --------
    >>> statistics_names()[0], len(statistics_names())
    ('zero-crossing rate, mean', 76)
    """
    rows = [name if count == 1 else f"{name} {i + 1}" for name, count in STATISTICS
            for i in range(count)]
    return [f"{row}, {summary}" for summary in SUMMARIES for row in rows]


def stretches(blocks: Iterable[np.ndarray], name: str | os.PathLike, alteration: str,
              config: FeatureConfig) -> list[np.ndarray]:
    """The stretches of a recording's speech that are described, unaltered or altered.

    Where there is no speech, its loudest stretch.

    Parameters
    ----------
    blocks : iterable of np.ndarray [shape=(n,), float32]
        The recording at 16 kHz.
    name : str or os.PathLike
        Path of the file. Its name seeds the alteration.
    alteration : str
        One of `ALTERATIONS`, or empty.
    config : FeatureConfig

    Returns
    -------
    list of np.ndarray [shape=(n,), float32]
        At 16 kHz. The last one lasts at least half of `config.seconds` or is the only one.

    Raises
    ------
    RecordingError
        If the recording cannot be decoded.
    """
    size = int(config.seconds * RATE)
    samples = first_speech(blocks, config.seconds * config.windows)
    if alteration:
        seed = zlib.crc32(os.fsencode(os.path.basename(name)))
        samples = _altered(samples, alteration, np.random.default_rng(seed))
    starts = range(0, max(1, len(samples) - size // 2), size)
    return [samples[start: start + size] for start in starts]


def summaries(tracks: np.ndarray) -> np.ndarray:
    """The `SUMMARIES` of each row over time.

    Parameters
    ----------
    tracks : np.ndarray [shape=(rows, frames)]

    Returns
    -------
    np.ndarray [shape=(4 * rows,)]
        The first summary of all rows, then the next.

    Examples
    --------
    >>> summaries(np.array([[1.0, 3.0]])).tolist()
    [2.0, 1.0, 3.0, 1.0]
    """
    return np.concatenate([getattr(np, name)(tracks, axis=1) for name in SUMMARIES])


def _altered(samples: np.ndarray, kind: str, rng: np.random.Generator) -> np.ndarray:
    """A copy with noise 10 to 30 dB below it, or shifted by at most a semitone."""
    if kind == "pitch":
        import librosa

        return librosa.effects.pitch_shift(samples, sr=RATE, n_steps=rng.uniform(-1, 1))
    slope = 0.0 if kind == "white noise" else rng.uniform(0.5, 2.0)
    return add_noise(samples, coloured_noise(len(samples), slope, rng), rng.uniform(10.0, 30.0))


def _statistics_over_time(y: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """Rows of `STATISTICS` over time, shape (19, frames)."""
    from librosa import feature, stft

    rate, n_fft, hop = RATE, config.n_fft, config.hop_length
    power = np.abs(stft(y, n_fft=n_fft, hop_length=hop)) ** 2
    magnitude = np.sqrt(power)
    chroma = feature.chroma_stft(S=power, sr=rate, tuning=0.0, n_fft=n_fft)
    return np.vstack([
        feature.zero_crossing_rate(y, frame_length=n_fft, hop_length=hop),
        feature.tonnetz(chroma=chroma),
        feature.spectral_rolloff(S=magnitude, sr=rate),
        feature.spectral_flatness(S=magnitude),
        feature.spectral_contrast(S=magnitude, sr=rate),
        feature.spectral_bandwidth(S=magnitude, sr=rate),
        feature.spectral_centroid(S=magnitude, sr=rate),
        feature.rms(y=y, frame_length=n_fft, hop_length=hop)])
