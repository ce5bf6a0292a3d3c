"""Standard streams that a command can rely on, whatever is at their other end."""

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO


@contextlib.contextmanager
def lasting_streams() -> Iterator[None]:
    """Let the block print without a thought for who reads it.

    A closed stream swallows what it is given, and so does one whose reader has gone away
    (``| head``), since there is other work to finish. Characters that the encoding of a stream
    lacks are written as escapes.
    """
    _open_closed()
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(_lasting, before)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):  # the command has reported it
                stream.flush()
        sys.stdout, sys.stderr = before


def has_reader(stream: Any) -> bool:
    """Whether, as far as is known, a stream still has a reader; see `lasting_streams`."""
    return not getattr(_raw(stream), "is_dropping", False)


class _Lasting(io.FileIO):
    """A file that drops what is written to it once its reader has gone away."""

    is_dropping = False

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            # Windows has no code of its own for a pipe without a reader.
            if not (isinstance(error, ConnectionError)
                    or (os.name == "nt" and error.errno == errno.EINVAL)):
                raise
        self.is_dropping = True
        with open(os.devnull, "wb") as nothing:  # also for libraries and processes that print
            os.dup2(nothing.fileno(), self.fileno())
        return memoryview(data).nbytes


def _open_closed() -> None:
    """Without it the next file that is opened would take the place of a closed stream."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))


def _lasting(stream: TextIO) -> TextIO:
    raw = _raw(stream)
    if type(raw) is not io.FileIO:  # the console of Windows, or a stream of a caller
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
        return stream
    assert isinstance(stream, io.TextIOWrapper)
    stream.flush()
    file: Any = _Lasting(raw.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        file if raw is stream.buffer else io.BufferedWriter(file), stream.encoding,
        "backslashreplace", line_buffering=stream.line_buffering,
        write_through=stream.write_through)


def _raw(stream: Any) -> Any:
    """What a text stream writes to, below its buffer if it has one."""
    buffer = getattr(stream, "buffer", None)
    return getattr(buffer, "raw", buffer)
