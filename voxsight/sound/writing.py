"""Samples written as sound files."""

import contextlib
import errno
import io
import os
from collections.abc import Callable, Iterator

import numpy as np
import soundfile

from voxsight.base import files
from voxsight.sound.recording import Recording


def write_wav(path: str | os.PathLike, samples: np.ndarray, rate: int) -> None:
    """Write mono samples in [-1, 1], shape (n,), as 16-bit PCM WAV; what is outside is clipped."""
    files.write_bytes(path, as_wav(samples, rate))


def as_wav(samples: np.ndarray, rate: int) -> bytes:
    """Mono samples as the 16-bit PCM WAV file that `write_wav` writes."""
    file = io.BytesIO()  # in memory, since libsndfile does not say that a disk is full
    soundfile.write(file, as_pcm16(samples), rate, subtype="PCM_16", format="WAV")
    return file.getvalue()


def as_pcm16(samples: np.ndarray) -> np.ndarray:
    """Samples in [-1, 1] as int16; what is outside is clipped."""
    return np.clip(np.round(samples * 32768.0), -32768, 32767).astype(np.int16)


@contextlib.contextmanager
def wav_writer(path: str | os.PathLike | None,
               rate: int) -> Iterator[Callable[[np.ndarray], object]]:
    """A function that appends samples to a 16-bit PCM WAV, which appears when the block ends.

    Without a path the function does nothing.
    """
    if path is None:
        yield lambda samples: None
        return
    try:
        with (files.replacing(path) as temporary,
              soundfile.SoundFile(temporary, "w", rate, 1, "PCM_16", format="WAV") as file):
            yield lambda samples: file.write(as_pcm16(samples))
    except soundfile.LibsndfileError as error:
        raise OSError(errno.EIO, os.strerror(errno.EIO), os.fspath(path)) from error


def through_file(samples: np.ndarray, rate: int, file_format: str = "WAV") -> Recording:
    """Samples as they come back from a file of some format, which is never on disk.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,) or (n, channels)]
        What lies outside of [-1, 1] is clipped.
    rate : int
        Hz.
    file_format : {"WAV", "MP3"}
        WAV is 16-bit PCM.

    Returns
    -------
    Recording
    """
    subtype, dtype = ("PCM_16", "int16") if file_format == "WAV" else (None, "float32")
    file = io.BytesIO()
    soundfile.write(file, np.clip(samples, -1.0, 1.0), rate, subtype=subtype, format=file_format)
    file.seek(0)
    decoded, stored_rate = soundfile.read(file, dtype=dtype)
    return Recording.of(decoded, stored_rate)


def as_mp3(samples: np.ndarray, rate: int) -> bytes:
    """Samples in [-1, 1], shape (n,) or (n, channels), as an MP3 file."""
    file = io.BytesIO()
    soundfile.write(file, np.clip(samples, -1, 1), rate, format="MP3")
    return file.getvalue()
