"""What files state of their length and their parts where FFmpeg guesses or does not look."""

import os
import re
import struct
from collections.abc import Iterator
from typing import BinaryIO

_ID3_HEAD = 10  # bytes
_MP3_RATES = (44_100, 48_000, 32_000)  # Hz, of MPEG-1; halved for MPEG-2, and again for 2.5
# Marks of a first frame that states the length, where they may lie in it, and where the number
# of frames lies behind them (the Xing, Info and VBRI headers have no standard but this use).
MP3_MARKS = {b"Xing": ((36, 21, 13), 8), b"Info": ((36, 21, 13), 8), b"VBRI": ((36,), 14)}
_TRIMMING_ENCODERS = (b"LAME", b"Lavf", b"Lavc")  # they state the silence around the sound
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_ASF_TIMES = struct.Struct("<64xQ8xQ")  # play duration, 100 ns; preroll, ms
_OGG_PAGE = struct.Struct("<4sBB20xB")
OGG_MARK, _OGG_FIRST, _OGG_LAST = b"OggS", 2, 4
_OGG_LARGEST = 65_307  # bytes of a page
_SCANNED = 2**20  # bytes at a time
# How files of Ogg, FLAC, WAV, AIFF, Matroska and MP4 begin.
_MARKS = re.compile(rb"OggS\0|fLaC\0|RIFF.{4}WAVE|FORM.{4}AIF|\x1a\x45\xdf\xa3|.{4}ftyp", re.DOTALL)


def mp3_stated_s(file: BinaryIO) -> float:
    """Seconds that the first frame of an MP3 file states (Xing, VBRI); 0 if it does not."""
    file.seek(0)
    head = file.read(_ID3_HEAD)
    start = 0
    if head[:3] == b"ID3" and len(head) == _ID3_HEAD:  # its length has 7 bits a byte
        start = _ID3_HEAD + sum(byte << 7 * k for k, byte in enumerate(reversed(head[6:])))
    file.seek(start)
    data = file.read(2048)
    for mark, (distances, field) in MP3_MARKS.items():
        place = data.find(mark)
        for distance in distances:
            header = data[place - distance: place - distance + 4] if place >= distance else b""
            if len(header) == 4 and header[0] == 0xFF and header[1] >= 0xE0:
                return _mp3_length_s(header, data[place:], field)
    return 0.0


def _mp3_length_s(header: bytes, data: bytes, field: int) -> float:
    version, rate = header[1] >> 3 & 3, header[2] >> 2 & 3  # version 3 is MPEG-1, 2 is MPEG-2
    counts_frames = field == 14 or (len(data) > 7 and data[7] & 1)
    if rate == 3 or not counts_frames or len(data) < field + 4:
        return 0.0
    per_frame, slower = (1152, 1) if version == 3 else (576, 2 if version == 2 else 4)
    samples = int.from_bytes(data[field: field + 4]) * per_frame
    if data[120:124] in _TRIMMING_ENCODERS and len(data) >= 144:
        trimmed = int.from_bytes(data[141:144])
        samples -= (trimmed >> 12) + (trimmed & 4095)
    return max(0, samples) * slower / _MP3_RATES[rate]


def asf_stated_s(file: BinaryIO) -> float:
    """Seconds that the header of a WMA file states; 0 if it does not."""
    file.seek(0)
    head = file.read(2**16)
    place = head.find(_ASF_PROPERTIES)
    if place < 0 or len(head) < place + _ASF_TIMES.size:
        return 0.0
    play, preroll = _ASF_TIMES.unpack_from(head, place)
    return max(0.0, play / 1e7 - preroll / 1e3)


def ogg_links(file: BinaryIO) -> list[tuple[int, int]]:
    """Start and end, in bytes, of the streams that follow each other in an Ogg file.

    A new one begins with a page that is marked as the first, after one that is not.
    """
    starts, began = [0], False
    for place, flags in _ogg_pages(file):
        if not flags & _OGG_FIRST:
            began = False
        elif not began:
            began = True
            starts += [place] if place else []
    end = file.seek(0, os.SEEK_END)
    return list(zip(starts, [*starts[1:], end]))


def ogg_is_cut(file: BinaryIO) -> bool:
    """Whether an Ogg file ends within a page that is not the last of its stream."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 2 * _OGG_LARGEST))
    tail = file.read()
    page = tail[max(0, tail.rfind(OGG_MARK)):]
    if len(page) < _OGG_PAGE.size:
        return True
    *_, flags, segments = _OGG_PAGE.unpack_from(page)
    lengths = page[_OGG_PAGE.size: _OGG_PAGE.size + segments]
    return not flags & _OGG_LAST and len(page) < _OGG_PAGE.size + segments + sum(lengths)


def first_mark(head: bytes) -> int:
    """Where the sound begins behind a tag or rubbish, in bytes; 0 if nowhere."""
    found = _MARKS.search(head, 1)
    return found.start() if found else 0


def _ogg_pages(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """Place and flags of each page; what lies between damaged pages is searched for others."""
    place = 0
    while True:
        file.seek(place)
        head = file.read(_OGG_PAGE.size)
        if len(head) < _OGG_PAGE.size:
            return
        mark, _, flags, segments = _OGG_PAGE.unpack(head)
        if mark == OGG_MARK:
            yield place, flags
            place += _OGG_PAGE.size + segments + sum(file.read(segments))
        elif (found := _next_mark(file, place + 1)) is None:
            return
        else:
            place = found


def _next_mark(file: BinaryIO, place: int) -> int | None:
    while True:
        file.seek(place)
        data = file.read(_SCANNED)
        if found := re.search(OGG_MARK, data):
            return place + found.start()
        if len(data) < _SCANNED:
            return None
        place += len(data) - len(OGG_MARK) + 1
