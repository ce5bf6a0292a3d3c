"""Sound files as streams of mono float32 blocks.

libsndfile reads what it can; FFmpeg, through PyAV, reads the rest. Blocks go in and
blocks come out, so that three hours of sound need no more memory than three seconds.
"""

import contextlib
import io
import os
import stat
from pathlib import Path

import numpy as np
import soundfile
import soxr

from voxsight.errors import RecordingError
from voxsight.parallel import cpu_limit, uninterrupted

BLOCK_S = 4.0
WHOLE_BYTES = 2**22  # files up to this are read at once: libsndfile asks for crumbs
DECODING_LIMIT_S = 5.0  # of computing for a header or a block; usual are milliseconds
MIN_RATE_HZ, MAX_RATE_HZ = 4_000, 192_000
MAX_CHANNELS = 64
LARGEST = 1e10  # far above any scale in use, and its square is far from overflowing
DC_CUTOFF_HZ = 20.0
FORMATS = "WAV, FLAC, OGG, MP3, M4A/AAC or WebM/Opus"
EXTENSIONS = frozenset((
    ".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".mp4", ".aac", ".webm",
    ".mka", ".wma", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64", ".amr", ".3gp"))


class Recording:
    """One sound file, read once from its start to its end.

    Parameters
    ----------
    path : str or os.PathLike
        the file

    Attributes
    ----------
    rate : int
        stored sampling rate, Hz
    channels : int
    stored_as_integers : bool
        whether samples are integer PCM (their scale is then 2**15 for 1.0)
    samples, nonzero_samples : int
        how many samples of the mono mix were read so far, and how many were not zero

    Raises
    ------
    RecordingError
        if the file is missing, not a sound file, or outside 4 to 192 kHz
    """

    def __init__(self, path):
        self.path = str(path)
        self.samples = self.nonzero_samples = 0
        check_is_file(path)
        with cpu_limit(DECODING_LIMIT_S), uninterrupted():
            try:
                self._source = _Sndfile(path)
            except (soundfile.LibsndfileError, OSError) as refusal:
                self._source = _open_with_ffmpeg(path, str(refusal))
        self.rate, self.channels = self._source.rate, self._source.channels
        self.stored_as_integers = self._source.stored_as_integers
        self._check_header()

    @property
    def duration_s(self):
        """Seconds read so far; the duration once every block was read."""
        return self.samples / self.rate

    def blocks(self, rate=None, *, remove_dc=True):
        """Mono blocks of the recording at a sampling rate.

        Parameters
        ----------
        rate : int, optional
            sampling rate of the blocks, Hz; the stored one by default
        remove_dc : bool
            take the slow drift below 20 Hz out

        Yields
        ------
        np.ndarray [shape=(n,), float32]

        Raises
        ------
        RecordingError
            if the file holds no sample, NaN, infinite or huge ones, or cannot be decoded
        """
        rate = rate or self.rate
        blocks = self._mono_blocks()
        if rate != self.rate:
            blocks = resample(blocks, self.rate, rate)
        return high_pass(blocks, rate) if remove_dc else blocks

    def _mono_blocks(self):
        try:
            for block in self._decoded():
                if not (block.min() > -LARGEST and block.max() < LARGEST):  # NaN is neither
                    self._refuse("found samples that are NaN, infinite or huge",
                                 "samples between -1 and 1", "export it again")
                mono = to_mono(block)
                self.samples += len(mono)
                self.nonzero_samples += int(np.count_nonzero(mono))
                yield mono
        except (soundfile.SoundFileError, *_ffmpeg_errors()) as error:
            if not self.samples:
                self._refuse(f"found undecodable sound ({error})", f"a whole {FORMATS} file",
                             "export it again")
        finally:
            self._source.close()
        if not self.samples:
            self._refuse("found a sound file without samples", "at least one sample",
                         "record it again")

    def _decoded(self):
        blocks = self._source.blocks(max(1, int(self.rate * BLOCK_S)))
        while True:
            with cpu_limit(DECODING_LIMIT_S), uninterrupted():
                block = next(blocks, None)
            if block is None:
                return
            yield block

    def _check_header(self):
        if not MIN_RATE_HZ <= self.rate <= MAX_RATE_HZ:
            self._refuse(f"found a sampling rate of {self.rate} Hz",
                         f"{MIN_RATE_HZ} to {MAX_RATE_HZ} Hz", "resample it")
        if not 1 <= self.channels <= MAX_CHANNELS:
            self._refuse(f"found {self.channels} channels", f"1 to {MAX_CHANNELS}",
                         "mix it down")

    def _refuse(self, found, expected, remedy):
        self._source.close()
        raise RecordingError(self.path, found, expected, remedy)


def read(path, rate=None, *, remove_dc=True):
    """Whole recording at once.

    Parameters
    ----------
    path : str or os.PathLike
    rate : int, optional
        sampling rate wanted, Hz; the stored one by default
    remove_dc : bool
        take the slow drift below 20 Hz out

    Returns
    -------
    samples : np.ndarray [shape=(n,), float32]
    rate : int
        Hz

    Raises
    ------
    RecordingError
    """
    recording = Recording(path)
    blocks = list(recording.blocks(rate, remove_dc=remove_dc))
    return np.concatenate(blocks), rate or recording.rate


def write_wav(path, samples, rate):
    """Write mono samples in [-1, 1] as 16-bit PCM WAV; what is outside is clipped."""
    from voxsight.files import replacing

    with replacing(path) as temporary:
        soundfile.write(temporary, as_pcm16(samples), rate, subtype="PCM_16", format="WAV")


def as_pcm16(samples):
    """Samples in [-1, 1] as int16; what is outside is clipped."""
    return np.clip(np.round(samples * 32768.0), -32768, 32767).astype(np.int16)


def to_mono(block):
    """One channel out of many.

    The average, taken over the channels that are alive; where those cancel each other
    (stereo in opposite phase), the strongest of them.

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
    alive = energy > 1e-4 * energy.max()  # 40 dB below the strongest is a dead channel
    if not alive.any():
        return block[:, 0]
    mono = block[:, alive].mean(axis=1)
    if np.dot(mono, mono) < 0.02 * energy[alive].mean():
        return block[:, int(energy.argmax())]
    return mono


def resample(blocks, rate, target_rate):
    """Resample a stream of blocks; the whole keeps its duration.

    Parameters
    ----------
    blocks : iterable of np.ndarray [shape=(n,), float32]
    rate, target_rate : int
        Hz

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


def high_pass(blocks, rate, cutoff_hz=DC_CUTOFF_HZ):
    """Subtract an exponential moving average from a stream of blocks.

    The average starts at the mean of the first quarter second, so that a recording with
    a constant offset does not begin with a thump.

    Parameters
    ----------
    blocks : iterable of np.ndarray [shape=(n,), float32]
    rate : int
        Hz
    cutoff_hz : float
        corner frequency of the first-order filter, Hz

    Yields
    ------
    np.ndarray [shape=(n,), float32]
    """
    # m[n] = a m[n-1] + (1-a) x[n], computed in chunks: inside a chunk it is a product
    # with a triangular matrix, from chunk to chunk a short recursion.
    decay = float(np.exp(-2 * np.pi * cutoff_hz / rate))
    chunk = 256
    steps = np.arange(chunk)
    lags = steps[:, None] - steps[None, :]
    inside = np.where(lags >= 0, (1 - decay) * decay ** np.maximum(lags, 0), 0.0)
    inside, carried = inside.T.astype(np.float32), (decay ** (steps + 1)).astype(np.float32)
    mean = None
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


def undecodable(path):
    """Error of a file on which its decoder crashed or did not come to an end."""
    return RecordingError(path, "found sound that no decoder comes through", f"a {FORMATS} file",
                          "export it again or leave it out")


def check_is_file(path):
    """Raise RecordingError unless `path` is a file that holds something."""
    try:
        about = os.stat(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RecordingError(path, "found no such file", "a sound file",
                             "check the path") from error
    except OSError as error:
        raise RecordingError(path, f"could not look at it ({error.strerror})",
                             "a readable file", "check its name and permissions") from error
    if stat.S_ISDIR(about.st_mode):
        raise RecordingError(path, "found a folder", "a sound file", "name a file in it")
    if not stat.S_ISREG(about.st_mode):
        raise RecordingError(path, "found a pipe or a device", "a sound file",
                             "store it in a file first")
    if not about.st_size:
        raise RecordingError(path, "found an empty file", f"a {FORMATS} file",
                             "record or copy it again")


class _Sndfile:
    def __init__(self, path):
        if os.stat(path).st_size <= WHOLE_BYTES:
            source = _SeekableBytes(Path(path).read_bytes())
        else:  # as bytes, a name that is not UTF-8 opens too; Windows has no such names
            source = str(path) if os.name == "nt" else os.fsencode(path)
        self._file = soundfile.SoundFile(source)
        self.rate, self.channels = self._file.samplerate, self._file.channels
        self.stored_as_integers = self._file.subtype.startswith("PCM")

    def blocks(self, frames):
        while len(block := self._file.read(frames, dtype="float32", always_2d=True)):
            yield block

    def close(self):
        self._file.close()


class _Seekable:
    """Answers a seek to nowhere with -1, as decoders expect it, and no exception."""

    def seek(self, offset, whence=os.SEEK_SET):
        try:
            return super().seek(offset, whence)
        except (OSError, ValueError, OverflowError):
            return -1


class _SeekableFile(_Seekable, io.FileIO):
    pass


class _SeekableBytes(_Seekable, io.BytesIO):
    pass


class _Ffmpeg:
    stored_as_integers = False

    def __init__(self, path):
        import av

        with contextlib.ExitStack() as opened:
            # As an open file, since FFmpeg takes names that are UTF-8 only.
            file = opened.enter_context(_SeekableFile(path))
            self._container = opened.enter_context(av.open(file, metadata_errors="ignore"))
            # A codec that FFmpeg does not know leaves a stream without a rate.
            known = [s for s in self._container.streams.audio if hasattr(s, "rate")]
            if not known:
                raise av.error.InvalidDataError(0, "no audio stream")
            self._opened = opened.pop_all()
        self._stream = known[0]
        self.rate, self.channels = self._stream.rate or 0, self._stream.channels or 0

    def blocks(self, frames):
        import av

        convert = av.AudioResampler(format="fltp").resample
        pending, held, left = [], 0, self._true_length()
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

    def _true_length(self):
        # An MP4 says how long its sound is; the decoder returns whole AAC frames, which
        # end in up to 1023 samples of padding.
        known = self._stream.duration and "mp4" in self._container.format.name
        if not known:
            return 2**62
        return round(self._stream.duration * self._stream.time_base * self.rate)

    def close(self):
        self._opened.close()


def _open_with_ffmpeg(path, refusal):
    try:
        return _Ffmpeg(path)
    except _ffmpeg_errors() as error:
        found = "found no sound that can be decoded"
        if any(words in refusal for words in ("No such", "System error", "Errno")):
            found = f"could not be opened ({error})"
        raise RecordingError(path, found, f"a {FORMATS} file",
                             "export it again or leave it out") from error


def _ffmpeg_errors():
    import sys

    # PyAV is imported for files that libsndfile refuses only; before that there is
    # nothing of it to catch.
    return (sys.modules["av"].error.FFmpegError, OSError) if "av" in sys.modules else ()
