"""Decoding in a process of its own, so that a file on which a decoder dies costs its own row.

A process decodes one file after the other. It is asked for one block at a time through its
standard streams and makes the next one meanwhile. Messages are a kind, a length, and JSON or
samples; nothing is pickled.
"""

import atexit
import contextlib
import json
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from voxsight.sound.decoding.decoder import DecoderDied, DecodingError, Source

LIMIT_S = 30.0  # of waiting for a header or a block; usual are milliseconds
LARGEST_BYTES = 2**32  # of memory that a decoder may take
MAX_IDLE = 4  # processes that wait for the next file
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_FRAME = struct.Struct("<cQ")
_OPEN, _CONTENT, _NEXT, _STOP = b"o", b"c", b"n", b"s"  # what is asked
_HEAD, _BLOCK, _END, _REFUSED = b"h", b"b", b"e", b"r"  # what is answered
_FOUND = ("rate", "channels", "stored_as_integers", "expected_s", "damaged", "cut")


class ProcessDecoder:
    """The decoder of any file, in a process of its own; see `decoder.Decoder`.

    Parameters
    ----------
    source : str, os.PathLike or bytes

    Raises
    ------
    DecodingError
        If there is no sound that can be decoded, the decoder died, or it took longer than
        `LIMIT_S`.
    """

    rate: int
    channels: int
    stored_as_integers: bool
    expected_s: float
    damaged: bool
    cut: bool

    def __init__(self, source: Source) -> None:
        self._process: _Process | None = _take()
        if isinstance(source, bytes):
            kind, data = _CONTENT, source
        else:
            kind, data = _OPEN, os.fsencode(os.path.abspath(source))
        try:
            self._found(self._asked(kind, data)[1])
        except BaseException:
            self.close()
            raise

    def blocks(self, frames: int, skip: int = 0) -> Iterator[np.ndarray]:
        """Blocks of `frames` frames, shape (n, channels)."""
        request = json.dumps([frames, skip]).encode()
        while True:
            kind, data = self._asked(_NEXT, request)
            if kind == _END:
                self._found(data)
                return
            yield np.frombuffer(data, np.float32).reshape(-1, self.channels)

    def close(self) -> None:
        """Let go of the file."""
        if self._process is not None:
            self._process.send(_STOP)
            _give_back(self._process)
            self._process = None

    def _asked(self, kind: bytes, data: bytes) -> tuple[bytes, bytes]:
        if self._process is None:
            raise DecodingError("closed")
        answer, content = self._process.asked(kind, data)
        if answer == _REFUSED:
            raise DecodingError(content.decode())
        return answer, content

    def _found(self, data: bytes) -> None:
        for name, value in json.loads(data).items():
            setattr(self, name, value)


class _Process:
    """A process that decodes."""

    def __init__(self) -> None:
        root = str(Path(__file__).parents[3])  # also where the package is not installed
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": path} | _ONE_THREAD)

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def send(self, kind: bytes, data: bytes = b"") -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):  # it died, as reading will show
            _write(self._process.stdin, kind, data)

    def asked(self, kind: bytes, data: bytes) -> tuple[bytes, bytes]:
        """The answer to a message."""
        assert self._process.stdout is not None
        timer = threading.Timer(LIMIT_S, self._process.kill)
        timer.start()
        try:
            self.send(kind, data)
            if not self.alive or (answer := _read(self._process.stdout)) is None:
                self.stop()
                raise DecoderDied("the decoder died or did not end")
            return answer
        finally:
            timer.cancel()

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]


_idle: list[_Process] = []
_lock = threading.Lock()


def start_ahead() -> None:
    """Start a process, so that the first file does not wait for it."""
    with _lock:
        if not _idle:
            _idle.append(_Process())


def _take() -> _Process:
    with _lock:
        while _idle:
            if (process := _idle.pop()).alive:
                return process
    return _Process()


def _give_back(process: _Process) -> None:
    with _lock:
        if process.alive and len(_idle) < MAX_IDLE:
            _idle.append(process)
            return
    process.stop()


def _stop_all() -> None:
    while _idle:
        _idle.pop().stop()


def _forget_all() -> None:
    """A process has one master, which a fork of it is not."""
    global _lock
    _lock = threading.Lock()
    _idle.clear()


atexit.register(_stop_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


def _write(stream: IO[bytes], kind: bytes, data: bytes | memoryview) -> None:
    stream.write(_FRAME.pack(kind, len(data)))
    stream.write(data)
    stream.flush()


def _read(stream: IO[bytes]) -> tuple[bytes, bytes] | None:
    """The next message, or None at the end of the stream."""
    head = stream.read(_FRAME.size)
    if len(head) < _FRAME.size:
        return None
    kind, length = _FRAME.unpack(head)
    data = stream.read(length)
    return (kind, data) if len(data) == length else None


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Decode what is asked for until the requests end."""
    while (message := _read(requests)) is not None:
        kind, data = message
        if kind == _STOP:  # of a file that was refused
            continue
        _serve_file(os.fsdecode(data) if kind == _OPEN else data, requests, answers)


def _serve_file(source: Source, requests: IO[bytes], answers: IO[bytes]) -> None:
    from voxsight.sound.decoding.opening import FileDecoder

    try:
        decoder = FileDecoder(source)
    except Exception as error:  # whatever a hostile file makes a decoder raise
        _write(answers, _REFUSED, str(error).encode())
        return
    with contextlib.closing(decoder):
        _write(answers, _HEAD, _findings(decoder))
        blocks: Iterator[np.ndarray] | None = None
        answer = (_END, b"")
        while (message := _read(requests)) is not None and message[0] == _NEXT:
            if blocks is None:
                blocks = decoder.blocks(*json.loads(message[1]))
                answer = _answer(blocks, decoder)
            _write(answers, *answer)
            if answer[0] == _BLOCK:
                answer = _answer(blocks, decoder)


def _answer(blocks: Iterator[np.ndarray], decoder: Any) -> tuple[bytes, bytes]:
    try:
        block = next(blocks, None)
    except Exception as error:
        return _REFUSED, str(error).encode()
    return (_END, _findings(decoder)) if block is None else (_BLOCK, block.tobytes())


def _findings(decoder: Any) -> bytes:
    return json.dumps({name: getattr(decoder, name) for name in _FOUND}).encode()


def _main() -> None:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # its master decides when it ends
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (LARGEST_BYTES, LARGEST_BYTES))
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what libraries print
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    _main()
