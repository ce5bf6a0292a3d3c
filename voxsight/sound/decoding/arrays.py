"""Samples in memory, given in blocks as those of a file are."""

from collections.abc import Iterator

import numpy as np


class ArrayDecoder:
    """A decoder of samples in memory; see `decoder.Decoder`.

    Parameters
    ----------
    samples : np.ndarray [shape=(n, channels), float32]
    rate : int
        Hz.
    stored_as_integers : bool
    """

    damaged = cut = False

    def __init__(self, samples: np.ndarray, rate: int, stored_as_integers: bool) -> None:
        self._samples, self.rate = samples, rate
        self.channels, self.stored_as_integers = samples.shape[1], stored_as_integers
        self.expected_s = len(samples) / rate

    def blocks(self, frames: int, skip: int = 0) -> Iterator[np.ndarray]:
        """Blocks of `frames` frames, the last one shorter."""
        for start in range(skip, len(self._samples), frames):
            yield self._samples[start: start + frames]

    def close(self) -> None:
        """Nothing is open."""
