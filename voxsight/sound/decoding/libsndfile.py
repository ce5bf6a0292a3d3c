"""libsndfile, for sound that is stored sample by sample: WAV, AIFF, AU, CAF, SPHERE and others.

It passes over damage in Ogg, MP3 and FLAC without saying so, or gives up there, and reads the
first part only of several that were joined; those are left to FFmpeg.
"""

import os
import re
from collections.abc import Iterator

import numpy as np
import soundfile

from voxsight.sound.decoding.decoder import DecodingError, SeekableBytes, Source, opened

_TO_FFMPEG = ("FLAC", "OGG", "MP3", "VOC")  # formats; of VOC, heads of blocks would be heard
_COMPRESSED_SUBTYPES = ("ALAC", "MPEG", "VORBIS", "OPUS", "IMA_ADPCM", "MS_ADPCM", "GSM610")
_UNKNOWN_BYTES = 0x7FFF0000  # recorders that do not know the size yet write this or more
_UNKNOWN_FRAMES = 2**62
# Lines of libsndfile's log with the bytes of samples that a header states and, if they are
# others, those that are there.
_STATED_BYTES = re.compile(
    r"^\s*(?:data|SSND|Data size|Extended II)\s*:\s*(\d+)(?: \(should be (\d+)\))?",
    re.MULTILINE | re.IGNORECASE)
_SPHERE_FRAMES = re.compile(rb"^sample_count -i (\d+)", re.MULTILINE)


class SndfileDecoder:
    """A decoder of uncompressed sound; see `decoder.Decoder`.

    Parameters
    ----------
    source : str, os.PathLike or bytes

    Raises
    ------
    DecodingError
        If libsndfile cannot read it, finds no samples, or it is compressed.
    """

    damaged = cut = False

    def __init__(self, source: Source) -> None:
        try:
            self._file = soundfile.SoundFile(_for_libsndfile(source))
        except soundfile.SoundFileError as error:
            raise DecodingError(str(error)) from error
        file = self._file
        if (file.format in _TO_FFMPEG or file.subtype.startswith(_COMPRESSED_SUBTYPES)
                or not 0 < file.frames < _UNKNOWN_FRAMES):
            file.close()
            raise DecodingError("left to FFmpeg, or without samples")
        self.rate, self.channels = file.samplerate, file.channels
        self.stored_as_integers = file.subtype not in ("FLOAT", "DOUBLE")
        self.expected_s = _stated_frames(file, source) / self.rate

    def blocks(self, frames: int, skip: int = 0) -> Iterator[np.ndarray]:
        """Blocks of `frames` frames, the last one shorter; nothing is skipped."""
        left = self._file.frames
        try:
            while len(block := self._file.read(frames, dtype="float32", always_2d=True)):
                left -= len(block)
                yield block
        except soundfile.SoundFileError as error:
            raise DecodingError(str(error)) from error
        if left:
            raise DecodingError(f"{left} samples before the end of the file")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _for_libsndfile(source: Source) -> SeekableBytes | str | bytes:
    if isinstance(source, bytes):
        return SeekableBytes(source)
    # As bytes, a name that is not UTF-8 opens too; Windows has no such names.
    return str(source) if os.name == "nt" else os.fsencode(source)


def _stated_frames(file: soundfile.SoundFile, source: Source) -> float:
    """Frames that the header states; libsndfile itself only says how many there are."""
    if file.format == "NIST":
        count = _SPHERE_FRAMES.search(_first_bytes(source, 1024))
        return int(count[1]) if count else file.frames
    if not (stated := _STATED_BYTES.search(file.extra_info)):
        return file.frames
    promised, there = int(stated[1]), stated[2]
    if promised >= _UNKNOWN_BYTES and there:
        return file.frames
    if there:
        return file.frames * promised / max(1, int(there))
    width = _WIDTHS.get(file.subtype)
    return promised / (width * file.channels) if width else file.frames


_WIDTHS = {"PCM_S8": 1, "PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4,
           "DOUBLE": 8, "ULAW": 1, "ALAW": 1}  # bytes of a sample


def _first_bytes(source: Source, count: int) -> bytes:
    with opened(source) as file:
        return file.read(count)
