"""Decoders: libsndfile, FFmpeg (through PyAV) for what it refuses, and arrays.

Each has the attributes ``rate`` (Hz), ``channels`` and ``stored_as_integers``, the method
``blocks(frames)``, which yields arrays of shape (n, channels), and ``close()``.
"""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile

from voxsight.errors import RecordingError

WHOLE_BYTES = 2**22  # smaller files are read at once: libsndfile reads in very small pieces
FORMATS = "WAV, FLAC, OGG, MP3, M4A/AAC or WebM/Opus"
EXTENSIONS = frozenset((
    ".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".mp4", ".aac", ".webm",
    ".mka", ".wma", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64", ".amr", ".3gp"))
_OPENING_FAILED = ("No such", "System error", "Errno")  # in libsndfile's messages


class Decoder(Protocol):
    """What `recording.Recording` needs of a decoder."""

    rate: int
    channels: int
    stored_as_integers: bool

    def blocks(self, frames: int) -> Iterator[np.ndarray]:
        """Blocks of about `frames` frames, shape (n, channels), float32."""

    def close(self) -> None:
        """Close the file."""


def open_decoder(path: str | os.PathLike) -> Decoder:
    """The decoder that can read a file.

    Raises
    ------
    RecordingError
        If none can.
    """
    try:
        return _Sndfile(path)
    except (soundfile.LibsndfileError, OSError) as refusal:
        return _open_with_ffmpeg(path, str(refusal))


def decoding_errors() -> tuple[type[Exception], ...]:
    """Errors that decoders raise in the middle of a file."""
    return (soundfile.SoundFileError, *_ffmpeg_errors())


def stated_duration_s(path: str | os.PathLike) -> float | None:
    """Seconds that the header of a file states; None if libsndfile cannot read it."""
    with contextlib.suppress(soundfile.SoundFileError, OSError):
        return soundfile.info(path).duration
    return None


class ArrayDecoder:
    """Samples in memory, given in blocks as those of a file are.

    Parameters
    ----------
    samples : np.ndarray [shape=(n, channels), float32]
    rate : int
        Hz.
    stored_as_integers : bool
    """

    def __init__(self, samples: np.ndarray, rate: int, stored_as_integers: bool) -> None:
        self._samples, self.rate = samples, rate
        self.channels, self.stored_as_integers = samples.shape[1], stored_as_integers

    def blocks(self, frames: int) -> Iterator[np.ndarray]:
        """Blocks of `frames` frames, the last one shorter."""
        for start in range(0, len(self._samples), frames):
            yield self._samples[start: start + frames]

    def close(self) -> None:
        """Nothing is open."""


class _Sndfile:
    def __init__(self, path: str | os.PathLike) -> None:
        source: io.BytesIO | str | bytes
        if os.stat(path).st_size <= WHOLE_BYTES:
            source = _SeekableBytes(Path(path).read_bytes())
        else:  # as bytes, a name that is not UTF-8 opens too; Windows has no such names
            source = str(path) if os.name == "nt" else os.fsencode(path)
        self._file = soundfile.SoundFile(source)
        self.rate, self.channels = self._file.samplerate, self._file.channels
        self.stored_as_integers = self._file.subtype.startswith("PCM")

    def blocks(self, frames: int) -> Iterator[np.ndarray]:
        while len(block := self._file.read(frames, dtype="float32", always_2d=True)):
            yield block

    def close(self) -> None:
        self._file.close()


class _SeekableFile(io.FileIO):
    """A file whose seek returns -1 instead of raising, as decoders expect."""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        try:
            return super().seek(offset, whence)
        except (OSError, ValueError, OverflowError):
            return -1


class _SeekableBytes(io.BytesIO):
    """Bytes whose seek returns -1 instead of raising, as decoders expect."""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        try:
            return super().seek(offset, whence)
        except (OSError, ValueError, OverflowError):
            return -1


class _Ffmpeg:
    stored_as_integers = False

    def __init__(self, path: str | os.PathLike) -> None:
        import av

        with contextlib.ExitStack() as opened:
            # As an open file, since FFmpeg takes names in UTF-8 only.
            file = opened.enter_context(_SeekableFile(path))
            self._container = opened.enter_context(
                av.open(file, "r", metadata_errors="ignore"))
            # A codec that FFmpeg does not know leaves a stream without a rate.
            known = [s for s in self._container.streams.audio if hasattr(s, "rate")]
            if not known:
                raise av.error.InvalidDataError(0, "no audio stream")
            self._opened = opened.pop_all()
        self._stream = known[0]
        self.rate, self.channels = self._stream.rate or 0, self._stream.channels or 0

    def blocks(self, frames: int) -> Iterator[np.ndarray]:
        import av

        convert = av.AudioResampler(format="fltp").resample
        pending: list[np.ndarray] = []
        held, left = 0, self._true_length()
        for frame in self._container.decode(self._stream):
            for part in convert(frame):
                samples = part.to_ndarray().T[:left]
                left -= len(samples)
                pending.append(samples)
                held += len(samples)
            if held >= frames:
                yield np.concatenate(pending)
                pending, held = [], 0
        if held:
            yield np.concatenate(pending)

    def _true_length(self) -> int:
        # An MP4 states how long its sound is; the decoder returns whole AAC frames, the last
        # of which ends in up to 1023 samples of padding.
        duration, time_base = self._stream.duration, self._stream.time_base
        if not duration or time_base is None or "mp4" not in self._container.format.name:
            return 2**62
        return round(duration * time_base * self.rate)

    def close(self) -> None:
        self._opened.close()


def _open_with_ffmpeg(path: str | os.PathLike, refusal: str) -> _Ffmpeg:
    try:
        return _Ffmpeg(path)
    except _ffmpeg_errors() as error:
        found = "found no sound that can be decoded"
        if any(words in refusal for words in _OPENING_FAILED):
            found = f"could not be opened ({error})"
        raise RecordingError(path, found, f"a {FORMATS} file",
                             "export it again or leave it out") from error


def _ffmpeg_errors() -> tuple[type[Exception], ...]:
    # PyAV is imported for files that libsndfile refuses only; before that none of its errors
    # can be raised.
    return (sys.modules["av"].error.FFmpegError, OSError) if "av" in sys.modules else ()
