"""Altered copies of a stretch of speech, for training; they keep its label.

Without augmentation the network mostly learns pitch. It then fails on men who speak high, as in
excitement, and on women who speak low. In the copies, both genders therefore have much the same
range of pitch, within what people reach, while the vocal tract keeps to the length that goes with
the label. The copies then pass through rooms, noise, microphones and telephones.
"""

from collections.abc import Callable, Iterator

import numpy as np

from voxsight.sound import codecs, effects
from voxsight.sound.vocoder import Vocoder

# Range of the median pitch of an utterance, from calm to shouted. Men reach far up, women hardly
# go lower than in calm speech.
MEDIAN_F0_HZ = {"male": (85.0, 340.0), "female": (145.0, 400.0), "unlabelled": (120.0, 340.0)}
# Factors of all resonances. They may move far away from those of the other gender, and towards
# them only as far as the voice still has its label.
FORMANTS = {"male": (0.87, 1.04), "female": (0.92, 1.14), "unlabelled": (0.95, 1.05)}
# Children between 6 and 10. Listeners cannot tell their gender, so the target becomes one half.
CHILD_F0_HZ = (210.0, 420.0)
CHILD_FORMANTS = {"male": (1.25, 1.45), "female": (1.10, 1.28)}
CHILD = "child"

# Fractions of the copies.
_OTHER_VOICE = 0.55  # with another pitch and vocal tract
_CHILD = 0.06  # of those with another voice
_ONE_WORD = 0.4  # with only the middle audible

_Change = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]


def altered_copies(samples: np.ndarray, rate: int, gender: str, count: int,
                   rng: np.random.Generator) -> Iterator[tuple[np.ndarray, str, np.ndarray]]:
    """Altered copies of a stretch of speech.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,), float32]
    rate : int
        Hz.
    gender : str
        Key of `MEDIAN_F0_HZ`; bounds pitch and vocal tract.
    count : int
        Number of copies.
    rng : np.random.Generator

    Yields
    ------
    copy : np.ndarray [shape=(n,), float32]
    kinds : str
        What was done, such as ``pitch+telephone``; ``shift`` if nothing was. `CHILD` is among
        them if the voice became one whose label nobody can tell.
    voice : np.ndarray [shape=(n,), float32]
        The voice of the copy before noise, room and equipment; `samples` itself if the voice was
        not changed.
    """
    vocoder = None
    for _ in range(count):
        voice = samples
        kinds: list[str] = []
        if rng.random() < _OTHER_VOICE:
            vocoder = vocoder or Vocoder(samples, rate)
            voice, kind = _other_voice(vocoder, gender, rng)
            kinds.append(kind)
        copy = voice
        if rng.random() < _ONE_WORD:
            copy = _one_word(copy, rate, rng)
            kinds.append("word")
        for kind, (fraction, change) in _CHANGES.items():
            if rng.random() < fraction:
                copy = change(copy, rate, rng)
                kinds.append(kind)
        yield np.asarray(copy, np.float32), "+".join(kinds) or "shift", voice


def _other_voice(vocoder: Vocoder, gender: str,
                 rng: np.random.Generator) -> tuple[np.ndarray, str]:
    """The same words in another voice, and which kind of change that is."""
    is_child = rng.random() < _CHILD and gender in CHILD_FORMANTS
    low, high = CHILD_F0_HZ if is_child else MEDIAN_F0_HZ[gender]
    formants = rng.uniform(*(CHILD_FORMANTS if is_child else FORMANTS)[gender])
    f0_hz = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    liveliness = rng.uniform(0.6, 1.6)
    return (vocoder.resynthesise(f0_hz, liveliness, formants), CHILD if is_child else "pitch")


def _one_word(samples: np.ndarray, rate: int, rng: np.random.Generator) -> np.ndarray:
    """Only 0.2 to 0.8 s in the middle stay as loud; the rest becomes silent or very quiet."""
    length = min(len(samples), int(rng.uniform(0.2, 0.8) * rate))
    start = (len(samples) - length) // 2
    fade = max(1, min(length // 2, int(rng.uniform(0.005, 0.05) * rate)))
    outside = 0.0 if rng.random() < 0.5 else 10 ** (rng.uniform(-60.0, -25.0) / 20)
    corners = [start, start + fade, start + length - fade, start + length]
    gain = np.interp(np.arange(len(samples)), corners, [outside, 1.0, 1.0, outside])
    return samples * gain.astype(np.float32)


def _in_room(samples: np.ndarray, rate: int, rng: np.random.Generator) -> np.ndarray:
    response = effects.diffuse_response(rate, rng.uniform(0.15, 0.7), rng.uniform(-2, 12), rng)
    return effects.reverberate(samples, response)


def _noisy(samples: np.ndarray, rate: int, rng: np.random.Generator) -> np.ndarray:
    """Noise at 3 to 40 dB, steady or coming and going."""
    noise = effects.coloured_noise(len(samples), rng.uniform(0.0, 2.0), rng)
    if rng.random() < 0.5:
        noise *= _slow_gain(len(samples), rate, rng)
    return effects.add_noise(samples, noise, rng.uniform(3.0, 40.0))


def _with_bursts(samples: np.ndarray, rate: int, rng: np.random.Generator) -> np.ndarray:
    """One to three short noises anywhere, such as clicks, lip noise or a chair."""
    noise = np.zeros(len(samples))
    for _ in range(rng.integers(1, 4)):
        length = int(rng.uniform(0.004, 0.06) * rate)
        start = int(rng.integers(0, max(1, len(samples) - length)))
        burst = effects.coloured_noise(length, rng.uniform(0, 2), rng)
        burst *= np.exp(-np.arange(length) / (length / 3)) * 10 ** (rng.uniform(-30, -3) / 20)
        noise[start: start + length] += burst[: len(samples) - start]
    return (samples + noise * np.abs(samples).max() * 0.3).astype(np.float32)


def _tilted(samples: np.ndarray, rate: int, rng: np.random.Generator) -> np.ndarray:
    return effects.tilted(samples, rate, rng.uniform(-5.0, 5.0))


def _coloured(samples: np.ndarray, rate: int, rng: np.random.Generator) -> np.ndarray:
    """A random smooth gain over frequency, as of a microphone or a mouth turned away."""
    knots = np.linspace(0, 8, 9)  # octaves above 31 Hz
    gains_db = rng.normal(0.0, 4.0, len(knots))

    def gain(frequencies: np.ndarray) -> np.ndarray:
        octaves = np.log2(np.maximum(frequencies, 31.0) / 31.0)
        return 10 ** (np.interp(octaves, knots, gains_db) / 20)

    return effects.shaped(samples, rate, gain)


def _by_telephone(samples: np.ndarray, rate: int, rng: np.random.Generator) -> np.ndarray:
    return effects.telephone(samples, rate)


def _coded(samples: np.ndarray, rate: int, rng: np.random.Generator) -> np.ndarray:
    return codecs.opus(samples, rate, int(rng.choice([8_000, 12_000, 24_000])))


def _clipped(samples: np.ndarray, rate: int, rng: np.random.Generator) -> np.ndarray:
    return effects.clipped(samples, rng.uniform(3.0, 15.0))


def _slow_gain(n: int, rate: int, rng: np.random.Generator) -> np.ndarray:
    """A random gain with about four changes a second, shape (n,)."""
    knots = np.exp(rng.normal(0.0, 1.0, max(2, 2 + 4 * n // rate)))
    return np.interp(np.linspace(0, 1, n), np.linspace(0, 1, len(knots)), knots)


# In the order in which they happen to a voice, each with the fraction of the copies it affects.
_CHANGES: dict[str, tuple[float, _Change]] = {
    "bursts": (0.12, _with_bursts),
    "room": (0.25, _in_room),
    "noise": (0.5, _noisy),
    "microphone": (0.35, _coloured),
    "tilt": (0.25, _tilted),
    "clipping": (0.06, _clipped),
    "telephone": (0.12, _by_telephone),
    "codec": (0.06, _coded),
}
