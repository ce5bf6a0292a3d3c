"""Recordings as streams of mono float32 blocks; the only place where sound is opened.

Blocks go in and blocks come out, so that three hours of sound need no more memory than three
seconds.
"""

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import BinaryIO

import numpy as np
from numpy.typing import ArrayLike

from voxsight.base.parallel.processes import is_worker, time_limit, uninterrupted
from voxsight.errors import RecordingError
from voxsight.sound.decoding.arrays import ArrayDecoder
from voxsight.sound.decoding.decoder import Decoder, DecoderDied, DecodingError, Source
from voxsight.sound.decoding.opening import FileDecoder
from voxsight.sound.decoding.process import LIMIT_S, ProcessDecoder
from voxsight.sound.signal import ChannelMix, high_pass, resample

FORMATS = "WAV, FLAC, OGG, MP3, M4A/AAC or WebM/Opus"
BLOCK_S = 4.0
DECODING_LIMIT_S = 5.0  # of computing for a header or a block; usual are milliseconds
MIXED_AT_ONCE = 2**24  # samples of all channels; a longer recording is decoded twice to be mixed
NEARLY_ALL = 0.9  # less of a recording is not enough to be sure about all of it
TOLERANCE_S, TOLERANCE = 0.1, 0.001  # of the length that a header states
MIN_RATE_HZ, MAX_RATE_HZ = 4_000, 192_000
MAX_CHANNELS = 64
LARGEST = 1e10  # far above any scale in use, and its square is far from overflowing


class Recording:
    """One recording: a file or, with `of`, samples in memory.

    A file is decoded once, from its start to its end, in a process of its own unless this one
    is a worker; only a long one of several channels is decoded twice. What is to be read
    several times is loaded into memory with `load`.

    Parameters
    ----------
    source : str, os.PathLike or binary file
        The file; an open one is read at once.
    longest_s : float, optional
        A longer recording is refused, whatever it states, once so much was read; seconds.
    watch : callable, optional
        Called with each decoded block, shape (n, channels), and the seconds up to its end. An
        error that it raises ends the reading.

    Attributes
    ----------
    path : str
        As given; the name of an open file; empty for samples in memory.
    rate : int
        Stored sampling rate, Hz.
    channels : int
    stored_as_integers : bool
        Whether samples have the scale of integer PCM, 2**15 for 1.0. Those of floating-point
        PCM have not.
    stated_s : float
        Seconds that the header states; 0 if it does not.
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

    def __init__(self, source: str | os.PathLike | BinaryIO, *,
                 longest_s: float | None = None,
                 watch: Callable[[np.ndarray, float], object] | None = None) -> None:
        content: Source
        if isinstance(source, str | os.PathLike):
            self.path = str(source)
            check_is_file(source)
            content = source
        else:
            name = getattr(source, "name", "")
            self.path = name if isinstance(name, str) else ""
            content = source.read()
        self._watch = watch
        self._start(lambda: _open_decoder(content), longest_s)

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
        array = array.reshape(len(array), -1)
        self = cls.__new__(cls)
        self.path, self._watch = "", None
        self._start(lambda: ArrayDecoder(array, int(rate), bool(integers)), None)
        return self

    def _start(self, open_decoder: Callable[[], Decoder], longest_s: float | None) -> None:
        self._open, self._longest_s = open_decoder, longest_s
        self._loaded: list[np.ndarray] | None = None
        self._ended = self._damaged = self._cut = False
        self._expected_s = 0.0
        self.n_samples = self.n_nonzero = 0
        self._decoder = decoder = self._opened()
        self.rate, self.channels = decoder.rate, decoder.channels
        self.stored_as_integers, self.stated_s = decoder.stored_as_integers, decoder.expected_s
        self._check_header()

    @property
    def heard_s(self) -> float:
        """Seconds that were read so far."""
        return self.n_samples / self.rate

    @property
    def duration_s(self) -> float:
        """Seconds of the whole recording, once every block was read; before, those so far.

        Longer than `heard_s` if a part of it is missing.
        """
        if not self._ended or self._is_whole:
            return self.heard_s
        return max(self.heard_s, self._expected_s)

    @property
    def missing(self) -> str:
        """What could not be heard, in words; empty if everything was."""
        if not self._ended or (self._is_whole and not self._cut):
            return ""
        if self._is_whole:
            return "the end of the file"
        missing_s = self.duration_s - self.heard_s
        return f"{missing_s:.2f} of {self.duration_s:.2f} s are damaged or not there"

    @property
    def is_nearly_whole(self) -> bool:
        """Whether at least `NEARLY_ALL` of the recording could be heard."""
        return self.heard_s >= NEARLY_ALL * self.duration_s and not self._cut

    @property
    def _is_whole(self) -> bool:
        """Whether nothing is missing that is known to have been there."""
        missing_s = self._expected_s - self.heard_s
        if self._damaged and missing_s > 0:
            return False
        return missing_s <= TOLERANCE_S + TOLERANCE * self._expected_s

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
        blocks: Iterator[np.ndarray]
        if self.channels == 1:
            blocks = (block[:, 0] for block in self._all_blocks())
        else:
            blocks = self._mixed()
        for mono in blocks:
            self.n_samples += len(mono)
            self.n_nonzero += int(np.count_nonzero(mono))
            yield mono
        self._ended = True

    def _all_blocks(self) -> Iterator[np.ndarray]:
        return iter(self._checked() if self._loaded is None else self._loaded)

    def _mixed(self) -> Iterator[np.ndarray]:
        """Mono blocks of a recording of several channels, which is heard before it is mixed."""
        mix, kept, held = ChannelMix(self.rate), [], 0
        for block in self._all_blocks():
            mix.listen(block)
            held += block.size
            if held <= MIXED_AT_ONCE:
                kept.append(block)
        if self._loaded is None and held > MIXED_AT_ONCE:
            kept.clear()
            self._decoder = self._opened()
            yield from map(mix.mono, self._checked())
            return
        yield from map(mix.mono, kept if self._loaded is None else self._loaded)

    def _checked(self) -> Iterator[np.ndarray]:
        """Decoded blocks, shape (n, channels), whose values are finite."""
        n_samples = 0
        try:
            for block in self._decoded():
                n_samples += len(block)
                self._check_block(block, n_samples)
                yield block
        except DecodingError as error:
            if not n_samples:
                self._refuse(f"found undecodable sound ({error})", f"a whole {FORMATS} file",
                             "export it again")
            self._cut = True
        else:
            self._cut = self._decoder.cut
        finally:
            self._expected_s, self._damaged = self._decoder.expected_s, self._decoder.damaged
            self.close()
        if not n_samples:
            self._refuse("found a sound file without samples", "at least one sample",
                         "record it again")

    def _check_length(self, seconds: float) -> None:
        if self._longest_s is not None and seconds > self._longest_s:
            self._refuse(f"found more than {self._longest_s / 3600:g} h of sound",
                         "a shorter recording", "cut it into pieces")

    def _check_block(self, block: np.ndarray, n_samples: int) -> None:
        if not (block.min() > -LARGEST and block.max() < LARGEST):  # NaN is neither
            self._refuse("found samples that are NaN, infinite or huge",
                         "samples between -1 and 1", "export it again")
        self._check_length(n_samples / self.rate)
        if self._watch is not None:
            self._watch(block, n_samples / self.rate)

    def _decoded(self) -> Iterator[np.ndarray]:
        blocks = self._decoder.blocks(max(1, int(self.rate * BLOCK_S)))
        while True:
            with _limited():
                block = next(blocks, None)
            if block is None:
                return
            yield block

    def _opened(self) -> Decoder:
        try:
            return self._open()
        except DecoderDied as error:
            raise undecodable(self.path) from error
        except DecodingError as error:
            raise RecordingError(
                self.path, "found no sound that can be decoded", f"a {FORMATS} file",
                "export it again or leave it out") from error

    def _check_header(self) -> None:
        if not MIN_RATE_HZ <= self.rate <= MAX_RATE_HZ:
            self._refuse(f"found a sampling rate of {self.rate} Hz",
                         f"{MIN_RATE_HZ} to {MAX_RATE_HZ} Hz", "resample it")
        if not 1 <= self.channels <= MAX_CHANNELS:
            self._refuse(f"found {self.channels} channels", f"1 to {MAX_CHANNELS}",
                         "mix it down")

        self._check_length(self.stated_s)

    def _refuse(self, found: str, expected: str, remedy: str) -> None:
        self.close()
        raise RecordingError(self.path, found, expected, remedy)


def incomplete(recording: Recording) -> RecordingError:
    """RecordingError for a recording, read to its end, of which too much is missing."""
    return RecordingError(recording.path, f"found a recording that lacks {recording.missing}",
                          f"at least {NEARLY_ALL:.0%} of it", "copy or export it again")


def _open_decoder(source: Source) -> Decoder:
    if not is_worker():
        return ProcessDecoder(source)
    with _limited():
        return FileDecoder(source)


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    """Limits for a decoder in this process; Ctrl-C waits for it."""
    with time_limit(DECODING_LIMIT_S, LIMIT_S), uninterrupted():
        yield


def undecodable(path: str | os.PathLike) -> RecordingError:
    """RecordingError for a file whose decoder crashed or never finished."""
    return RecordingError(path, "the sound cannot be decoded", f"a {FORMATS} file",
                          "export it again or leave it out")


def check_is_file(path: str | os.PathLike) -> None:
    """Raise RecordingError unless `path` is a file that is not empty."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:  # or a NUL in its name
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
    if not os.access(path, os.R_OK):
        raise RecordingError(path, "could not be opened (Permission denied)",
                             "a file that may be read", "check its permissions")
