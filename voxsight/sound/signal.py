"""Operations on samples and on streams of blocks: mixing down, resampling, high-pass.

`high_pass` is written here and not taken from `scipy.signal.lfilter`, which gives the same to
4e-8 (tested) and takes 1.5 s of CPU to import in a command that answers in less.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import soxr

DC_CUTOFF_HZ = 20.0
_DEAD_CHANNEL = 1e-4  # of the energy of the strongest channel, 40 dB below it
_CANCELLED = 0.02  # of the energy of a channel: what is left of channels in opposite phase


def to_mono(block: np.ndarray) -> np.ndarray:
    """One channel out of many.

    The average of the channels that are alive or, where those cancel each other (stereo in
    opposite phase), the strongest of them.

    Parameters
    ----------
    block : np.ndarray [shape=(n, channels)]

    Returns
    -------
    np.ndarray [shape=(n,)]
    """
    if block.shape[1] == 1:
        return block[:, 0]
    energy = np.einsum("nc,nc->c", block, block, dtype=np.float64)
    alive = energy > _DEAD_CHANNEL * energy.max()
    if not alive.any():
        return block[:, 0]
    mono = block[:, alive].mean(axis=1)
    if np.dot(mono, mono) < _CANCELLED * energy[alive].mean():
        return block[:, int(energy.argmax())]
    return mono


def resample(blocks: Iterable[np.ndarray], rate: int, target_rate: int) -> Iterator[np.ndarray]:
    """Resample a stream of blocks; its duration stays the same.

    Parameters
    ----------
    blocks : iterable of np.ndarray [shape=(n,), float32]
    rate, target_rate : int
        Hz.

    Yields
    ------
    np.ndarray [shape=(m,), float32]
    """
    stream = soxr.ResampleStream(rate, target_rate, 1, dtype="float32", quality="HQ")
    for block in blocks:
        resampled = stream.resample_chunk(np.ascontiguousarray(block))
        if len(resampled):
            yield resampled
    rest = stream.resample_chunk(np.zeros(0, np.float32), last=True)
    if len(rest):
        yield rest


def high_pass(blocks: Iterable[np.ndarray], rate: int,
              cutoff_hz: float = DC_CUTOFF_HZ) -> Iterator[np.ndarray]:
    """Subtract an exponential moving average from a stream of blocks.

    The average starts at the mean of the first quarter second, so that a recording with a
    constant offset does not begin with a thump.

    Parameters
    ----------
    blocks : iterable of np.ndarray [shape=(n,), float32]
    rate : int
        Hz.
    cutoff_hz : float
        Corner frequency of the first-order filter, Hz.

    Yields
    ------
    np.ndarray [shape=(n,), float32]
    """
    # m[n] = a m[n-1] + (1-a) x[n], computed in chunks: inside a chunk it is a product with a
    # triangular matrix, from chunk to chunk a short recursion.
    decay = float(np.exp(-2 * np.pi * cutoff_hz / rate))
    chunk = 256
    steps = np.arange(chunk)
    lags = steps[:, None] - steps[None, :]
    inside = np.where(lags >= 0, (1 - decay) * decay ** np.maximum(lags, 0), 0.0)
    inside, carried = inside.T.astype(np.float32), (decay ** (steps + 1)).astype(np.float32)
    mean: float | None = None
    for block in blocks:
        if not len(block):
            continue
        mean = float(block[: rate // 4].mean()) if mean is None else mean
        padded = np.resize(block, -(-len(block) // chunk) * chunk).reshape(-1, chunk)
        averages = padded @ inside
        starts = np.empty(len(padded), np.float32)
        for row, end in enumerate(averages[:, -1].tolist()):
            starts[row] = mean
            mean = end + float(carried[-1]) * mean
        averages += starts[:, None] * carried
        averages = averages.ravel()[: len(block)]
        mean = float(averages[-1])
        yield block - averages
