"""Codecs of telephones and of voice messages, by FFmpeg: speech encoded and decoded again.

Every function takes mono samples of any scale, shape (n,), and returns as many of the same scale.
"""

import io
from typing import Literal

import numpy as np
import soxr

from voxsight.sound.effects import TELEPHONE_RATE, fitted

OPUS_RATE = 48_000  # Hz, the rate of the codec itself
PEAK = 0.7  # of full scale, so that a codec does not clip
_Encoder = Literal["libopus", "pcm_alaw", "libopencore_amrnb"]


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
    return _coded(samples, rate, "libopus", "ogg", OPUS_RATE, bit_rate)


def a_law(samples: np.ndarray, rate: int) -> np.ndarray:
    """8 kHz and 8-bit A-law, as landlines outside of North America and Japan (ITU-T G.711).

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
    return _coded(samples, rate, "pcm_alaw", "wav", TELEPHONE_RATE, None)


def amr(samples: np.ndarray, rate: int, bit_rate: int) -> np.ndarray:
    """Encode with AMR-NB, the codec of mobile telephones (3GPP TS 26.071), and decode again.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,)]
        The speech.
    rate : int
        Its sampling rate, Hz.
    bit_rate : {4750, 5150, 5900, 6700, 7400, 7950, 10200, 12200}
        Bits per second.

    Returns
    -------
    np.ndarray [shape=(n,), float32]
        About 10 ms late, as the codec is.

    Raises
    ------
    ValueError
        If PyAV was built without an encoder for it.
    """
    return _coded(samples, rate, "libopencore_amrnb", "amr", TELEPHONE_RATE, bit_rate)


def _coded(samples: np.ndarray, rate: int, encoder: _Encoder, container: str, codec_rate: int,
           bit_rate: int | None) -> np.ndarray:
    """Samples of any scale, encoded and decoded at the rate of a codec."""
    peak = float(np.abs(samples).max()) or 1.0
    scaled = np.asarray(samples, np.float32) * (PEAK / peak)
    resampled = soxr.resample(scaled, rate, codec_rate)
    if not len(resampled):  # of a sample or two
        return np.zeros(len(samples), np.float32)
    decoded = _through_codec(resampled, encoder, container, codec_rate, bit_rate)
    return fitted(soxr.resample(decoded, codec_rate, rate) * (peak / PEAK), samples)


def _through_codec(samples: np.ndarray, encoder: _Encoder, container: str, rate: int,
                   bit_rate: int | None) -> np.ndarray:
    """Samples in [-1, 1], encoded and decoded by FFmpeg."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format=container) as writer:
        stream = writer.add_stream(encoder, rate=rate, layout="mono")
        if bit_rate is not None:
            stream.bit_rate = bit_rate
        frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), "flt", "mono")
        frame.rate = rate
        writer.mux(stream.encode(frame))
        writer.mux(stream.encode(None))
    file.seek(0)
    with av.open(file, "r", format=container) as reader:
        parts = [part.to_ndarray().mean(axis=0) for part in reader.decode(audio=0)]
        scale = 32768 if reader.streams.audio[0].format.name.startswith("s16") else 1
    return (np.concatenate(parts) / scale).astype(np.float32)
