"""Uploads: a form with one file, streamed into memory that is counted.

Nothing is written to disk, and a client's name for a file is never part of a path.
"""

import re
import threading
from collections import Counter
from collections.abc import AsyncIterator
from urllib.parse import unquote

import python_multipart
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import parse_options_header

from voxsight.web.limits import MIB, Limits
from voxsight.web.refusals import CLOSE, Refusal, too_busy, too_many

ENVELOPE_BYTES = 2**16  # that a form adds to the file in it
LONGEST_NAME = 1024  # characters of a name that come back
_EXTENDED = re.compile(rb"""filename\*\s*=\s*"?([\w-]+)'[^']*'([^;\s"]+)""", re.IGNORECASE)
_ASK = "curl -F file=@a.wav"


class Budget:
    """Bytes that are held for clients.

    Parameters
    ----------
    limits : Limits
    """

    def __init__(self, limits: Limits) -> None:
        self._limits, self._lock = limits, threading.Lock()
        self._held: Counter[str] = Counter()

    @property
    def held(self) -> int:
        """Bytes that are held for all clients."""
        with self._lock:
            return sum(self._held.values())

    def take(self, client: str, n_bytes: int) -> None:
        """Count further bytes.

        Raises
        ------
        Refusal
            If the client, or all of them, would hold too many.
        """
        with self._lock:
            if self._held[client] + n_bytes > self._limits.client_bytes:
                raise too_many(f"found more than {self._limits.client_bytes // MIB} MB of your "
                               "recordings here, expected less; wait for their answers, or "
                               "remove some", 10)
            if sum(self._held.values()) + n_bytes > self._limits.total_bytes:
                raise too_busy(f"found more than {self._limits.total_bytes // MIB} MB of "
                               "recordings here, expected less; ask again later", 30)
            self._held[client] += n_bytes

    def give_back(self, client: str, n_bytes: int) -> None:
        """Count bytes no longer."""
        with self._lock:
            self._held[client] -= n_bytes
            self._held += Counter()


class Upload:
    """A file that a client sent.

    Attributes
    ----------
    client : str
    name : str
        The client's name for it.
    content : bytes
    """

    def __init__(self, client: str, budget: Budget) -> None:
        self.client, self.name, self.content = client, "", b""
        self._budget, self._counted = budget, 0

    def count(self, n_bytes: int) -> None:
        """Count bytes that are held for it; see `Budget.take`."""
        self._budget.take(self.client, n_bytes)
        self._counted += n_bytes

    def close(self) -> None:
        """Forget the content."""
        self.content = b""
        self._budget.give_back(self.client, self._counted)
        self._counted = 0


async def read_upload(chunks: AsyncIterator[bytes], content_type: str, upload: Upload,
                      limits: Limits) -> None:
    """Read the one file of a form into an upload.

    Parameters
    ----------
    chunks : async iterator of bytes
        The body of a request.
    content_type : str
        Its header of that name.
    upload : Upload
    limits : Limits

    Raises
    ------
    Refusal
        If it is no form, holds another number of files than one, or is too large.
    """
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise Refusal(415, f"found no form, expected one with a file: {_ASK}")
    form = _Form(upload, limits)
    n_bytes = 0
    try:
        parser = form.parser(options[b"boundary"])
        async for chunk in chunks:
            n_bytes += len(chunk)
            if n_bytes > limits.file_bytes + ENVELOPE_BYTES:
                raise too_large(limits)
            parser.write(chunk)
        parser.finalize()
    except MultipartParseError:
        raise Refusal(422, f"found a broken form, expected one with a file: {_ASK}") from None
    form.finish()


def too_large(limits: Limits) -> Refusal:
    """Refusal of a file that is too large."""
    return Refusal(413, f"found more than {limits.file_bytes // MIB} MB, expected a smaller "
                        "recording; cut it, compress it, or use scripts/deploy_model.py",
                   headers=CLOSE)


class _Form:
    """What arrives of a form."""

    def __init__(self, upload: Upload, limits: Limits) -> None:
        self._upload, self._limits = upload, limits
        self._content, self._n_files = bytearray(), 0
        self._header, self._value, self._disposition = b"", b"", b""
        self._is_file = self._ended = False

    def parser(self, boundary: bytes) -> python_multipart.MultipartParser:
        return python_multipart.MultipartParser(boundary, {
            "on_part_begin": self._part_begins, "on_header_begin": self._header_begins,
            "on_header_field": self._add_header, "on_header_value": self._add_value,
            "on_header_end": self._header_ends, "on_headers_finished": self._part_is_known,
            "on_part_data": self._add_data, "on_end": self._ends})

    def finish(self) -> None:
        if not self._ended:
            raise Refusal(422, "found a form that breaks off, expected a whole one; send it again")
        if self._n_files != 1:
            raise Refusal(422, f"found {self._n_files or 'no'} files in the form, expected one "
                               f"named file: {_ASK}")
        self._upload.content = bytes(self._content)

    def _part_begins(self) -> None:
        self._disposition, self._is_file = b"", False

    def _header_begins(self) -> None:
        self._header, self._value = b"", b""

    def _add_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_ends(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value

    def _part_is_known(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = _file_name(self._disposition, options)
        self._is_file = options.get(b"name") == b"file" and name is not None
        if self._is_file:
            self._n_files += 1
            self._upload.name = name or "recording"

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file and self._n_files == 1:
            if len(self._content) + end - start > self._limits.file_bytes:
                raise too_large(self._limits)
            self._upload.count(end - start)
            self._content += data[start:end]

    def _ends(self) -> None:
        self._ended = True


def _file_name(disposition: bytes, options: dict[bytes, bytes]) -> str | None:
    """The client's name for a file; None for a field that is no file."""
    if extended := _EXTENDED.search(disposition):
        charset, value = (group.decode("ascii", "replace") for group in extended.groups())
        try:
            return unquote(value, charset, "replace")[:LONGEST_NAME]
        except LookupError:
            return unquote(value)[:LONGEST_NAME]
    if b"filename" not in options:
        return None
    return options[b"filename"].decode("utf-8", "replace")[:LONGEST_NAME]
