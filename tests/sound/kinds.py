"""Kinds of sound files as people report them, each with what is to be heard in it.

What is right comes from arithmetic or from the ``ffmpeg`` command, never from what is tested.
"""

import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
import soundfile
from conftest import MY_WAVS

RATE = 16_000  # Hz, of the talk
LOSSLESS_S, LOSSY_S = 0.002, 0.15  # how far from the right duration; codecs pad their frames
AS_FFMPEG = -1.0  # what the command decodes
UNTOLD = None  # whether a part is missing cannot be known


@dataclass(frozen=True)
class Kind:
    """A kind of file: how one is made, how many seconds are heard, whether some are missing.

    Attributes
    ----------
    make : callable
        Writes the file with the tools of a `Workshop`; returns its path.
    heard : float
        How often the talk is heard, or `AS_FFMPEG`.
    within_s : float
        How far from that, seconds.
    missing : bool or None
        Whether the recording must say that a part of it is missing; `UNTOLD` if it may.
    length : float or None
        How many times the talk the recording should be, where it is known and not all is heard.
    """

    name: str
    make: Callable[["Workshop"], Path]
    heard: float = 1.0
    within_s: float = LOSSLESS_S
    missing: bool | None = False
    length: float | None = None

    def __str__(self) -> str:
        return self.name


class Workshop:
    """Tools that write files of a talk into a folder: a woman, then a man, 5.55 s, repeated."""

    def __init__(self, folder: Path, times: int = 1) -> None:
        self.folder, self._times = folder, times

    @cached_property
    def samples(self) -> np.ndarray:
        """The talk, int16."""
        return np.concatenate([soundfile.read(MY_WAVS / f"{name}.wav", dtype="int16")[0]
                               for name in ("slt_fox", "rms_morning")] * self._times)

    @property
    def seconds(self) -> float:
        return len(self.samples) / RATE

    @cached_property
    def talk(self) -> Path:
        """The talk as 16-bit WAV."""
        return self.write("talk.wav", riff(self.samples.tobytes()))

    def write(self, name: str, *parts: bytes | Path) -> Path:
        """A file that is joined from others, or from bytes."""
        path = self.folder / name
        path.write_bytes(b"".join(p if isinstance(p, bytes) else p.read_bytes() for p in parts))
        return path

    def ffmpeg(self, name: str, options: str = "", source: str = "") -> Path:
        """The talk as ``ffmpeg`` writes it; `source` are inputs before it."""
        run("ffmpeg", *source.split(), "-i", self.talk, *options.split(), self.folder / name)
        return self.folder / name

    def piped(self, name: str, options: str) -> Path:
        """The same, written to a pipe, so that no header can be completed."""
        return self.write(name, run("ffmpeg", "-i", self.talk, *options.split(), "-"))

    def sox(self, name: str, options: str = "", effects: str = "") -> Path:
        """The talk as ``sox`` writes it."""
        run("sox", self.talk, *options.split(), self.folder / name, *effects.split())
        return self.folder / name

    def damaged(self, path: Path) -> Path:
        """A file with 60 bytes overwritten at 30 % of it."""
        data = bytearray(path.read_bytes())
        place = len(data) * 3 // 10
        data[place: place + 60] = bytes(range(100, 160))
        return self.write(f"damaged_{path.name}", bytes(data))

    def cut(self, path: Path) -> Path:
        """The first 40 % of a file."""
        return self.write(f"cut_{path.name}", path.read_bytes()[: path.stat().st_size * 4 // 10])


def run(tool: str, *arguments: str | Path) -> bytes:
    """What a tool writes to its standard output."""
    quiet = ["-v", "error", "-nostdin", "-y"] if tool == "ffmpeg" else ["-V1"]
    return subprocess.run([tool, *quiet, *arguments], check=True, capture_output=True).stdout


def seconds_by_ffmpeg(path: Path) -> float:
    """Seconds that the ``ffmpeg`` command decodes, whatever it complains about."""
    done = subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-i", path, "-map", "0:a:0", "-f",
                           "f32le", "-ac", "1", "-ar", "48000", "-"], capture_output=True)
    return len(done.stdout) / 4 / 48_000


def chunk(name: bytes, content: bytes, size: int | None = None) -> bytes:
    """A RIFF chunk, with a byte of padding where its size is odd."""
    size = len(content) if size is None else size
    return name + struct.pack("<I", size) + content + bytes(len(content) % 2)


def format_chunk(code: int = 1, bits: int = 16, extra: bytes = b"", channels: int = 1,
                 align: int | None = None) -> bytes:
    align = channels * bits // 8 if align is None else align
    return chunk(b"fmt ", struct.pack("<HHIIHH", code, channels, RATE, RATE * align, align, bits)
                 + extra)


def riff(pcm: bytes, *, form: bytes | None = None, before: bytes = b"", after: bytes = b"",
         data_size: int | None = None, riff_size: int | None = None) -> bytes:
    """A WAV file with chunks before and after its ``data``, and whatever sizes."""
    body = b"WAVE" + before + (format_chunk() if form is None else form) + chunk(
        b"data", pcm, data_size) + after
    return b"RIFF" + struct.pack("<I", len(body) if riff_size is None else riff_size) + body


def wav(name: str, heard: float = 1.0, missing: bool | None = False, length: float | None = None,
        start: bytes = b"", end: bytes = b"", **header: object) -> Kind:
    """A WAV file with another header."""
    return Kind(f"wav-{name}", lambda w: w.write("a.wav", start, riff(
        w.samples.tobytes(), **header), end), heard, missing=missing, length=length)


def by_ffmpeg(name: str, file: str, options: str = "", **expected: object) -> Kind:
    return Kind(name, lambda w: w.ffmpeg(file, options), **{"within_s": LOSSY_S, **expected})


def by_sox(name: str, file: str, options: str = "", **expected: object) -> Kind:
    return Kind(name, lambda w: w.sox(file, options), **{"within_s": LOSSY_S, **expected})


def joined(name: str, file: str, *parts: str, heard: float = AS_FFMPEG,
           missing: bool | None = False) -> Kind:
    """The talk encoded in several ways, and these files joined byte by byte."""
    return Kind(name, lambda w: w.write(f"joined_{file}", *(
        w.ffmpeg(f"{number}_{file}", part) for number, part in enumerate(parts))),
        heard, LOSSY_S * len(parts), missing)


ID3 = b"ID3\x04\x00\x00" + bytes([0, 0, 1, 0]) + bytes(128)  # a tag whose length is 128
RUBBISH = bytes(range(1, 251)) * 5
UNKNOWN = 0xFFFFFFFF
# The format's number in the first two of its sixteen bytes, as RIFF wants it.
GUID = bytes.fromhex("0100000000001000800000aa00389b71")


def extensible(bits: int, valid: int) -> bytes:
    return format_chunk(0xFFFE, bits, struct.pack("<HHI", 22, valid, 4) + GUID)


def in_32_bits(w: Workshop) -> Path:
    samples = (w.samples.astype(np.int32) << 16).tobytes()
    return w.write("a.wav", riff(samples, form=extensible(32, 24)))


def bw64(w: Workshop) -> Path:
    data = w.ffmpeg("a.wav", "-rf64 always").read_bytes()
    return w.write("a.wav", b"BW64", data[4:])


def with_video(w: Workshop) -> Path:
    return w.ffmpeg("a.m4a", "-map 0:v -map 1:a -c:v mpeg4 -f mp4 -shortest",
                    "-f lavfi -i testsrc=size=64x48:rate=5:duration=6")


def with_cover(w: Workshop, file: str, options: str) -> Path:
    run("ffmpeg", "-f", "lavfi", "-i", "testsrc=size=64x48", "-frames:v", "1",
        w.folder / "cover.png")
    return w.ffmpeg(file, f"-map 1:a -map 0:v -c:v copy -disposition:v attached_pic {options}",
                    f"-i {w.folder / 'cover.png'}")


def ogg_pages(data: bytes) -> list[bytes]:
    starts = [0]
    while starts[-1] < len(data):
        place = starts[-1]
        sizes = data[place + 27: place + 27 + data[place + 26]]
        starts.append(place + 27 + len(sizes) + sum(sizes))
    return [data[a:b] for a, b in pairwise(starts)]


def ogg_checksum(page: bytes) -> int:
    """CRC-32 of a page with its own field at zero: polynomial 04c11db7, nothing reflected."""
    value = 0
    for byte in page[:22] + bytes(4) + page[26:]:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value >> 31 else 0)) & 0xFFFFFFFF
    return value


def without_last_mark(w: Workshop) -> Path:
    """Opus whose last page is not marked as the last, as of a stream that was recorded."""
    *pages, last = ogg_pages(w.ffmpeg("a.opus", "-b:a 24k").read_bytes())
    last = last[:5] + b"\x00" + last[6:]
    last = last[:22] + struct.pack("<I", ogg_checksum(last)) + last[26:]
    return w.write("live.opus", *pages, last)


def with_rubbish(file: str, options: str = "") -> Callable[[Workshop], Path]:
    return lambda w: w.write(f"late_{file}", RUBBISH, w.ffmpeg(file, options))


def amr_twice(w: Workshop) -> Path:
    part = w.sox("a.amr", "-r 8000 -t amr-nb")
    return w.write("b.amr", part, part)


def aiff_without_sizes(w: Workshop) -> bytes:
    """AIFF of a recorder that never went back to write how long it is."""
    data = w.ffmpeg("b.aiff").read_bytes()
    comm, ssnd = data.index(b"COMM"), data.index(b"SSND")
    return (data[:4] + bytes(4) + data[8: comm + 10] + bytes(4) + data[comm + 14: ssnd + 4]
            + bytes(4) + data[ssnd + 8:])


PLAIN = [
    wav("plain"),
    wav("size-0", data_size=0),
    wav("all-sizes-0", data_size=0, riff_size=0),
    wav("sizes-ffffffff", data_size=UNKNOWN, riff_size=UNKNOWN),
    wav("sizes-7fffffff", data_size=0x7FFFFFFF, riff_size=0x7FFFFFFF),
    wav("sizes-7ffff000", data_size=0x7FFFF000, riff_size=0x7FFFF024),
    wav("riff-size-0", riff_size=0),
    wav("riff-size-too-small", riff_size=1000),
    wav("data-size-too-large", data_size=8 * RATE * 2, missing=True, length=8 / 5.55),
    wav("data-size-too-small", AS_FFMPEG, UNTOLD, data_size=RATE * 2),
    wav("list-before", before=chunk(b"LIST", b"INFOISFT\x05\x00\x00\x00abcd\x00\x00")),
    wav("junk-before", before=chunk(b"JUNK", bytes(28))),
    wav("odd-chunk-before", before=chunk(b"note", b"odd")),
    wav("bext-before", before=chunk(b"bext", bytes(602))),
    wav("list-after", after=chunk(b"LIST", b"INFOISFT\x04\x00\x00\x00abcd")),
    wav("id3-before", start=ID3),
    wav("id3-with-cover-before", start=ID3[:6] + bytes([0, 6, 0, 0]) + bytes(6 << 14)),
    wav("id3-after", end=ID3),
    wav("half-a-sample-at-the-end", end=b"\x01"),
    wav("align-0", form=format_chunk(align=0)),
    wav("extensible", form=extensible(16, 16)),
    wav("extensible-12-in-16", form=extensible(16, 12)),
    Kind("wav-extensible-24-in-32", in_32_bits),
    by_ffmpeg("rf64", "a.wav", "-rf64 always", within_s=LOSSLESS_S),
    Kind("bw64", bw64),
    Kind("wav-pipe", lambda w: w.piped("a.wav", "-f wav")),
    by_ffmpeg("w64", "a.w64", within_s=LOSSLESS_S),
    *(by_ffmpeg(f"wav-{codec}", "a.wav", f"-c:a pcm_{codec}", within_s=LOSSLESS_S)
      for codec in ("u8", "s24le", "s32le", "f32le", "f64le", "alaw", "mulaw")),
    *(by_ffmpeg(f"wav-{codec}", "a.wav", f"-c:a {codec}")
      for codec in ("adpcm_ima_wav", "adpcm_ms", "g722", "libmp3lame")),
    by_ffmpeg("wav-g726", "a.wav", "-ar 8000 -c:a g726 -b:a 32k"),
    by_sox("wav-gsm", "a.wav", "-r 8000 -e gsm-full-rate"),
    by_sox("gsm", "a.gsm", "-r 8000"),
    joined("wav-twice", "a.wav", "", "", missing=UNTOLD),
    by_ffmpeg("aiff", "a.aiff", within_s=LOSSLESS_S),
    Kind("aiff-size-0", lambda w: w.write("a.aiff", aiff_without_sizes(w))),
    by_sox("aifc", "a.aifc", within_s=LOSSLESS_S),
    by_ffmpeg("aifc-mulaw", "a.aiff", "-c:a pcm_mulaw", within_s=LOSSLESS_S),
    by_ffmpeg("au", "a.au", within_s=LOSSLESS_S),
    Kind("au-pipe", lambda w: w.piped("a.au", "-f au")),
    by_ffmpeg("caf", "a.caf", within_s=LOSSLESS_S),
    by_ffmpeg("caf-alac", "a.caf", "-c:a alac", within_s=LOSSLESS_S),
    Kind("caf-pipe", lambda w: w.piped("a.caf", "-f caf -c:a pcm_s16le")),
    by_sox("sphere", "a.sph", within_s=LOSSLESS_S),
    by_sox("sphere-as-wav", "a.wav", "-t nist", within_s=LOSSLESS_S),
    by_ffmpeg("voc", "a.voc", "-c:a pcm_s16le", within_s=LOSSLESS_S),
    by_sox("voc-u8", "a.voc", "-b 8 -e unsigned"),
    by_ffmpeg("flac", "a.flac", within_s=LOSSLESS_S),
    Kind("flac-pipe", lambda w: w.piped("a.flac", "-f flac")),
    Kind("flac-id3", lambda w: w.write("b.flac", ID3, w.ffmpeg("a.flac"))),
    Kind("flac-cover", lambda w: with_cover(w, "a.flac", "-c:a flac")),
    by_ffmpeg("flac-ogg", "a.oga", "-c:a flac", within_s=LOSSLESS_S),
    by_ffmpeg("flac-mka", "a.mka", "-c:a flac", within_s=LOSSLESS_S),
    joined("flac-twice", "a.flac", "", ""),
    by_ffmpeg("vorbis", "a.ogg", "-c:a libvorbis"),
    Kind("vorbis-late", with_rubbish("a.ogg", "-c:a libvorbis"), AS_FFMPEG, LOSSY_S),
    by_ffmpeg("opus", "a.opus"),
    Kind("opus-without-end-mark", without_last_mark, within_s=LOSSY_S, missing=UNTOLD),
    by_ffmpeg("speex", "a.spx", "-c:a libspeex"),
    joined("vorbis-twice", "a.ogg", *["-c:a libvorbis"] * 2, heard=2),
    joined("vorbis-other-rate", "a.ogg", "-c:a libvorbis", "-c:a libvorbis -ar 44100", heard=2),
    joined("vorbis-other-channels", "a.ogg", "-c:a libvorbis", "-c:a libvorbis -ac 2", heard=2),
    joined("opus-twice", "a.opus", "", "", heard=2),
    joined("opus-thrice", "a.opus", "", "", "", heard=3),
    joined("opus-other-channels", "a.opus", "-ac 2", "-ac 1", heard=2),
    joined("flac-ogg-twice", "a.oga", *["-c:a flac"] * 2, heard=2),
    by_ffmpeg("mp3-cbr", "a.mp3", "-b:a 64k"),
    by_ffmpeg("mp3-vbr", "a.mp3", "-q:a 4"),
    by_ffmpeg("mp3-vbr-without-xing", "a.mp3", "-q:a 4 -write_xing 0"),
    by_ffmpeg("mp3-44100-stereo", "a.mp3", "-ar 44100 -ac 2"),
    by_ffmpeg("mp3-id3v1", "a.mp3", "-write_id3v1 1 -id3v2_version 0 -metadata title=a"),
    Kind("mp3-cover", lambda w: with_cover(w, "a.mp3", "-c:a mp3"), within_s=LOSSY_S),
    joined("mp3-twice", "a.mp3", *["-id3v2_version 0"] * 2, heard=2),
    joined("mp3-twice-id3", "a.mp3", *["-metadata title=a"] * 2, heard=2),
    joined("mp3-other-rate", "a.mp3", "-ar 44100", "-ar 22050", heard=2),
    Kind("mp3-late", with_rubbish("a.mp3"), within_s=LOSSY_S),
    by_ffmpeg("m4a", "a.m4a", within_s=0.01),
    by_ffmpeg("m4a-44100", "a.m4a", "-ar 44100 -ac 2", within_s=0.01),
    by_ffmpeg("m4a-alac", "a.m4a", "-c:a alac", within_s=LOSSLESS_S),
    by_ffmpeg("m4a-faststart", "a.m4a", "-movflags +faststart", within_s=0.01),
    by_ffmpeg("mp4-fragmented", "a.mp4", "-movflags frag_keyframe+empty_moov"),
    Kind("mp4-pipe", lambda w: w.piped("a.mp4", "-f mp4 -movflags frag_keyframe+empty_moov"),
         within_s=LOSSY_S),
    Kind("m4a-video", with_video, within_s=LOSSY_S),
    Kind("m4a-cover", lambda w: with_cover(w, "a.m4a", "-c:a aac"), within_s=0.01),
    by_ffmpeg("mov", "a.mov"),
    by_ffmpeg("mov-pcm", "a.mov", "-c:a pcm_s16be", within_s=LOSSLESS_S),
    joined("m4a-twice", "a.m4a", "", "", missing=UNTOLD),
    by_ffmpeg("adts", "a.aac"),
    Kind("adts-id3", lambda w: w.write("b.aac", ID3, w.ffmpeg("a.aac")), within_s=LOSSY_S),
    joined("adts-twice", "a.aac", "", "", heard=2),
    joined("adts-other-rate", "a.aac", "-ar 44100", "-ar 22050"),
    Kind("adts-late", with_rubbish("a.aac"), within_s=LOSSY_S),
    by_ffmpeg("webm", "a.webm"),
    Kind("webm-live", lambda w: w.piped("a.webm", "-f webm -live 1"), within_s=LOSSY_S),
    by_ffmpeg("webm-vorbis", "a.webm", "-c:a libvorbis"),
    joined("webm-twice", "a.webm", "", "", missing=UNTOLD),
    by_ffmpeg("mka", "a.mka"),
    by_ffmpeg("mka-pcm", "a.mka", "-c:a pcm_s16le", within_s=LOSSLESS_S),
    by_ffmpeg("avi", "a.avi"),
    by_ffmpeg("avi-pcm", "a.avi", "-c:a pcm_s16le", within_s=LOSSLESS_S),
    by_ffmpeg("mpegts", "a.ts"),
    joined("mpegts-twice", "a.ts", "", "", heard=2),
    by_ffmpeg("mpeg", "a.mpg", "-ar 44100 -c:a mp2"),
    by_ffmpeg("flv", "a.flv", "-ar 44100"),
    by_ffmpeg("3gp", "a.3gp", "-c:a aac"),
    by_ffmpeg("wma", "a.wma"),
    by_ffmpeg("wma-v1", "a.wma", "-c:a wmav1"),
    by_ffmpeg("ac3", "a.ac3", "-ar 48000"),
    joined("ac3-twice", "a.ac3", *["-ar 48000"] * 2, heard=2),
    by_ffmpeg("eac3", "a.eac3", "-ar 48000"),
    by_ffmpeg("mp2", "a.mp2"),
    by_ffmpeg("tta", "a.tta", within_s=LOSSLESS_S),
    by_ffmpeg("wavpack", "a.wv", within_s=LOSSLESS_S),
    by_sox("amr-nb", "a.amr", "-r 8000 -t amr-nb", heard=AS_FFMPEG),
    Kind("amr-nb-pauses", lambda w: w.sox("a.amr", "-r 8000 -t amr-nb", "pad 2 2"), AS_FFMPEG,
         LOSSY_S),
    Kind("amr-nb-twice", amr_twice, AS_FFMPEG, LOSSY_S),
    by_ffmpeg("dts", "a.dts", "-c:a dca -strict -2 -ar 48000 -ac 2"),
    by_sox("ircam", "a.ircam", within_s=LOSSLESS_S),
    by_ffmpeg("mp3-named-wav", "a.wav", "-f mp3"),
    by_ffmpeg("webm-named-mp3", "a.mp3", "-c:a libopus -f webm"),
]

# Made into damaged and into cut ones. What tells that the end is missing, and how much: the length
# in the header, the lack of a mark at the end (it does not say how much), or nothing.
HEADER, MARK, NOTHING = "header", "mark", "nothing"
FRAGILE = {
    "wav": ("a.wav", "", HEADER),
    "flac": ("a.flac", "", HEADER),
    "aiff": ("a.aiff", "", HEADER),
    "mp3": ("a.mp3", "", HEADER),
    "mp3-without-xing": ("a.mp3", "-write_xing 0", NOTHING),
    "vorbis": ("a.ogg", "-c:a libvorbis", MARK),
    "opus": ("a.opus", "", MARK),
    "flac-ogg": ("a.oga", "-c:a flac", MARK),
    "m4a": ("a.m4a", "-movflags +faststart", HEADER),
    "m4a-index-last": ("a.m4a", "", HEADER),
    "mp4-fragmented": ("a.mp4", "-movflags frag_keyframe+empty_moov -frag_duration 500000",
                       NOTHING),
    "adts": ("a.aac", "", NOTHING),
    "webm": ("a.webm", "", HEADER),
    "mka-flac": ("a.mka", "-c:a flac", HEADER),
    "wma": ("a.wma", "", HEADER),
    "avi": ("a.avi", "", HEADER),
    "mpegts": ("a.ts", "", NOTHING),
    "tta": ("a.tta", "", HEADER),
    "wavpack": ("a.wv", "", HEADER),
    "ac3": ("a.ac3", "-ar 48000", NOTHING),
    "caf-alac": ("a.caf", "-c:a alac", HEADER),
}
LONG = 5  # times the talk


def _changed(change: str, name: str, file: str, options: str, told_by: str) -> Kind:
    """A file of a long talk that a tool of the workshop damages or cuts."""
    def make(w: Workshop) -> Path:
        w = Workshop(w.folder, LONG)
        return getattr(w, change)(w.ffmpeg(file, options))

    # Damage may leave the length as it was, so that nothing is missing.
    missing = True if change == "cut" and told_by != NOTHING else UNTOLD
    return Kind(f"{name}-{change}", make, AS_FFMPEG, LOSSY_S, missing,
                LONG if told_by == HEADER else None)


KINDS = PLAIN + [_changed(change, name, *fragile) for change in ("damaged", "cut")
                 for name, fragile in FRAGILE.items()]

# Texts that name other files, which FFmpeg would open: {} is a good recording.
HOSTILE = {
    "a.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:5.5,\n{}\n#EXT-X-ENDLIST\n",
    "a.m3u": "#EXTM3U\n{}\n",
    "playlist.wav": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:5.5,\n{}\n#EXT-X-ENDLIST\n",
    "a.pls": "[playlist]\nFile1={}\nNumberOfEntries=1\n",
    "a.ffconcat": "ffconcat version 1.0\nfile '{}'\n",
    "concat.mp3": "ffconcat version 1.0\nfile '{}'\n",
    "a.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=a\nc=IN IP4 127.0.0.1\nt=0 0\n"
             "m=audio 59999 RTP/AVP 0\n",
    "a.asx": '<asx version="3.0"><entry><ref href="{}"/></entry></asx>',
    "a.wax": "[Reference]\nRef1={}\n",
    "a.svg": '<svg xmlns="http://www.w3.org/2000/svg"><image href="{}"/></svg>',
    "a.html": '<!DOCTYPE html><html><body><audio src="{}"></audio></body></html>',
    "a.smil": '<smil><body><audio src="{}"/></body></smil>',
    "a.mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
             'mediaPresentationDuration="PT5.5S"><Period><AdaptationSet mimeType="audio/wav">'
             '<Representation id="1" bandwidth="1"><BaseURL>{}</BaseURL></Representation>'
             '</AdaptationSet></Period></MPD>',
    "a.xspf": '<playlist version="1" xmlns="http://xspf.org/ns/0/"><trackList><track><location>'
              '{}</location></track></trackList></playlist>',
}
