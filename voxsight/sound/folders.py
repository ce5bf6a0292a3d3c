"""Sound files below a folder, and files that are no place for anything else."""

import contextlib
import contextvars
import dataclasses
import os
from collections import Counter
from collections.abc import Callable, Iterator

from voxsight.base.files import UNFINISHED, check_is_no_input
from voxsight.errors import RecordingError, UsageError
from voxsight.sound.recording import Recording

# Of sound, and of films, whose sound is heard. Kept to formats that can be read, and to endings
# that seldom mean something else.
EXTENSIONS = frozenset((
    ".wav", ".wave", ".bwf", ".rf64", ".w64", ".flac", ".ogg", ".oga", ".ogx", ".opus", ".spx",
    ".mp3", ".mp2", ".mp1", ".mpga", ".m4a", ".m4b", ".m4r", ".mp4", ".m4v", ".aac", ".3gp",
    ".3g2", ".mov", ".qt", ".webm", ".weba", ".mka", ".mkv", ".ogv", ".avi", ".wma", ".asf",
    ".wmv", ".flv", ".f4a", ".f4v", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".vob", ".aif",
    ".aiff", ".aifc", ".au", ".snd", ".caf", ".amr", ".awb", ".gsm", ".ac3", ".eac3", ".dts",
    ".ape", ".mpc", ".tta", ".wv", ".sph", ".nist", ".voc", ".ra", ".rm", ".8svx", ".ircam",
    ".sf", ".paf", ".pvf"))
# Beside each file that macOS copies to a foreign disk it writes another, ``._`` and its name,
# which holds no sound; in archives these lie in a folder of their own.
_NOT_SOUND, _NO_FOLDERS = ("._", UNFINISHED), ("__MACOSX",)
# About a folder and not among its recordings, so not worth a word.
_ABOUT = ("readme", "license", "licence", "thumbs.db", "desktop.ini")
_KINDS = 6  # of endings that are named
_listener: "contextvars.ContextVar[Callable[[Found], object] | None]" = contextvars.ContextVar(
    "listener", default=None)


@dataclasses.dataclass
class Found:
    """What is below a folder.

    Attributes
    ----------
    folder : str
        As given.
    paths : list of str
        Sound files by their extension, sorted.
    unread : list of RecordingError
        Folders that may not be looked into, sorted.
    left_out : Counter of str
        How many other files there are, by extension; without hidden files and files such as
        README.
    """

    folder: str
    paths: list[str] = dataclasses.field(default_factory=list)
    unread: list[RecordingError] = dataclasses.field(default_factory=list)
    left_out: Counter[str] = dataclasses.field(default_factory=Counter)


def look_into(folder: str | os.PathLike) -> Found:
    """Look through a folder and the folders below it.

    Links to folders are not followed, and what macOS and unfinished runs leave beside recordings
    is passed over.
    """
    found = Found(os.fspath(folder))
    for parent, folders, names in os.walk(found.folder, onerror=lambda error: _note(error, found)):
        folders[:] = sorted(name for name in folders if name not in _NO_FOLDERS)
        links = sum(os.path.islink(os.path.join(parent, name)) for name in folders)
        found.left_out.update({"linked folders": links} if links else {})
        below = parent[len(found.folder):].split(os.sep)
        hidden = any(part.startswith(".") for part in below)
        for name in names:
            ending = os.path.splitext(name)[1].lower()
            if name.startswith(_NOT_SOUND):
                continue
            if ending in EXTENSIONS:
                found.paths.append(os.path.join(parent, name))
            elif not (hidden or name.startswith(".") or name.lower().startswith(_ABOUT)):
                found.left_out[ending or "without ending"] += 1
    found.paths.sort()
    found.unread.sort(key=lambda error: error.path)
    if listener := _listener.get():
        listener(found)
    return found


def sound_files(folder: str | os.PathLike) -> list[str]:
    """Paths of the sound files below a folder, sorted; see `look_into`.

    Raises
    ------
    RecordingError
        If a folder may not be looked into, and nobody `told` hears of it.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("b.WAV", "a.mp3", "._a.mp3", "notes.txt"):
    ...         (Path(folder) / name).touch()
    ...     [os.path.basename(path) for path in sound_files(folder)]
    ['a.mp3', 'b.WAV']
    """
    found = look_into(folder)
    if found.unread and _listener.get() is None:
        raise found.unread[0]
    return found.paths


@contextlib.contextmanager
def told(listener: Callable[[Found], object]) -> Iterator[None]:
    """Call a function with what each folder holds that the block looks into."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def left_out_line(folder: str, left_out: Counter[str]) -> str:
    """What was passed over in a folder, in a line; empty if that is nothing.

    Examples
    --------
    >>> left_out_line("voices/", Counter({".txt": 3, ".pdf": 1}))
    'voices/: left out 3 .txt, 1 .pdf'
    """
    kinds = sorted(left_out.items(), key=lambda item: (-item[1], item[0]))
    words = [f"{count} {ending}" for ending, count in kinds[:_KINDS]]
    if others := sum(count for _, count in kinds[_KINDS:]):
        words.append(f"{others} others")
    return f"{folder}: left out {', '.join(words)}" if words else ""


def check_is_no_recording(path: str, option: str) -> None:
    """Raise UsageError if a result would replace a folder, an input or a recording.

    Parameters
    ----------
    path : str
        A file that is to be written; a URL too.
    option : str
        What names it, for the message.
    """
    place = path if "://" in path else os.path.realpath(path)
    ending = os.path.splitext(place)[1].lower()
    if path.endswith(("/", os.sep)) or os.path.isdir(place):
        raise UsageError(f"{option} {path}: found a folder, expected a file to write; name one in "
                         "it")
    check_is_no_input(place)
    if ending in EXTENSIONS or _is_recording(place):
        raise UsageError(f"{option} {path}: found the name of a recording, expected that of a file "
                         f"which the result may replace; put its name behind {option}")


def _is_recording(path: str) -> bool:
    if not (os.path.isfile(path) and os.path.getsize(path)):
        return False
    try:
        Recording(path).close()
    except RecordingError:
        return False
    return True


def _note(error: OSError, found: Found) -> None:
    """Remember a folder that may not be looked into; one that is not there holds nothing."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        found.unread.append(RecordingError(
            str(error.filename), f"could not look into it ({error.strerror})",
            "a folder that may be read", "check its permissions"))
