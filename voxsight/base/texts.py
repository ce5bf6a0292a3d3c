"""Text and tables that people wrote: by hand, in a spreadsheet, on another system.

Tables that voxsight wrote are read by `files.csv_rows`, which knows their form.
"""

import codecs
import csv
import io
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from voxsight.errors import UsageError

DELIMITERS = ",;\t"
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"),
          (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"),
          (codecs.BOM_UTF16_BE, "utf-16"))
_NAMED = 5  # of the lines or names that a message lists


class Row(NamedTuple):
    """A row of a table: its line in the file, from 1, and its cells by the column's name."""

    line: int
    cells: dict[str, str]


def read_text(path: str | os.PathLike) -> str:
    """The text of a file in UTF-8 or, if a byte order mark or zeros say so, UTF-16 or UTF-32.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    str
        Bytes that are no UTF-8 are kept as `os.fsdecode` keeps them, so that a path can still be
        opened; `readable` makes letters of them.

    Raises
    ------
    UsageError
        If it is no text.
    """
    data = Path(path).read_bytes()
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    if encoding is None and 0 in data[:2]:
        encoding = "utf-16-le" if data[0] else "utf-16-be"
    try:
        text = data.decode(encoding) if encoding else data.decode("utf-8", "surrogateescape")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: found broken {encoding} at byte {error.start}, expected "
                         "text; save it again, as UTF-8") from error
    if "\0" in text:
        raise UsageError(f"{path}: found a file that is no text, such as a workbook or a "
                         "recording, expected text; save a workbook as CSV")
    return text


def readable(text: str) -> str:
    """Text of `read_text` with letters in place of bytes that are no UTF-8.

    Programs on Windows write Windows-1252, older ones Latin-1.

    Examples
    --------
    >>> readable("Jürgen"), readable(os.fsdecode(b"J\\xfcrgen"))
    ('Jürgen', 'Jürgen')
    """
    try:
        data = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a pair of UTF-16, as JSON can spell it
        return text.encode("utf-8", "backslashreplace").decode()
    for encoding in ("utf-8", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def table_rows(path: str | os.PathLike) -> Iterator[Row]:
    """Rows of a table, without blank ones.

    Parameters
    ----------
    path : str or os.PathLike
        Cells are parted by commas, semicolons or tabs, whichever parts the first line into most
        of them, or as a line ``sep=;`` says.

    Yields
    ------
    Row
        Names of columns are in lower case without blanks around them. Missing cells are empty,
        further ones are left out. Bytes that are no UTF-8 are kept, see `read_text`.

    Raises
    ------
    UsageError
        If there are no columns, two have one name, or a quotation mark is not closed.
    """
    records = _records(path, read_text(path))
    head = [readable(name).strip().lower() for name in next(records, (0, []))[1]]
    if not head:
        raise UsageError(f"{path}: found an empty file, expected a line with the names of "
                         "columns and one for each recording")
    for name in head:
        if name and head.count(name) > 1:
            raise UsageError(f"{path}: found {head.count(name)} columns {name!r}, expected one; "
                             "rename or remove the others")
    for line, cells in records:
        yield Row(line, dict(zip(head, cells + [""] * (len(head) - len(cells)))))


def listed(names: Iterable[object]) -> str:
    """The first of some names, and how many more there are.

    Examples
    --------
    >>> listed(range(9)), listed("ab")
    ('0, 1, 2, 3, 4 and 4 more', 'a, b')
    """
    names = list(names)
    rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(map(str, names[:_NAMED])) + rest


def in_lines(lines: Sequence[int]) -> str:
    """Where some rows are.

    Examples
    --------
    >>> in_lines([3]), in_lines([3, 5])
    ('line 3', 'lines 3, 5')
    """
    return f"line{'s' if len(lines) > 1 else ''} {listed(lines)}"


def note(text: str) -> None:
    """One line on stderr: what was read, but perhaps not as its author meant it."""
    print(one_line(text), file=sys.stderr)


def one_line(text: object) -> str:
    """Text on one line, with what a terminal could not show written as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode()
                   for c in str(text))


def _records(path: str | os.PathLike, text: str) -> Iterator[tuple[int, list[str]]]:
    """Line and cells of each record that is not blank."""
    told = re.match(r'"?sep=(.)"?(?:\r\n?|\n)', text, re.IGNORECASE)
    text = text[told.end():] if told else text
    delimiter = told.group(1) if told else _delimiter(text)
    before, is_well_quoted = bool(told), _is_well_quoted(text, delimiter)
    # Common Voice writes tables with tabs, in which a quotation mark means nothing.
    plain = delimiter == "\t" and not is_well_quoted
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter,
                        quoting=csv.QUOTE_NONE if plain else csv.QUOTE_MINIMAL)
    line = 1 + before
    try:
        for cells in reader:
            if not is_well_quoted and reader.line_num + before > line:
                raise csv.Error("a quotation mark that is not closed")
            if any(map(str.strip, cells)):
                yield line, cells
            line = reader.line_num + before + 1
    except csv.Error as error:
        raise UsageError(f"{path}, line {line}: found {error}, expected a row of a CSV; in a "
                         'quoted cell, write "" for a quotation mark') from error


def _delimiter(text: str) -> str:
    """What parts the first line into most cells."""
    first = text.lstrip().splitlines()[:1]
    return max(DELIMITERS, key=lambda mark: len(next(csv.reader(first, delimiter=mark), [])))


def _is_well_quoted(text: str, delimiter: str) -> bool:
    """Whether every quotation mark at the start of a cell is closed at its end."""
    if '"' not in text:
        return True
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:  # a cell with a tab in it holds other cells, between two marks that are no pair
        return not any("\t" in cell for cells in reader for cell in cells if delimiter == "\t")
    except csv.Error:
        return False
