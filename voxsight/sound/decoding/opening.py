"""Chooses the decoder of a file, and goes on with the other one where the first fails."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from voxsight.sound.decoding.decoder import Decoder, DecodingError, Source, opened
from voxsight.sound.decoding.ffmpeg import FfmpegDecoder
from voxsight.sound.decoding.headers import OGG_MARK, first_mark, ogg_links
from voxsight.sound.decoding.libsndfile import SndfileDecoder

_COMPRESSED = (b"fLaC", OGG_MARK, b"ID3", b"\xff")  # how files for FFmpeg begin
WHOLE_BYTES = 2**22  # smaller files are read at once: libsndfile reads in very small pieces


class FileDecoder:
    """The decoder of any file; see `decoder.Decoder`.

    Parameters
    ----------
    source : str, os.PathLike or bytes

    Raises
    ------
    DecodingError
        If there is no sound that can be decoded.
    OSError
        If the file cannot be opened.
    """

    def __init__(self, source: Source) -> None:
        if not isinstance(source, bytes) and os.stat(source).st_size <= WHOLE_BYTES:
            source = Path(source).read_bytes()
        self._source = source
        self._decoder = _chosen(source)
        self.rate, self.channels = self._decoder.rate, self._decoder.channels
        self.stored_as_integers = self._decoder.stored_as_integers
        self.expected_s, self.damaged, self.cut = self._decoder.expected_s, False, False

    def blocks(self, frames: int, skip: int = 0) -> Iterator[np.ndarray]:
        """Blocks of `frames` frames after the first `skip`, shape (n, channels)."""
        n_read = skip
        try:
            for block in self._decoder.blocks(frames, skip):
                n_read += len(block)
                yield block
        except DecodingError:
            if isinstance(self._decoder, FfmpegDecoder):
                raise
            yield from self._rest(frames, n_read)
        self.expected_s = max(self.expected_s, self._decoder.expected_s)
        self.damaged, self.cut = self._decoder.damaged, self._decoder.cut

    def close(self) -> None:
        """Close the file."""
        self._decoder.close()

    def _rest(self, frames: int, n_read: int) -> Iterator[np.ndarray]:
        """What FFmpeg finds where libsndfile can read no more."""
        self._decoder.close()
        with contextlib.suppress(DecodingError):
            self._decoder = FfmpegDecoder(self._source, self.rate, self.channels)
            yield from self._decoder.blocks(frames, n_read)


class _JoinedDecoder:
    """The parts of an Ogg file that was joined from several, one after the other.

    FFmpeg itself reads them only if they have the same rate and channels.
    """

    def __init__(self, parts: Sequence[bytes]) -> None:
        self._parts = parts
        self._decoder = FfmpegDecoder(parts[0])
        self.rate, self.channels = self._decoder.rate, self._decoder.channels
        self.stored_as_integers = self._decoder.stored_as_integers
        self.expected_s, self.damaged, self.cut = 0.0, False, False

    def blocks(self, frames: int, skip: int = 0) -> Iterator[np.ndarray]:
        for number, part in enumerate(self._parts):
            if number:
                self._decoder.close()
                try:
                    self._decoder = FfmpegDecoder(part, self.rate, self.channels)
                except DecodingError:
                    self.damaged = self.cut = True  # nobody knows how long it is
                    continue
            yield from self._decoder.blocks(frames)
            self.expected_s += self._decoder.expected_s
            self.damaged = self.damaged or self._decoder.damaged
            self.cut = self.cut or self._decoder.cut

    def close(self) -> None:
        self._decoder.close()


def _chosen(source: Source) -> Decoder:
    with opened(source) as file:
        mark = file.read(4)
        if mark == OGG_MARK and len(links := ogg_links(file)) > 1:
            return _JoinedDecoder([_part(file, *link) for link in links])
    if not mark.startswith(_COMPRESSED):
        with contextlib.suppress(DecodingError):
            return SndfileDecoder(source)
    try:
        return FfmpegDecoder(source)
    except DecodingError:
        with opened(source) as file:
            if not (start := first_mark(file.read(WHOLE_BYTES))):
                raise
            return _chosen(_part(file, start, file.seek(0, os.SEEK_END)))


def _part(file: BinaryIO, start: int, end: int) -> bytes:
    file.seek(start)
    return file.read(end - start)
