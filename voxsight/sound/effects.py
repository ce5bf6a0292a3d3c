"""What happens to speech between the speaker and the listener: noise, rooms, equipment.

Every function takes mono samples of any scale, shape (n,), and returns as many of the same scale.

Written here and not taken from audiomentations, which has no mu-law and takes up to
twice as long.
"""

from collections.abc import Callable

import numpy as np
import soxr

TELEPHONE_HZ = (300.0, 3400.0)  # band of narrow-band telephony
TELEPHONE_RATE = 8_000  # Hz
MU_LAW = 255.0  # ITU-T G.711
# Receiving side of a telephone of the Intermediate Reference System (ITU-T P.48), as tabulated
# in ITU-T P.862: frequencies in Hz and gains in dB. It is silent outside of them.
HANDSET_HZ = (50, 100, 125, 160, 200, 250, 300, 350, 400, 500, 600, 3250, 3500)
HANDSET_DB = (-40, -20, -12, -6, 0, 4, 6, 8, 10, 11, 12, 12, 4)
PACKET_S = 0.02  # of speech, as usual in calls over the internet
OVERDRIVE_BIAS = 0.2  # moves the waveform off the middle of the curve that bends it


def add_noise(samples: np.ndarray, noise: np.ndarray, snr_db: float) -> np.ndarray:
    """Add noise at a signal-to-noise ratio.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,)]
        The speech.
    noise : np.ndarray [shape=(m,)]
        Of any level; repeated or cut to the length of the speech.
    snr_db : float
        Mean power of the speech relative to that of the noise, dB.

    Returns
    -------
    np.ndarray [shape=(n,), float32]
    """
    noise = np.resize(noise, len(samples))
    ratio = _power(samples) / max(_power(noise), 1e-20) / 10 ** (snr_db / 10)
    return (samples + np.sqrt(ratio) * noise).astype(np.float32)


def coloured_noise(n: int, slope: float, rng: np.random.Generator) -> np.ndarray:
    """Noise whose power is proportional to the frequency to the power of ``-slope``.

    Parameters
    ----------
    n : int
        Number of samples.
    slope : float
        0 is white noise, 1 pink and 2 brown.
    rng : np.random.Generator
        Draws the noise.

    Returns
    -------
    np.ndarray [shape=(n,), float64]
        Of unit power.

    Examples
    --------
    >>> noise = coloured_noise(1_000, 1.0, np.random.default_rng(0))
    >>> noise.shape, round(float(np.mean(noise**2)), 6)
    ((1000,), 1.0)
    """
    spectrum = np.fft.rfft(rng.standard_normal(n))
    bins = np.arange(len(spectrum))
    bins[0] = 1  # the constant part, whose frequency of 0 has no power of -slope
    noise = np.fft.irfft(spectrum * bins ** (-slope / 2), n)
    return noise / max(np.sqrt(_power(noise)), 1e-12)


def reverberate(samples: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Play speech in a room.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,)]
        The speech.
    response : np.ndarray [shape=(m,)]
        Impulse response of the room.

    Returns
    -------
    np.ndarray [shape=(n,), float32]
        Of the same power; the direct sound is not delayed.
    """
    n = len(samples) + len(response) - 1
    wet = np.fft.irfft(np.fft.rfft(samples, n) * np.fft.rfft(response, n), n)
    direct = int(np.argmax(np.abs(response)))
    wet = wet[direct: direct + len(samples)]
    return (wet * np.sqrt(_power(samples) / max(_power(wet), 1e-20))).astype(np.float32)


def diffuse_response(rate: int, rt60_s: float, direct_db: float,
                     rng: np.random.Generator) -> np.ndarray:
    """Impulse response of a diffuse sound field: a click followed by decaying noise.

    Parameters
    ----------
    rate : int
        Sampling rate, Hz.
    rt60_s : float
        Reverberation time, in which the tail decays by 60 dB, seconds.
    direct_db : float
        Energy of the click relative to that of the tail, dB.
    rng : np.random.Generator
        Draws the noise.

    Returns
    -------
    np.ndarray [shape=(rt60_s * rate,), float64]
    """
    times = np.arange(int(rt60_s * rate)) / rate
    tail = rng.standard_normal(len(times)) * 10 ** (-3 * times / rt60_s)
    tail[0] = 0.0
    tail *= 10 ** (-direct_db / 20) / np.sqrt(np.sum(np.square(tail)))
    tail[0] = 1.0
    return tail


def telephone(samples: np.ndarray, rate: int) -> np.ndarray:
    """Narrow-band telephone: 300 to 3400 Hz, 8 kHz, 8-bit mu-law (ITU-T G.711).

    Parameters
    ----------
    samples : np.ndarray [shape=(n,)]
        The speech.
    rate : int
        Its sampling rate, Hz.

    Returns
    -------
    np.ndarray [shape=(n,), float32]
    """
    narrow = soxr.resample(shaped(samples, rate, _telephone_gain), rate, TELEPHONE_RATE)
    peak = float(np.abs(narrow).max()) or 1.0
    return fitted(soxr.resample(_mu_law(narrow / peak) * peak, TELEPHONE_RATE, rate), samples)


def handset(samples: np.ndarray, rate: int) -> np.ndarray:
    """Through the handset of a standard telephone (ITU-T P.48), with a gain of 1 at 1 kHz.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,)]
        The speech.
    rate : int
        Its sampling rate, Hz.

    Returns
    -------
    np.ndarray [shape=(n,), float32]
    """
    def gain(frequencies: np.ndarray) -> np.ndarray:
        octaves = np.log2(np.maximum(frequencies, 1.0))
        level = np.interp(octaves, np.log2(HANDSET_HZ), HANDSET_DB, -np.inf, -np.inf)
        return 10 ** ((level - max(HANDSET_DB)) / 20)

    return shaped(samples, rate, gain)


def lose_packets(samples: np.ndarray, rate: int, fraction: float, burst: float,
                 rng: np.random.Generator) -> np.ndarray:
    """Replace packets of speech by silence, as a player does that does not conceal losses.

    Losses come in bursts, as in the model of Gilbert: a packet is lost with one probability after
    a packet that arrived, and with another after one that was lost.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,)]
        The speech.
    rate : int
        Its sampling rate, Hz.
    fraction : float
        Of the packets that are lost, on average.
    burst : float
        Mean number of packets that are lost in a row.
    rng : np.random.Generator
        Draws the losses.

    Returns
    -------
    np.ndarray [shape=(n,), float32]
    """
    size = int(PACKET_S * rate)
    drawn = rng.random(-(-len(samples) // size))
    probability = {False: fraction / (1 - fraction) / burst, True: 1 - 1 / burst}
    lost = np.zeros(len(drawn), bool)
    for i, number in enumerate(drawn):
        lost[i] = number < probability[bool(i and lost[i - 1])]
    return np.where(np.repeat(lost, size)[: len(samples)], 0, samples).astype(np.float32)


def overdriven(samples: np.ndarray, gain_db: float) -> np.ndarray:
    """Amplify beyond what an analogue input takes: bent gradually, one side more than the other.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,)]
        The speech.
    gain_db : float
        By how much the loudest sample is louder than where the curve flattens.

    Returns
    -------
    np.ndarray [shape=(n,), float32]
        With the peak that the samples had before.
    """
    peak = float(np.abs(samples).max()) or 1.0
    driven = np.tanh(samples / peak * 10 ** (gain_db / 20) + OVERDRIVE_BIAS)
    driven -= np.tanh(OVERDRIVE_BIAS)  # silence stays silent
    return (driven * (peak / (float(np.abs(driven).max()) or 1.0))).astype(np.float32)


def shaped(samples: np.ndarray, rate: int,
           gain: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Filter without delay.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,)]
        The speech.
    rate : int
        Its sampling rate, Hz.
    gain : callable
        Maps frequencies in Hz, shape (m,), to amplitude factors of the same shape.

    Returns
    -------
    np.ndarray [shape=(n,), float32]
    """
    spectrum = np.fft.rfft(samples)
    frequencies = np.fft.rfftfreq(len(samples), 1 / rate)
    return np.fft.irfft(spectrum * gain(frequencies), len(samples)).astype(np.float32)


def tilted(samples: np.ndarray, rate: int, db_per_octave: float) -> np.ndarray:
    """Tilt the spectrum around 1 kHz.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,)]
        The speech.
    rate : int
        Its sampling rate, Hz.
    db_per_octave : float
        Rise of the gain between 60 Hz and 8 kHz; it is constant below and above.

    Returns
    -------
    np.ndarray [shape=(n,), float32]
    """
    def gain(frequencies: np.ndarray) -> np.ndarray:
        octaves = np.log2(np.clip(frequencies, 60.0, 8000.0) / 1000.0)
        return 10 ** (db_per_octave * octaves / 20)

    return shaped(samples, rate, gain)


def clipped(samples: np.ndarray, gain_db: float) -> np.ndarray:
    """Amplify and clip at the peak that the samples had before.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,)]
        The speech.
    gain_db : float
        Amplification, dB.

    Returns
    -------
    np.ndarray [shape=(n,), float32]
    """
    peak = float(np.abs(samples).max())
    return np.clip(samples * 10 ** (gain_db / 20), -peak, peak).astype(np.float32)


def fitted(samples: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Cut samples, or pad them with zeros, to the length of others.

    Parameters
    ----------
    samples : np.ndarray [shape=(m,)]
        What to cut or pad.
    like : np.ndarray [shape=(n,)]
        Only its length matters.

    Returns
    -------
    np.ndarray [shape=(n,), float32]

    Examples
    --------
    >>> fitted(np.ones(2), np.zeros(3)).tolist()
    [1.0, 1.0, 0.0]
    """
    samples = samples[: len(like)]
    return np.pad(samples, (0, len(like) - len(samples))).astype(np.float32)


def _telephone_gain(frequencies: np.ndarray) -> np.ndarray:
    low, high = TELEPHONE_HZ
    rising = 1 / (1 + (low / np.maximum(frequencies, 1e-3)) ** 8)
    return rising / (1 + (frequencies / high) ** 16)


def _mu_law(samples: np.ndarray) -> np.ndarray:
    """Samples in [-1, 1] as they come back from 8-bit mu-law."""
    compressed = np.sign(samples) * np.log1p(MU_LAW * np.abs(samples)) / np.log1p(MU_LAW)
    levels = np.round(compressed * 127.0) / 127.0
    return np.sign(levels) * np.expm1(np.abs(levels) * np.log1p(MU_LAW)) / MU_LAW


def _power(samples: np.ndarray) -> float:
    return float(np.mean(np.square(samples, dtype=np.float64)))
