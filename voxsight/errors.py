"""Errors that a user can fix; commands print them without a traceback."""

import os


class VoxsightError(Exception):
    """Base of every error whose message is written for users."""


class RecordingError(VoxsightError):
    """A recording that cannot be processed.

    Parameters
    ----------
    path : str or os.PathLike
        The recording, as the user named it.
    found, expected, remedy : str
        What was found, what was expected and what to do.

    Attributes
    ----------
    path : str
        The recording.
    reason : str
        The message without the path.

    Examples
    --------
    >>> raise RecordingError("a.wav", "found an empty file", "a WAV file", "record it again")
    Traceback (most recent call last):
        ...
    voxsight.errors.RecordingError: a.wav: found an empty file, expected a WAV file, record it again
    """

    def __init__(self, path: str | os.PathLike, found: str, expected: str, remedy: str) -> None:
        self.path = str(path)
        self.reason = f"{found}, expected {expected}, {remedy}"
        super().__init__(f"{self.path}: {self.reason}")

    def __reduce__(self) -> tuple:
        # Exceptions are rebuilt from ``args`` when a worker sends them back; this one takes
        # other arguments than its message.
        return _rebuild, (type(self), self.path, self.reason)


class UsageError(VoxsightError):
    """Wrong usage, or a model, device or corpus that is missing (exit code 2)."""


def _rebuild(kind: type[RecordingError], path: str, reason: str) -> RecordingError:
    error = kind.__new__(kind)
    error.path, error.reason = path, reason
    error.args = (f"{path}: {reason}",)
    return error
