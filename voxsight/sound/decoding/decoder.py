"""What every decoder has, and what they read from."""

import io
import os
from collections.abc import Iterator
from typing import BinaryIO, Protocol

import numpy as np

Source = str | os.PathLike | bytes  # a path, or the content of a file


class DecodingError(Exception):
    """A file, or the rest of it, cannot be decoded."""


class DecoderDied(DecodingError):
    """The process that decodes a file crashed, or was stopped because it took too long."""


class Decoder(Protocol):
    """Decodes one file, from its start to its end.

    Attributes
    ----------
    rate : int
        Hz.
    channels : int
    stored_as_integers : bool
        Whether samples have the scale of integer PCM, 2**15 for 1.0; those of floating-point
        PCM have whatever scale they were written with.
    expected_s : float
        Seconds that the file should have: at first those that its header states, at the end
        also what its timestamps and its undecodable parts tell. 0 if nothing is known.
    damaged : bool
        Whether a part between others could not be decoded, so far.
    cut : bool
        Whether the end of the file is missing, nobody knows how much of it; known at the end.
    """

    rate: int
    channels: int
    stored_as_integers: bool
    expected_s: float
    damaged: bool
    cut: bool

    def blocks(self, frames: int, skip: int = 0) -> Iterator[np.ndarray]:
        """Blocks of `frames` frames after the first `skip`, shape (n, channels), float32.

        Raises
        ------
        DecodingError
            If nothing more can be decoded.
        """

    def close(self) -> None:
        """Close the file."""


class SeekableFile(io.FileIO):
    """A file whose seek returns -1 instead of raising, as decoders expect."""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position; -1 if there is none such."""
        try:
            return super().seek(offset, whence)
        except (OSError, ValueError, OverflowError):
            return -1


class SeekableBytes(io.BytesIO):
    """Bytes whose seek returns -1 instead of raising, as decoders expect."""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position; -1 if there is none such."""
        try:
            return super().seek(offset, whence)
        except (OSError, ValueError, OverflowError):
            return -1


def opened(source: Source) -> BinaryIO:
    """A source as an open file."""
    return SeekableBytes(source) if isinstance(source, bytes) else SeekableFile(source)
