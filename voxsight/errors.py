"""The errors that users can mend; commands print them without a traceback."""


class VoxsightError(Exception):
    """Base of every error whose message is written for users."""


class RecordingError(VoxsightError):
    """A recording that cannot be handled.

    Parameters
    ----------
    path : str or os.PathLike
        the recording, as the user named it
    found, expected, remedy : str
        what was found, what was expected and what to do
    """

    def __init__(self, path, found, expected, remedy):
        self.path = str(path)
        self.reason = f"{found}, expected {expected}, {remedy}"
        super().__init__(f"{self.path}: {self.reason}")

    def __reduce__(self):
        # Exceptions are rebuilt from ``args`` when a worker sends them back;
        # this one takes other arguments than its message.
        return _rebuild, (type(self), self.path, self.reason)


class UsageError(VoxsightError):
    """Wrong usage, or a model, device or corpus that is missing (exit code 2)."""


class RowErrors(VoxsightError):
    """Some inputs could not be handled (exit code 1); each was reported already."""


def _rebuild(kind, path, reason):
    error = kind.__new__(kind)
    error.path, error.reason = path, reason
    error.args = (f"{path}: {reason}",)
    return error
