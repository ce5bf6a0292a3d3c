"""What happens to speech between the speaker and the listener: noise, rooms, codecs, equipment.

Every function takes mono samples of any scale, shape (n,), and returns as many of the same scale.

Written here and not taken from audiomentations, which has neither Opus nor mu-law and takes up to
twice as long.
"""

import io
from collections.abc import Callable

import numpy as np
import soxr

TELEPHONE_HZ = (300.0, 3400.0)  # band of narrow-band telephony
TELEPHONE_RATE = 8_000  # Hz
OPUS_RATE = 48_000  # Hz, the rate of the codec itself
OPUS_PEAK = 0.7  # of full scale, so that the codec does not clip
MU_LAW = 255.0  # ITU-T G.711


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


def opus(samples: np.ndarray, rate: int, bit_rate: int) -> np.ndarray:
    """Encode with the Opus codec and decode again.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,)]
        The speech.
    rate : int
        Its sampling rate, Hz.
    bit_rate : int
        Bits per second.

    Returns
    -------
    np.ndarray [shape=(n,), float32]
    """
    peak = float(np.abs(samples).max()) or 1.0
    scaled = np.asarray(samples, np.float32) * (OPUS_PEAK / peak)
    decoded = _through_opus(soxr.resample(scaled, rate, OPUS_RATE), bit_rate)
    return fitted(soxr.resample(decoded, OPUS_RATE, rate) * (peak / OPUS_PEAK), samples)


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


def _through_opus(samples: np.ndarray, bit_rate: int) -> np.ndarray:
    """Samples at `OPUS_RATE`, encoded and decoded."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=OPUS_RATE, bit_rate=bit_rate,
                                      layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), "flt", "mono")
        frame.rate = OPUS_RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    file.seek(0)
    with av.open(file, "r") as container:
        parts = [part.to_ndarray().mean(axis=0) for part in container.decode(audio=0)]
    return np.concatenate(parts).astype(np.float32)


def _power(samples: np.ndarray) -> float:
    return float(np.mean(np.square(samples, dtype=np.float64)))
