"""What happens to speech on its way: noise, rooms, telephones, codecs, equipment.

Every function takes samples of any scale and gives as many of the same scale.
"""

import io

import numpy as np
import soxr

TELEPHONE_HZ = (300.0, 3400.0)
TELEPHONE_RATE = 8_000
OPUS_RATE = 48_000


def add_noise(samples, noise, snr_db):
    """Noise, repeated or cut to length, at a signal-to-noise ratio.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,)]
    noise : np.ndarray [shape=(m,)]
    snr_db : float

    Returns
    -------
    np.ndarray [shape=(n,), float32]
    """
    noise = np.resize(noise, len(samples))
    ratio = _power(samples) / max(_power(noise), 1e-20) / 10 ** (snr_db / 10)
    return (samples + np.sqrt(ratio) * noise).astype(np.float32)


def coloured_noise(n, slope, rng):
    """Noise of unit power whose power falls with frequency to the power of `slope`.

    Parameters
    ----------
    n : int
        samples
    slope : float
        0 is white, 1 pink, 2 brown
    rng : np.random.Generator

    Returns
    -------
    np.ndarray [shape=(n,), float64]
    """
    spectrum = np.fft.rfft(rng.standard_normal(n))
    bins = np.arange(len(spectrum))
    bins[0] = 1
    noise = np.fft.irfft(spectrum * bins ** (-slope / 2), n)
    return noise / max(np.sqrt(_power(noise)), 1e-12)


def reverberate(samples, response):
    """Sound in a room, the direct sound staying where it was.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,)]
    response : np.ndarray [shape=(m,)]
        impulse response of the room

    Returns
    -------
    np.ndarray [shape=(n,), float32]
    """
    n = len(samples) + len(response) - 1
    wet = np.fft.irfft(np.fft.rfft(samples, n) * np.fft.rfft(response, n), n)
    direct = int(np.argmax(np.abs(response)))
    wet = wet[direct: direct + len(samples)]
    return (wet * np.sqrt(_power(samples) / max(_power(wet), 1e-20))).astype(np.float32)


def diffuse_response(rate, rt60_s, direct_db, rng):
    """Impulse response of a diffuse field: a click and noise that dies away.

    Parameters
    ----------
    rate : int
        Hz
    rt60_s : float
        time in which the tail falls by 60 dB, seconds
    direct_db : float
        energy of the click over that of the tail, dB
    rng : np.random.Generator

    Returns
    -------
    np.ndarray [shape=(m,)]
    """
    times = np.arange(int(rt60_s * rate)) / rate
    tail = rng.standard_normal(len(times)) * 10 ** (-3 * times / rt60_s)
    tail[0] = 0.0
    tail *= 10 ** (-direct_db / 20) / np.sqrt(np.sum(np.square(tail)))
    tail[0] = 1.0
    return tail


def telephone(samples, rate):
    """Narrow-band telephone: 300 to 3400 Hz, 8 kHz, 8-bit mu-law (ITU-T G.711)."""
    narrow = soxr.resample(shaped(samples, rate, _telephone_gain), rate, TELEPHONE_RATE)
    peak = float(np.abs(narrow).max()) or 1.0
    return fitted(soxr.resample(_mu_law(narrow / peak) * peak, TELEPHONE_RATE, rate), samples)


def opus(samples, rate, bit_rate):
    """Through the Opus codec and back, at `bit_rate` bits per second."""
    import av

    peak = float(np.abs(samples).max()) or 1.0
    wide = soxr.resample(np.asarray(samples, np.float32) * (0.7 / peak), rate, OPUS_RATE)
    file = io.BytesIO()
    with av.open(file, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=OPUS_RATE, bit_rate=bit_rate,
                                      layout="mono")
        frame = av.AudioFrame.from_ndarray(wide[None].astype(np.float32), "flt", "mono")
        frame.rate = OPUS_RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    file.seek(0)
    with av.open(file) as container:
        parts = [part.to_ndarray().mean(axis=0) for part in container.decode(audio=0)]
    decoded = soxr.resample(np.concatenate(parts).astype(np.float32), OPUS_RATE, rate)
    return fitted(decoded * (peak / 0.7), samples)


def shaped(samples, rate, gain):
    """Filter without delay; `gain` maps frequencies in Hz to factors."""
    spectrum = np.fft.rfft(samples)
    frequencies = np.fft.rfftfreq(len(samples), 1 / rate)
    return np.fft.irfft(spectrum * gain(frequencies), len(samples)).astype(np.float32)


def tilted(samples, rate, db_per_octave):
    """Spectrum tilted around 1 kHz, level below 60 Hz and above 8 kHz unchanged."""
    def gain(frequencies):
        octaves = np.log2(np.clip(frequencies, 60.0, 8000.0) / 1000.0)
        return 10 ** (db_per_octave * octaves / 20)

    return shaped(samples, rate, gain)


def clipped(samples, gain_db):
    """Raised over the peak by `gain_db` and cut off there."""
    peak = float(np.abs(samples).max())
    return np.clip(samples * 10 ** (gain_db / 20), -peak, peak).astype(np.float32)


def fitted(samples, like):
    """Cut or padded with zeros to the length of `like`, float32."""
    samples = samples[: len(like)]
    return np.pad(samples, (0, len(like) - len(samples))).astype(np.float32)


def _telephone_gain(frequencies):
    low, high = TELEPHONE_HZ
    rising = 1 / (1 + (low / np.maximum(frequencies, 1e-3)) ** 8)
    return rising / (1 + (frequencies / high) ** 16)


def _mu_law(samples, mu=255.0):
    compressed = np.sign(samples) * np.log1p(mu * np.abs(samples)) / np.log1p(mu)
    levels = np.round(compressed * 127.0) / 127.0
    return np.sign(levels) * np.expm1(np.abs(levels) * np.log1p(mu)) / mu


def _power(samples):
    return float(np.mean(np.square(samples, dtype=np.float64)))
