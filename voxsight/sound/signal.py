"""Operations on samples and on streams of blocks: mixing down, resampling, high-pass.

`high_pass` is written here and not taken from `scipy.signal.lfilter`, which gives the same to
4e-8 (tested) and takes 1.5 s of CPU to import in a command that answers in less.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import soxr

DC_CUTOFF_HZ = 20.0
_STRETCH_S = 0.5  # stretches in which channels may cancel each other
_DEAD_CHANNEL = 1e-4  # of the energy of the strongest channel, 40 dB below it
_CANCELLED = 0.02  # of the energy of a channel: what is left of channels in opposite phase
_AUDIBLE = 1e-3  # of the energy of the loudest stretch


class ChannelMix:
    """Makes one channel out of many, in the same way from a recording's start to its end.

    It is the average of the channels that are alive or, where those cancel each other anywhere
    (stereo in opposite phase), the strongest of them.

    Parameters
    ----------
    rate : int
        Hz.

    Examples
    --------
    >>> mix, stereo = ChannelMix(2), np.array([[0.5, -0.5], [-0.2, 0.2]], np.float32)
    >>> mix.listen(stereo)
    >>> mix.mono(stereo).tolist() == stereo[:, 0].tolist()
    True
    """

    def __init__(self, rate: int) -> None:
        self._size = max(1, round(rate * _STRETCH_S))
        self._products: list[np.ndarray] = []  # of the channels with each other, per stretch
        self._weights: np.ndarray | None = None

    def listen(self, block: np.ndarray) -> None:
        """Take a block of all channels into account, shape (n, channels)."""
        for start in range(0, len(block), self._size):
            part = block[start: start + self._size]
            self._products.append(part.T @ part)

    def mono(self, block: np.ndarray) -> np.ndarray:
        """The mix of a block, shape (n,); all blocks were listened to before."""
        if self._weights is None:
            self._weights = self._decided()
        return block @ self._weights

    def _decided(self) -> np.ndarray:
        """Weight of each channel, shape (channels,), float32."""
        products = np.array(self._products, np.float64)
        energies = np.einsum("scc->sc", products)
        energy = energies.sum(axis=0)
        alive = energy > _DEAD_CHANNEL * energy.max()
        weights = alive / max(1, alive.sum())
        usual = energies[:, alive].mean(axis=1) if alive.any() else np.zeros(len(products))
        mixed = np.einsum("scd,c,d->s", products, weights, weights)
        audible = usual > _AUDIBLE * usual.max()
        if not alive.any() or (mixed < _CANCELLED * usual)[audible].any():
            weights = np.eye(len(energy))[int(energy.argmax())]
        return weights.astype(np.float32)


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


def with_head(blocks: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """The same stream of samples, whose first block has at least `size` of them.

    Parameters
    ----------
    blocks : iterable of np.ndarray [shape=(n,), float32]
    size : int
        Samples; a shorter stream becomes one block.

    Yields
    ------
    np.ndarray [shape=(n,), float32]
    """
    remaining, head, missing = iter(blocks), [], size
    for block in remaining:
        head.append(block)
        missing -= len(block)
        if missing <= 0:
            break
    if head:
        yield np.concatenate(head)
    yield from remaining


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
    for block in with_head(blocks, rate // 4):
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
