"""FFmpeg, through PyAV: packet by packet, past those that cannot be decoded."""

import contextlib
import itertools
import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np

from voxsight.sound.decoding import headers
from voxsight.sound.decoding.decoder import DecodingError, Source, opened

if TYPE_CHECKING:
    from av import AudioFrame, Packet

# Formats that hold their sound themselves. Playlists, concat scripts, SDP, DASH and all others
# that name files or hosts to be fetched are not among them and are refused unread.
CONTAINERS = (
    "wav,w64,aiff,au,caf,nistsphere,voc,sox,ircam,pvf,avr,svx,iff,8svx,sds,"
    "flac,ogg,mp3,aac,ac3,eac3,dts,dtshd,amr,amrnb,amrwb,gsm,qcp,g722,g726,g729,truehd,mlp,loas,"
    "ape,tta,wv,tak,mpc,mpc8,shn,oma,dsf,iff,aea,adx,bonk,osq,"
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,asf,xwma,avi,mpegts,mpeg,mpegvideo,mxf,gxf,flv,dv,rm,"
    "nut,wtv,ivf")
# Containers whose header tells how long the sound is; elsewhere FFmpeg guesses.
_STATE_LENGTH = frozenset((
    "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "flac", "wav", "w64", "aiff", "caf", "avi", "wv",
    "tta", "ape", "tak", "mpc", "mpc8", "dsf", "nistsphere"))
_READ_HERE = {"mp3": headers.mp3_stated_s, "asf": headers.asf_stated_s}
# Containers that say when each packet is to be heard; elsewhere FFmpeg counts.
_TIMED = frozenset((
    "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "ogg", "asf", "mpegts", "mpeg", "flv", "rm", "mxf",
    "nut", "wtv", "gxf"))
# Type of samples, and factor to [-1, 1], by FFmpeg's name of a format; planar ones end in p.
_SAMPLES: dict[str, tuple[type[np.generic], float]] = {
    "u8": (np.uint8, 2**-7), "s16": (np.int16, 2**-15), "s32": (np.int32, 2**-31),
    "s64": (np.int64, 2**-63), "flt": (np.float32, 1.0), "dbl": (np.float64, 1.0)}
# Frame types of AMR from which on frames hold no speech (3GPP TS 26.101 and 26.201).
_FIRST_WITHOUT_SPEECH = {"amrnb": 8, "amrwb": 9}
USUAL_CHANNELS = 8
PADDING = 4096  # frames with which AAC may fill up the last packet
SMALLEST_GAP_S, LARGEST_GAP_S = 0.05, 10.0  # between timestamps; larger ones are a new clock
MAX_FAILURES = 1000  # of reading packets, one after the other


class FfmpegDecoder:
    """A decoder of everything that FFmpeg reads; see `decoder.Decoder`.

    Like the ``ffmpeg`` command it goes on after a packet that cannot be decoded.

    Parameters
    ----------
    source : str, os.PathLike or bytes
    rate, channels : int, optional
        Of the blocks (default: those of the stream).

    Raises
    ------
    DecodingError
        If there is no sound in a format of `CONTAINERS`.
    """

    def __init__(self, source: Source, rate: int | None = None,
                 channels: int | None = None) -> None:
        import av

        self._errors = (av.error.FFmpegError, OSError, ValueError)
        with contextlib.ExitStack() as stack:
            # As an open file, since FFmpeg takes names in UTF-8 only.
            file = stack.enter_context(opened(source))
            try:
                self._container = stack.enter_context(av.open(
                    file, "r", metadata_errors="ignore",
                    options={"format_whitelist": CONTAINERS}))
            except self._errors as error:
                raise DecodingError(str(error)) from error
            self._stream = _main_stream(self._container)
            self._opened = stack.pop_all()
        with opened(source) as file:  # a second time: FFmpeg is somewhere in the first
            self.expected_s = _stated_s(self._container, self._stream, file)
            self.cut = self._container.format.name == "ogg" and headers.ogg_is_cut(file)
        self.rate = rate or self._stream.rate or 0
        self.channels = channels or self._stream.channels or 0
        self.stored_as_integers = not self._stream.codec_context.name.startswith("pcm_f")
        self.damaged = False

    def blocks(self, frames: int, skip: int = 0) -> Iterator[np.ndarray]:
        """Blocks of `frames` frames after the first `skip`, the last one shorter."""
        pending: list[np.ndarray] = []
        held = 0
        for samples in self._without_padding(round(self.expected_s * self.rate)):
            if skip:
                skip, samples = max(0, skip - len(samples)), samples[skip:]
            pending.append(samples)
            held += len(samples)
            if held >= frames:
                joined = np.concatenate(pending)
                whole = held // frames * frames
                yield from np.split(joined[:whole], held // frames)
                pending, held = [joined[whole:]], held - whole
        if held:
            yield np.concatenate(pending)

    def close(self) -> None:
        """Close the file."""
        self._opened.close()

    def _without_padding(self, stated: int) -> Iterator[np.ndarray]:
        """Samples of an MP4 without the silence that fills up its last packet."""
        is_mp4 = stated and "mp4" in self._container.format.name
        total = 0
        beyond: list[np.ndarray] = []  # after the stated end
        for samples in self._samples():
            total += len(samples)
            if not is_mp4 or total > stated + PADDING:  # or else the stated length is wrong
                yield from beyond
                beyond.clear()
                yield samples
            elif total <= stated:
                yield samples
            else:
                within = max(0, stated - (total - len(samples)))
                yield samples[:within]
                beyond.append(samples[within:])

    def _samples(self) -> Iterator[np.ndarray]:
        """Samples of each frame, shape (n, channels), at the rate of the first."""
        import av

        resampler, resampled = None, None
        for frame in self._frames():
            kind = (frame.sample_rate, frame.format.name, frame.layout.name)
            if resampler and kind != resampled:
                yield from map(self._as_array, resampler.resample(None))
                resampler = None
            if frame.sample_rate == self.rate:
                yield self._as_array(frame)
                continue
            if not resampler:
                resampler, resampled = av.AudioResampler(rate=self.rate), kind
            yield from map(self._as_array, resampler.resample(frame))
        if resampler:
            yield from map(self._as_array, resampler.resample(None))

    def _as_array(self, frame: "AudioFrame") -> np.ndarray:
        dtype, scale = _SAMPLES[frame.format.name.rstrip("p")]
        channels, count = frame.layout.nb_channels, frame.samples
        # A plane may end in padding; to type checkers it is no buffer.
        planes = [np.frombuffer(cast(memoryview, plane), dtype) for plane in frame.planes]
        if len(planes) == 1:
            stored = planes[0][: count * channels].reshape(count, channels)
        else:
            stored = np.stack([plane[:count] for plane in planes], axis=1)
        samples = np.multiply(stored, scale, dtype=np.float32)
        if dtype is np.uint8:
            samples -= 1
        if channels == self.channels:
            return samples
        if self.channels == 1:  # a part with more channels was joined to one with a single one
            return samples.mean(axis=1, keepdims=True)
        return samples[:, np.minimum(np.arange(self.channels), channels - 1)]

    def _frames(self) -> Iterator["AudioFrame"]:
        """Decoded frames; keeps account of what is missing between them."""
        account = _Account(self._container.format.name in _TIMED)
        for packet in self._packets():
            account.n_packets += bool(packet.size)
            try:
                frames = cast("list[AudioFrame]", packet.decode())
            except self._errors:
                account.add_lost(packet, self._holds_no_sound(packet))
                frames = []
            for frame in frames:
                if frame.layout.nb_channels > max(self.channels, USUAL_CHANNELS):
                    account.add_lost(packet, is_silence=False)  # damage that looks like sound
                    continue
                account.add(frame)
                yield frame
        self.damaged = account.damaged
        self.expected_s = max(self.expected_s, account.expected_s)
        if self._container.format.name == "avi" and account.n_packets:  # its index may be lost
            is_pcm = self._stream.codec_context.name.startswith("pcm")
            counted = account.heard_s * self.rate if is_pcm else account.n_packets
            self.expected_s = account.heard_s * max(1, self._stream.frames / counted)

    def _packets(self) -> Iterator["Packet"]:
        """Packets, also those after one that cannot be read."""
        for failures in itertools.count():
            try:
                yield from self._container.demux(self._stream)
                return
            except self._errors:
                if failures == MAX_FAILURES:
                    return

    def _holds_no_sound(self, packet: "Packet") -> bool:
        """Whether a packet holds a phone's comfort noise, or a header within joined MP3s."""
        codec, content = self._stream.codec_context.name, bytes(packet)
        if codec.startswith("mp3"):
            return b"ID3" in content or any(mark in content[:64] for mark in headers.MP3_MARKS)
        first = _FIRST_WITHOUT_SPEECH.get(codec)
        return first is not None and bool(content) and content[0] >> 3 & 15 >= first


class _Account:
    """What was heard, and what was not.

    Parameters
    ----------
    timed : bool
        Whether the timestamps of frames are stored, and not counted by FFmpeg.
    """

    def __init__(self, timed: bool) -> None:
        self._timed = timed
        self._end_s: float | None = None  # of the last frame, by its timestamp
        self._lost_s = self._silent_s = self._gaps_s = 0.0
        self._lost_since_s = math.inf  # seconds heard before the first packet that was lost
        self.heard_s, self.n_packets = 0.0, 0

    @property
    def damaged(self) -> bool:
        """Whether something was lost between what was heard."""
        return 0 < self._lost_since_s < self.heard_s

    def add(self, frame: "AudioFrame") -> None:
        length_s = frame.samples / frame.sample_rate
        if self._timed and frame.time is not None:
            gap_s = 0.0 if self._end_s is None else frame.time - self._end_s
            self._gaps_s += gap_s if SMALLEST_GAP_S < gap_s < LARGEST_GAP_S else 0.0
            self._end_s = frame.time + length_s
        self.heard_s += length_s

    def add_lost(self, packet: "Packet", is_silence: bool) -> None:
        """A packet that cannot be decoded."""
        length_s = float(packet.duration * packet.time_base) if packet.duration else 0.0
        if is_silence:
            self._silent_s += length_s
        else:
            self._lost_s += length_s
            self._lost_since_s = min(self._lost_since_s, self.heard_s or math.inf)

    @property
    def expected_s(self) -> float:
        return self.heard_s + max(self._lost_s, self._gaps_s - self._silent_s)


def _main_stream(container: Any) -> Any:
    """The stream that the ``ffmpeg`` command takes: a default one, or that of most channels."""
    import av

    # A codec that FFmpeg does not know leaves a stream without a rate.
    known = [stream for stream in container.streams.audio if getattr(stream, "rate", None)]
    if not known:
        raise DecodingError("no audio stream")
    default = av.stream.Disposition.default
    return max(known, key=lambda stream: (bool(stream.disposition & default), stream.channels))


def _stated_s(container: Any, stream: Any, file: BinaryIO) -> float:
    """Seconds that the header states; 0 if it does not."""
    name = container.format.name
    if name in _READ_HERE:
        return _READ_HERE[name](file)
    if name not in _STATE_LENGTH:
        return 0.0
    if name == "caf" and stream.codec_context.name.startswith("pcm"):
        return stream.frames / stream.rate
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    if tag := re.match(r"(\d+):(\d+):([\d.]+)$", stream.metadata.get("DURATION", "")):
        return int(tag[1]) * 3600 + int(tag[2]) * 60 + float(tag[3])
    only_sound = len(container.streams) == len(container.streams.audio) == 1
    return container.duration / 1e6 if only_sound and container.duration else 0.0
