"""Commands run in the process of the tests, as their scripts run in processes of their own.

What they print is caught where the system writes it, so that workers and libraries in C are
heard too; what they change of the process is changed back.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

from voxsight.commands import COMMANDS
from voxsight.commands.runner import run_command

ROOT = Path(__file__).resolve().parent.parent
COMMAND_OF = {command.script.removesuffix(".py"): name for name, command in COMMANDS.items()}


class _Stream:
    """Stdout or stderr, whose descriptor a file takes the place of for a while."""

    def __init__(self, number, errors):
        self._number = number
        self._file = tempfile.TemporaryFile()
        self._text = open(number, "w", encoding="utf-8", errors=errors,
                          closefd=False, buffering=1)

    @contextlib.contextmanager
    def caught(self, redirect, into):
        """What is written meanwhile is appended to a list."""
        saved = os.dup(self._number)
        os.dup2(self._file.fileno(), self._number)
        try:
            with redirect(self._text):
                yield
            self._text.flush()
        finally:
            os.dup2(saved, self._number)
            os.close(saved)
            self._file.seek(0)
            into.append(_as_text(self._file.read()))
            self._file.seek(0)
            self._file.truncate()


def _as_text(said):
    """As subprocess makes it of bytes, ends of lines of all kinds included."""
    return said.decode(errors="surrogateescape").replace("\r\n", "\n").replace("\r", "\n")


_streams = []


def run_here(name, *args, cwd=ROOT, **environment):
    """Run a script of scripts/ without starting a process.

    Parameters
    ----------
    name : str
        the script, without its ending
    *args : object
        its arguments; what is no text is made one
    cwd : str or os.PathLike
        folder to run it in
    **environment : str
        variables for this run

    Returns
    -------
    subprocess.CompletedProcess
        with what it printed as text
    """
    if not _streams:
        _streams.extend((_Stream(1, "strict"), _Stream(2, "backslashreplace")))
    argv, said = [str(ROOT / "scripts" / f"{name}.py"), *map(str, args)], []
    out, err = _streams
    with (_unchanged(argv, environment), contextlib.chdir(cwd),
          err.caught(contextlib.redirect_stderr, said),
          out.caught(contextlib.redirect_stdout, said)):
        code = _exit_code(COMMAND_OF[name], argv[1:])
    return subprocess.CompletedProcess(argv, code, *said)


@contextlib.contextmanager
def _unchanged(argv, environment):
    """Arguments and variables of a process for a while; what a command may change is restored."""
    before, arguments = dict(os.environ), sys.argv
    interrupt, threads = signal.getsignal(signal.SIGINT), _torch_threads()
    os.environ.update(environment)
    sys.argv = argv
    try:
        yield
    finally:
        sys.argv = arguments
        os.environ.clear()
        os.environ.update(before)
        signal.signal(signal.SIGINT, interrupt)
        if _torch_threads() not in (None, threads or 1):
            sys.modules["torch"].set_num_threads(threads or 1)


def _torch_threads():
    return sys.modules["torch"].get_num_threads() if "torch" in sys.modules else None


def _exit_code(command, argv):
    """As the interpreter makes it of what a program ends with."""
    try:
        return run_command(command, argv)
    except SystemExit as stop:
        if stop.code is None or isinstance(stop.code, int):
            return stop.code or 0
        print(stop.code, file=sys.stderr)
        return 1
    except Exception:
        traceback.print_exc()
        return 1
