"""Recordings as they come from elsewhere: conditions that a model is measured under.

`DEGRADED` takes something from the voice; `EQUIVALENT` leaves what a listener hears the
same, so that an answer should not move; `SHORTENED` leaves little; `UNUSUAL` are ways to use
a voice that no training corpus holds, simulated with the WORLD vocoder. None of them is used
in training: rooms are computed from mirror images and noise is recorded, where training
draws both at random.
"""

import functools

import numpy as np
import soundfile
import soxr

from voxsight import degradation
from voxsight.errors import UsageError
from voxsight.vocoder import Vocoder

SILENCE_S = 3.0
LOUDEST_S = 0.3
SUSTAINED_S = 1.0
ROOM_M, SOURCE_M, MICROPHONE_M = (4.0, 3.2, 2.6), (1.0, 1.1, 1.5), (2.9, 2.2, 1.2)
ABSORPTION = 0.15  # of the walls, which makes a reverberation time of 0.2 s
NOISE_SNR_DB = 10.0
OPUS_BIT_RATE = 16_000


def telephone(samples, rate, noises, rng):
    """300 to 3400 Hz, 8 kHz, mu-law."""
    narrow = soxr.resample(degradation.telephone(samples, rate), rate, 8_000)
    return narrow, 8_000


def noise(samples, rate, noises, rng):
    """A stretch of recorded noise at 10 dB."""
    if not noises:
        raise UsageError("noise: found no recordings of noise, expected some to add; name "
                         "their folder with --noise")
    chosen, own_rate = noises[rng.integers(len(noises))]
    chosen = soxr.resample(chosen, own_rate, rate)
    start = int(rng.integers(max(1, len(chosen) - len(samples))))
    return degradation.add_noise(samples, chosen[start:], NOISE_SNR_DB), rate


def room(samples, rate, noises, rng):
    """A small room, two metres from the microphone (image sources)."""
    return degradation.reverberate(samples, _room_response(rate)), rate


def opus(samples, rate, noises, rng):
    """Opus at 16 kbit/s and back."""
    return degradation.opus(samples, rate, OPUS_BIT_RATE), rate


def _scaled(samples, rate, noises, rng, *, gain_db):
    return np.clip(samples * 10 ** (gain_db / 20), -1.0, 1.0), rate


def _between_silence(samples, rate, noises, rng):
    return np.pad(samples, int(SILENCE_S * rate)), rate


def _one_dead_channel(samples, rate, noises, rng):
    return np.stack([np.zeros_like(samples), samples], axis=1), rate


def _opposite_phases(samples, rate, noises, rng):
    return np.stack([samples, -samples], axis=1), rate


def _resampled(samples, rate, noises, rng, *, to):
    return (soxr.resample(samples, rate, to), to) if to != rate else (samples, rate)


def _as_it_is(samples, rate, noises, rng):
    return samples, rate


def _loudest(samples, rate, noises, rng):
    energy = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    size = min(len(samples), int(LOUDEST_S * rate))
    start = int(np.argmax(energy[size:] - energy[: len(energy) - size]))
    return samples[start: start + size], rate


def _with_vocoder(samples, rate, noises, rng, *, use):
    return use(Vocoder(samples, rate)), rate


DEGRADED = {"telephone": telephone, "noise at 10 dB": noise, "small room": room,
            "Opus at 16 kbit/s": opus}
EQUIVALENT = {
    "30 dB quieter": functools.partial(_scaled, gain_db=-30.0),
    "12 dB louder, clipped": functools.partial(_scaled, gain_db=12.0),
    "between 3 s of silence": _between_silence,
    "one dead channel": _one_dead_channel,
    "opposite phases": _opposite_phases,
    "8 kHz": functools.partial(_resampled, to=8_000),
    "22.05 kHz": functools.partial(_resampled, to=22_050),
    "44.1 kHz": functools.partial(_resampled, to=44_100),
    "48 kHz": functools.partial(_resampled, to=48_000),
    "MP3": _as_it_is,
}
SHORTENED = {"loudest 0.3 s": _loudest}
UNUSUAL = {
    "whispered": functools.partial(_with_vocoder, use=Vocoder.whispered),
    "sung": functools.partial(_with_vocoder, use=Vocoder.sung),
    "sustained vowel": functools.partial(
        _with_vocoder, use=functools.partial(Vocoder.sustained, duration_s=SUSTAINED_S)),
}
CONDITIONS = DEGRADED | EQUIVALENT | SHORTENED | UNUSUAL


def write_under(condition, path, samples, rate, noises, rng):
    """Write a recording as a condition leaves it.

    Parameters
    ----------
    condition : str
        key of `CONDITIONS`
    path : path
        without its ending
    samples : np.ndarray [shape=(n,), float32]
    rate : int
        Hz
    noises : list of (np.ndarray, int)
        recorded noise and its rates
    rng : np.random.Generator

    Returns
    -------
    str
        the file written: 16-bit WAV, or MP3
    """
    altered, rate = CONDITIONS[condition](samples, rate, noises, rng)
    ending, options = (("mp3", {}) if condition == "MP3" else ("wav", {"subtype": "PCM_16"}))
    soundfile.write(f"{path}.{ending}", np.clip(altered, -1.0, 1.0), rate, **options)
    return f"{path}.{ending}"


@functools.lru_cache
def _room_response(rate):
    import pyroomacoustics

    walls = pyroomacoustics.Material(ABSORPTION)
    shoebox = pyroomacoustics.ShoeBox(ROOM_M, fs=rate, materials=walls, max_order=15)
    shoebox.add_source(SOURCE_M)
    shoebox.add_microphone(MICROPHONE_M)
    shoebox.compute_rir()
    return shoebox.rir[0][0]
