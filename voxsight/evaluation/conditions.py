"""Degraded and transformed recordings, for tests of robustness.

`DEGRADED` takes something from the voice. `EQUIVALENT` keeps what a listener hears, so that the
prediction should not change. `SHORTENED` leaves little of it. `UNUSUAL` are ways to use a voice
that no training corpus holds, simulated with the WORLD vocoder.

Some conditions resemble the alterations of `voxsight.pictures.alteration`, which makes copies of
recordings for training, so that figures under them are better than under a degradation that is
new to the model. Telephone is the same function. Opus is the same codec at another bit rate.
"12 dB louder, clipped" clips as training does, and "loudest 0.3 s" is as short as the words that
training cuts out. Room and noise are made in another way: the room is computed from mirror images
and the noise is recorded, where training draws both at random. The other conditions have no
counterpart in training.
"""

import functools
from collections.abc import Callable, Sequence

import numpy as np
import soxr

from voxsight.errors import UsageError
from voxsight.sound import effects
from voxsight.sound.recording import Recording
from voxsight.sound.vocoder import Vocoder
from voxsight.sound.writing import through_file

SILENCE_S = 3.0
LOUDEST_S = 0.3
SUSTAINED_S = 1.0
ROOM_M, SOURCE_M, MICROPHONE_M = (4.0, 3.2, 2.6), (1.0, 1.1, 1.5), (2.9, 2.2, 1.2)
ABSORPTION = 0.15  # of the walls
MAX_REFLECTIONS = 15  # cuts the tail: 0.2 s of reverberation time, where Sabine's formula says 0.6
NOISE_SNR_DB = 10.0
OPUS_BIT_RATE = 16_000  # bits per second

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
    """300 to 3400 Hz, 8 kHz, mu-law."""
    narrow = soxr.resample(effects.telephone(samples, rate), rate, 8_000)
    return narrow, 8_000


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


def _room(samples: np.ndarray, rate: int, noises: Noises,
          rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """A small room, two metres from the microphone (image-source method)."""
    return effects.reverberate(samples, _room_response(rate)), rate


def _opus(samples: np.ndarray, rate: int, noises: Noises,
          rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """Opus at 16 kbit/s, decoded again."""
    return effects.opus(samples, rate, OPUS_BIT_RATE), rate


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
    return (soxr.resample(samples, rate, to), to) if to != rate else (samples, rate)


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
    "telephone": _telephone, "noise at 10 dB": _noise, "small room": _room,
    "Opus at 16 kbit/s": _opus}
EQUIVALENT: dict[str, Condition] = {
    "30 dB quieter": functools.partial(_scaled, gain_db=-30.0),
    "12 dB louder, clipped": functools.partial(_scaled, gain_db=12.0),
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


@functools.lru_cache
def _room_response(rate: int) -> np.ndarray:
    import pyroomacoustics

    walls = pyroomacoustics.Material(ABSORPTION)
    shoebox = pyroomacoustics.ShoeBox(ROOM_M, fs=rate, materials=walls,
                                      max_order=MAX_REFLECTIONS)
    shoebox.add_source(SOURCE_M)
    shoebox.add_microphone(MICROPHONE_M)
    shoebox.compute_rir()
    return shoebox.rir[0][0]
