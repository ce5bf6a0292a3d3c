"""Degraded and transformed recordings, for tests of robustness.

`DEGRADED` takes something from the voice. `EQUIVALENT` keeps what a listener hears, so that the
prediction should not change. `SHORTENED` leaves little of it. `UNUSUAL` are ways to use a voice
that no training corpus holds, simulated with the WORLD vocoder.

`LIKE_TRAINING` says which conditions resemble alterations of `voxsight.pictures.alteration`, which
makes copies of recordings for training. A model trained on such copies has met the kind of
degradation before, and does better than it would under one that is new to it. Opus is the same
codec at another bit rate. The others are made by other means than in training: telephones by
FFmpeg's codecs behind a standard handset, rooms from mirror images, noise from recordings,
overdriving by a curve. The unusual voices come from the vocoder with which training changes
pitch and vocal tract.

References
----------
.. [1] ITU-T P.48, "Specification for an intermediate reference system", 1988
.. [2] ITU-T P.862, "Perceptual evaluation of speech quality (PESQ)", 2001 (table of its response)
.. [3] Allen and Berkley, "Image method for efficiently simulating small-room acoustics", 1979
.. [4] Gilbert, "Capacity of a burst-noise channel", 1960
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import numpy as np
import soxr

from voxsight.errors import UsageError
from voxsight.sound import codecs, effects
from voxsight.sound.recording import Recording
from voxsight.sound.vocoder import Vocoder
from voxsight.sound.writing import through_file

SILENCE_S = 3.0
LOUDEST_S = 0.3
SUSTAINED_S = 1.0
NOISE_SNR_DB = 10.0
OPUS_BIT_RATE = 16_000  # bits per second
AMR_BIT_RATE = 5_900  # bits per second, where many share a cell
LOST, LOST_IN_A_ROW = 0.1, 2.0  # fraction of the packets; their mean number in a row
OVERDRIVE_DB = 12.0


@dataclasses.dataclass(frozen=True)
class Room:
    """An empty box with a speaker and a microphone in it.

    Attributes
    ----------
    size_m, speaker_m, microphone_m : (float, float, float)
        Metres.
    absorption : float
        Fraction of the energy that a wall takes from sound that meets it.
    reflections : int
        Most reflections of a path of sound. Fewer than the sound meets within its reverberation
        time would cut the tail.
    """

    size_m: tuple[float, float, float]
    speaker_m: tuple[float, float, float]
    microphone_m: tuple[float, float, float]
    absorption: float
    reflections: int


# Not far from cubes, so that Sabine's formula holds: reverberation times of 0.57 and 0.80 s.
SMALL_ROOM = Room((3.7, 3.2, 2.8), (1.0, 1.1, 1.5), (2.8, 2.2, 1.2), 0.15, 60)
LARGE_ROOM = Room((5.9, 5.2, 4.3), (1.7, 2.1, 1.6), (4.2, 3.7, 1.3), 0.17, 80)

# Samples of shape (n,), their rate in Hz, recorded noise with its rates and a random generator
# to samples of shape (m,) or (m, channels) and their rate.
Noises = Sequence[tuple[np.ndarray, int]]
Condition = Callable[[np.ndarray, int, Noises, np.random.Generator], tuple[np.ndarray, int]]


def under_condition(condition: str, samples: np.ndarray, rate: int, noises: Noises,
                    rng: np.random.Generator) -> Recording:
    """A recording under a condition, stored as 16-bit WAV or MP3 and read again.

    Parameters
    ----------
    condition : str
        Key of `CONDITIONS`.
    samples : np.ndarray [shape=(n,), float32]
        The recording.
    rate : int
        Its sampling rate, Hz.
    noises : sequence of (np.ndarray, int)
        Recorded noise with its rates.
    rng : np.random.Generator
        Draws the stretch of noise.

    Returns
    -------
    Recording

    Raises
    ------
    UsageError
        If the condition needs noise and there is none.
    """
    altered, rate = CONDITIONS[condition](samples, rate, noises, rng)
    return through_file(altered, rate, "MP3" if condition == "MP3" else "WAV")


def _telephone(samples: np.ndarray, rate: int, noises: Noises,
               rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """A landline: a standard handset, then A-law at 8 kHz."""
    heard = codecs.a_law(effects.handset(samples, rate), rate)
    return _at_rate(heard, rate, effects.TELEPHONE_RATE), effects.TELEPHONE_RATE


def _mobile_telephone(samples: np.ndarray, rate: int, noises: Noises,
                      rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """A standard handset, then AMR-NB at 5.9 kbit/s."""
    try:
        heard = codecs.amr(effects.handset(samples, rate), rate, AMR_BIT_RATE)
    except ValueError as error:
        raise UsageError("mobile telephone: found no AMR encoder in PyAV; install av from PyPI, "
                         "or leave the condition out with --conditions") from error
    return _at_rate(heard, rate, effects.TELEPHONE_RATE), effects.TELEPHONE_RATE


def _noise(samples: np.ndarray, rate: int, noises: Noises,
           rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """A random stretch of recorded noise, 10 dB below the voice."""
    if not noises:
        raise UsageError("noise: found no recordings of noise, expected some to add; name "
                         "their folder with --noise")
    recorded, recorded_rate = noises[int(rng.integers(len(noises)))]
    recorded = soxr.resample(recorded, recorded_rate, rate)
    start = int(rng.integers(max(1, len(recorded) - len(samples))))
    return effects.add_noise(samples, recorded[start:], NOISE_SNR_DB), rate


def _in_room(samples: np.ndarray, rate: int, noises: Noises, rng: np.random.Generator, *,
             room: Room) -> tuple[np.ndarray, int]:
    """Two or three metres from the microphone (image-source method)."""
    return effects.reverberate(samples, room_response(room, rate)), rate


def _opus(samples: np.ndarray, rate: int, noises: Noises,
          rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """Opus at 16 kbit/s, decoded again."""
    return codecs.opus(samples, rate, OPUS_BIT_RATE), rate


def _with_losses(samples: np.ndarray, rate: int, noises: Noises,
                 rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """One packet of 20 ms in ten is lost, two in a row on average."""
    return effects.lose_packets(samples, rate, LOST, LOST_IN_A_ROW, rng), rate


def _overdriven(samples: np.ndarray, rate: int, noises: Noises,
                rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """12 dB beyond the recording's own peak, so that all are clipped."""
    return effects.overdriven(samples, OVERDRIVE_DB), rate


def _scaled(samples: np.ndarray, rate: int, noises: Noises, rng: np.random.Generator, *,
            gain_db: float) -> tuple[np.ndarray, int]:
    return np.clip(samples * 10 ** (gain_db / 20), -1.0, 1.0), rate


def _between_silence(samples: np.ndarray, rate: int, noises: Noises,
                     rng: np.random.Generator) -> tuple[np.ndarray, int]:
    return np.pad(samples, int(SILENCE_S * rate)), rate


def _one_dead_channel(samples: np.ndarray, rate: int, noises: Noises,
                      rng: np.random.Generator) -> tuple[np.ndarray, int]:
    return np.stack([np.zeros_like(samples), samples], axis=1), rate


def _opposite_phases(samples: np.ndarray, rate: int, noises: Noises,
                     rng: np.random.Generator) -> tuple[np.ndarray, int]:
    return np.stack([samples, -samples], axis=1), rate


def _resampled(samples: np.ndarray, rate: int, noises: Noises, rng: np.random.Generator, *,
               to: int) -> tuple[np.ndarray, int]:
    return _at_rate(samples, rate, to), to


def _unchanged(samples: np.ndarray, rate: int, noises: Noises,
               rng: np.random.Generator) -> tuple[np.ndarray, int]:
    return samples, rate


def _loudest(samples: np.ndarray, rate: int, noises: Noises,
             rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """The stretch of 0.3 s with the most energy."""
    energy = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    size = min(len(samples), int(LOUDEST_S * rate))
    start = int(np.argmax(energy[size:] - energy[: len(energy) - size]))
    return samples[start: start + size], rate


def _with_vocoder(samples: np.ndarray, rate: int, noises: Noises, rng: np.random.Generator, *,
                  use: Callable[[Vocoder], np.ndarray]) -> tuple[np.ndarray, int]:
    return use(Vocoder(samples, rate)), rate


DEGRADED: dict[str, Condition] = {
    "telephone": _telephone,
    "mobile telephone": _mobile_telephone,
    "noise at 10 dB": _noise,
    "small room": functools.partial(_in_room, room=SMALL_ROOM),
    "large room": functools.partial(_in_room, room=LARGE_ROOM),
    "Opus at 16 kbit/s": _opus,
    "10 % of packets lost": _with_losses,
    "overdriven by 12 dB, clipped": _overdriven,
}
EQUIVALENT: dict[str, Condition] = {
    "30 dB quieter": functools.partial(_scaled, gain_db=-30.0),
    "between 3 s of silence": _between_silence,
    "one dead channel": _one_dead_channel,
    "opposite phases": _opposite_phases,
    "8 kHz": functools.partial(_resampled, to=8_000),
    "22.05 kHz": functools.partial(_resampled, to=22_050),
    "44.1 kHz": functools.partial(_resampled, to=44_100),
    "48 kHz": functools.partial(_resampled, to=48_000),
    "MP3": _unchanged,  # `under_condition` writes it as MP3
}
SHORTENED: dict[str, Condition] = {"loudest 0.3 s": _loudest}
UNUSUAL: dict[str, Condition] = {
    "whispered": functools.partial(_with_vocoder, use=Vocoder.whispered),
    "sung": functools.partial(_with_vocoder, use=Vocoder.sung),
    "sustained vowel": functools.partial(
        _with_vocoder, use=functools.partial(Vocoder.sustained, duration_s=SUSTAINED_S)),
}
CONDITIONS = DEGRADED | EQUIVALENT | SHORTENED | UNUSUAL
# Kinds of altered copies, as `alteration.altered_copies` names them, that a condition resembles.
LIKE_TRAINING: dict[str, tuple[str, ...]] = {
    "telephone": ("telephone",),
    "mobile telephone": ("telephone", "codec"),
    "noise at 10 dB": ("noise",),
    "small room": ("room",),
    "large room": ("room",),
    "Opus at 16 kbit/s": ("codec",),
    "overdriven by 12 dB, clipped": ("clipping",),
    "8 kHz": ("telephone",),
    "MP3": ("codec",),
    "loudest 0.3 s": ("word",),
    "whispered": ("pitch",),
    "sung": ("pitch",),
    "sustained vowel": ("pitch",),
}


def trained_on(condition: str) -> str:
    """Whether the copies made for training hold something like a condition.

    Parameters
    ----------
    condition : str
        Key of `CONDITIONS`.

    Returns
    -------
    str
        ``no``, or ``similar:`` and the kinds of copies.

    Examples
    --------
    >>> trained_on("telephone"), trained_on("48 kHz")
    ('similar: telephone', 'no')
    """
    kinds = LIKE_TRAINING.get(condition)
    return f"similar: {', '.join(kinds)}" if kinds else "no"


def _at_rate(samples: np.ndarray, rate: int, to: int) -> np.ndarray:
    """Resampled; of a sample or two, one remains, since no recording has none."""
    resampled = soxr.resample(samples, rate, to) if to != rate else samples
    return resampled if len(resampled) else np.zeros(1, np.float32)


@functools.lru_cache
def room_response(room: Room, rate: int) -> np.ndarray:
    """Impulse response from the speaker to the microphone, by mirror images.

    Parameters
    ----------
    room : Room
    rate : int
        Sampling rate, Hz.

    Returns
    -------
    np.ndarray [shape=(n,)]
    """
    import pyroomacoustics

    walls = pyroomacoustics.Material(room.absorption)
    shoebox = pyroomacoustics.ShoeBox(room.size_m, fs=rate, materials=walls,
                                      max_order=room.reflections)
    shoebox.add_source(room.speaker_m)
    shoebox.add_microphone(room.microphone_m)
    shoebox.compute_rir()
    return shoebox.rir[0][0]
