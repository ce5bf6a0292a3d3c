"""Recordings as streams of mono float32 blocks; the only place where sound is opened.

Blocks go in and blocks come out, so that three hours of sound need no more memory than three
seconds.
"""

import os
import stat
from collections.abc import Iterator
from types import TracebackType

import numpy as np
from numpy.typing import ArrayLike

from voxsight.base.processes import cpu_limit, uninterrupted
from voxsight.errors import RecordingError
from voxsight.sound.decoders import FORMATS, ArrayDecoder, Decoder, decoding_errors, open_decoder
from voxsight.sound.signal import high_pass, resample, to_mono

BLOCK_S = 4.0
DECODING_LIMIT_S = 5.0  # of computing for a header or a block; usual are milliseconds
MIN_RATE_HZ, MAX_RATE_HZ = 4_000, 192_000
MAX_CHANNELS = 64
LARGEST = 1e10  # far above any scale in use, and its square is far from overflowing


class Recording:
    """One recording: a file or, with `of`, samples in memory.

    A file is decoded once, from its start to its end. What is to be read several times is
    loaded into memory with `load`.

    Parameters
    ----------
    path : str or os.PathLike
        The file.

    Attributes
    ----------
    path : str
        As given; empty for samples in memory.
    rate : int
        Stored sampling rate, Hz.
    channels : int
    stored_as_integers : bool
        Whether samples are integer PCM, whose scale is 2**15 for 1.0.
    n_samples, n_nonzero : int
        Samples of the mono mix that were read so far, and those of them that are not zero.

    Raises
    ------
    RecordingError
        If the file is missing, not a sound file, or outside 4 to 192 kHz.

    Examples
    --------
    >>> recording = Recording.of(np.array([[100, 0], [200, 0]], np.int16), 8_000)
    >>> (recording.read(remove_dc=False) * 32768).tolist(), recording.duration_s
    ([100.0, 200.0], 0.00025)
    """

    def __init__(self, path: str | os.PathLike) -> None:
        check_is_file(path)
        with cpu_limit(DECODING_LIMIT_S), uninterrupted():
            decoder = open_decoder(path)
        self._start(str(path), decoder)

    @classmethod
    def of(cls, samples: ArrayLike, rate: float) -> "Recording":
        """A recording of samples in memory.

        Parameters
        ----------
        samples : array [shape=(n,) or (n, channels)]
            Floats in [-1, 1] or int16.
        rate : float
            Sampling rate, Hz.

        Returns
        -------
        Recording

        Raises
        ------
        ValueError
            If the samples have another shape, or the rate is below 1.
        RecordingError
            If the rate is outside 4 to 192 kHz, or there are more than 64 channels.
        """
        array, integers = np.asarray(samples), np.asarray(samples).dtype == np.int16
        if array.ndim not in (1, 2) or not array.size:
            raise ValueError(f"found samples of shape {array.shape}, expected (n,) or "
                             "(n, channels) with n > 0; transpose an array of channels first")
        if not rate >= 1:
            raise ValueError(f"found a rate of {rate}, expected at least 1 Hz")
        array = array.astype(np.float32) / np.float32(32768 if integers else 1)
        self = cls.__new__(cls)
        self._start("", ArrayDecoder(array.reshape(len(array), -1), int(rate), bool(integers)))
        return self

    def _start(self, path: str, decoder: Decoder) -> None:
        self.path, self._decoder = path, decoder
        self._loaded: list[np.ndarray] | None = None
        self.n_samples = self.n_nonzero = 0
        self.rate, self.channels = decoder.rate, decoder.channels
        self.stored_as_integers = decoder.stored_as_integers
        self._check_header()

    @property
    def duration_s(self) -> float:
        """Seconds read so far; the duration once every block was read."""
        return self.n_samples / self.rate

    @property
    def nonzero_s(self) -> float:
        """Seconds read so far of samples that are not zero."""
        return self.n_nonzero / self.rate

    def load(self) -> "Recording":
        """Decode the whole recording into memory, so that it can be read several times.

        Returns
        -------
        Recording
            Itself.

        Raises
        ------
        RecordingError
            As `blocks`.
        """
        if self._loaded is None:
            self._loaded = list(self._checked())
        return self

    def blocks(self, rate: int | None = None, *, remove_dc: bool = True) -> Iterator[np.ndarray]:
        """Mono blocks of the recording at a sampling rate.

        Parameters
        ----------
        rate : int, optional
            Sampling rate of the blocks, Hz (default: the stored one).
        remove_dc : bool
            Remove the slow drift below 20 Hz.

        Yields
        ------
        np.ndarray [shape=(n,), float32]

        Raises
        ------
        RecordingError
            If the file has no samples, NaN, infinite or huge ones, or cannot be decoded.
        """
        rate = rate or self.rate
        blocks = self._mono_blocks()
        if rate != self.rate:
            blocks = resample(blocks, self.rate, rate)
        return high_pass(blocks, rate) if remove_dc else blocks

    def read(self, rate: int | None = None, *, remove_dc: bool = True) -> np.ndarray:
        """The whole recording at once, shape (n,), float32; arguments as those of `blocks`."""
        return np.concatenate(list(self.blocks(rate, remove_dc=remove_dc)))

    def close(self) -> None:
        """Close the file; blocks that were read to their end have closed it already."""
        self._decoder.close()

    def __enter__(self) -> "Recording":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def _mono_blocks(self) -> Iterator[np.ndarray]:
        self.n_samples = self.n_nonzero = 0
        for block in self._checked() if self._loaded is None else self._loaded:
            mono = to_mono(block)
            self.n_samples += len(mono)
            self.n_nonzero += int(np.count_nonzero(mono))
            yield mono

    def _checked(self) -> Iterator[np.ndarray]:
        """Decoded blocks, shape (n, channels), whose values are finite."""
        anything = False
        try:
            for block in self._decoded():
                if not (block.min() > -LARGEST and block.max() < LARGEST):  # NaN is neither
                    self._refuse("found samples that are NaN, infinite or huge",
                                 "samples between -1 and 1", "export it again")
                anything = True
                yield block
        except decoding_errors() as error:
            if not anything:
                self._refuse(f"found undecodable sound ({error})", f"a whole {FORMATS} file",
                             "export it again")
        finally:
            self.close()
        if not anything:
            self._refuse("found a sound file without samples", "at least one sample",
                         "record it again")

    def _decoded(self) -> Iterator[np.ndarray]:
        blocks = self._decoder.blocks(max(1, int(self.rate * BLOCK_S)))
        while True:
            with cpu_limit(DECODING_LIMIT_S), uninterrupted():
                block = next(blocks, None)
            if block is None:
                return
            yield block

    def _check_header(self) -> None:
        if not MIN_RATE_HZ <= self.rate <= MAX_RATE_HZ:
            self._refuse(f"found a sampling rate of {self.rate} Hz",
                         f"{MIN_RATE_HZ} to {MAX_RATE_HZ} Hz", "resample it")
        if not 1 <= self.channels <= MAX_CHANNELS:
            self._refuse(f"found {self.channels} channels", f"1 to {MAX_CHANNELS}",
                         "mix it down")

    def _refuse(self, found: str, expected: str, remedy: str) -> None:
        self.close()
        raise RecordingError(self.path, found, expected, remedy)


def undecodable(path: str | os.PathLike) -> RecordingError:
    """RecordingError for a file whose decoder crashed or never finished."""
    return RecordingError(path, "the sound cannot be decoded", f"a {FORMATS} file",
                          "export it again or leave it out")


def check_is_file(path: str | os.PathLike) -> None:
    """Raise RecordingError unless `path` is a file that is not empty."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RecordingError(path, "found no such file", "a sound file",
                             "check the path") from error
    except OSError as error:
        raise RecordingError(path, f"could not look at it ({error.strerror})",
                             "a readable file", "check its name and permissions") from error
    if stat.S_ISDIR(status.st_mode):
        raise RecordingError(path, "found a folder", "a sound file", "name a file in it")
    if not stat.S_ISREG(status.st_mode):
        raise RecordingError(path, "found a pipe or a device", "a sound file",
                             "store it in a file first")
    if not status.st_size:
        raise RecordingError(path, "found an empty file", f"a {FORMATS} file",
                             "record or copy it again")
