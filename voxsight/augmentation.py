"""Copies of a stretch of speech that sound otherwise but keep their label.

A network left alone learns pitch, and fails on men who are aroused and women who speak
low. So the copies give both genders much the same range of pitch, within what people
reach, and leave the vocal tract; then they pass through rooms, noise and telephones.
"""

import numpy as np

from voxsight import degradation
from voxsight.vocoder import Vocoder

# Medians of what is spoken, from calm to shouted: men reach far up, women hardly go low.
MEDIAN_F0_HZ = {"male": (85.0, 340.0), "female": (145.0, 400.0), "unlabelled": (120.0, 340.0)}
# Towards their own side, voices may go far; towards the other, only as far as they stay theirs.
FORMANTS = {"male": (0.87, 1.04), "female": (0.92, 1.14), "unlabelled": (0.95, 1.05)}
# Children between 6 and 10: no listener tells, and the label becomes a half.
CHILD_F0_HZ = (210.0, 420.0)
CHILD_FORMANTS = {"male": (1.25, 1.45), "female": (1.10, 1.28)}
CHILD = "child"


def altered_copies(samples, rate, gender, count, rng):
    """Altered copies of a stretch of speech.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,), float32]
    rate : int
        Hz
    gender : str
        bounds the pitch
    count : int
    rng : np.random.Generator

    Yields
    ------
    samples : np.ndarray [shape=(n,), float32]
    kinds : str
        what was done, such as ``pitch+telephone``; `CHILD` where the voice became one
        whose label nobody could tell
    voice : np.ndarray [shape=(n,), float32]
        the same voice before anything else happened to it; `samples` as they were given,
        where it is no other voice
    """
    vocoder = None
    for _ in range(count):
        voice, kinds = samples, []
        if rng.random() < 0.55:
            vocoder = vocoder or Vocoder(samples, rate)
            voice = _other_voice(vocoder, gender, rng, kinds)
        copy = voice
        if rng.random() < 0.4:
            copy = _one_word(copy, rate, rng, kinds)
        for kind, (share, change) in _CHANGES.items():
            if rng.random() < share:
                copy = change(copy, rate, rng)
                kinds.append(kind)
        yield np.asarray(copy, np.float32), "+".join(kinds) or "shift", voice


def _other_voice(vocoder, gender, rng, kinds):
    child = rng.random() < 0.06 and gender in CHILD_FORMANTS
    kinds.append(CHILD if child else "pitch")
    low, high = CHILD_F0_HZ if child else MEDIAN_F0_HZ[gender]
    formants = rng.uniform(*(CHILD_FORMANTS if child else FORMANTS)[gender])
    return vocoder.resynthesise(float(np.exp(rng.uniform(np.log(low), np.log(high)))),
                                rng.uniform(0.6, 1.6), formants)


def _one_word(samples, rate, rng, kinds):
    """A fifth to four fifths of a second of the middle, silence or murmur around it."""
    kinds.append("word")
    length = min(len(samples), int(rng.uniform(0.2, 0.8) * rate))
    start = (len(samples) - length) // 2
    fade = max(1, min(length // 2, int(rng.uniform(0.005, 0.05) * rate)))
    outside = 0.0 if rng.random() < 0.5 else 10 ** (rng.uniform(-60.0, -25.0) / 20)
    corners = [start, start + fade, start + length - fade, start + length]
    gain = np.interp(np.arange(len(samples)), corners, [outside, 1.0, 1.0, outside])
    return samples * gain.astype(np.float32)


def _in_room(samples, rate, rng):
    response = degradation.diffuse_response(rate, rng.uniform(0.15, 0.7), rng.uniform(-2, 12), rng)
    return degradation.reverberate(samples, response)


def _noisy(samples, rate, rng):
    noise = degradation.coloured_noise(len(samples), rng.uniform(0.0, 2.0), rng)
    if rng.random() < 0.5:  # it comes and goes
        noise *= _slow_gain(len(samples), rate, rng)
    return degradation.add_noise(samples, noise, rng.uniform(3.0, 40.0))


def _with_bursts(samples, rate, rng):
    """Clicks, lips and chairs: up to three short noises anywhere."""
    noise = np.zeros(len(samples))
    for _ in range(rng.integers(1, 4)):
        length = int(rng.uniform(0.004, 0.06) * rate)
        at = int(rng.integers(0, max(1, len(samples) - length)))
        burst = degradation.coloured_noise(length, rng.uniform(0, 2), rng)
        burst *= np.exp(-np.arange(length) / (length / 3)) * 10 ** (rng.uniform(-30, -3) / 20)
        noise[at: at + length] += burst[: len(samples) - at]
    return (samples + noise * np.abs(samples).max() * 0.3).astype(np.float32)


def _tilted(samples, rate, rng):
    return degradation.tilted(samples, rate, rng.uniform(-5.0, 5.0))


def _coloured(samples, rate, rng):
    """A microphone or a mouth turned away: a random smooth gain over frequency."""
    knots = np.linspace(0, 8, 9)  # octaves above 31 Hz
    gains_db = rng.normal(0.0, 4.0, len(knots))

    def gain(frequencies):
        octaves = np.log2(np.maximum(frequencies, 31.0) / 31.0)
        return 10 ** (np.interp(octaves, knots, gains_db) / 20)

    return degradation.shaped(samples, rate, gain)


def _by_telephone(samples, rate, rng):
    return degradation.telephone(samples, rate)


def _coded(samples, rate, rng):
    return degradation.opus(samples, rate, int(rng.choice([8_000, 12_000, 24_000])))


def _clipped(samples, rate, rng):
    return degradation.clipped(samples, rng.uniform(3.0, 15.0))


def _slow_gain(n, rate, rng):
    knots = np.exp(rng.normal(0.0, 1.0, max(2, 2 + 4 * n // rate)))
    return np.interp(np.linspace(0, 1, n), np.linspace(0, 1, len(knots)), knots)


# In the order in which they happen to a voice; each with its share of the copies.
_CHANGES = {
    "bursts": (0.12, _with_bursts),
    "room": (0.25, _in_room),
    "noise": (0.5, _noisy),
    "microphone": (0.35, _coloured),
    "tilt": (0.25, _tilted),
    "clipping": (0.06, _clipped),
    "telephone": (0.12, _by_telephone),
    "codec": (0.06, _coded),
}
