"""Runs a command: its flags, its exit code, and its errors without tracebacks.

Exit codes: 0, every input was handled; 1, some were not; 2, wrong usage or something
missing; 130, stopped with Ctrl-C.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence

from voxsight.commands import COMMANDS
from voxsight.commands.output import report


def make_parser(name: str, prog: str | None = None) -> argparse.ArgumentParser:
    """Parser of a command with the flags that all commands have.

    Parameters
    ----------
    name : str
        A key of `COMMANDS`.
    prog : str, optional
        The program's name in usage messages.
    """
    command = importlib.import_module(f"voxsight.commands.{COMMANDS[name].module}")
    parser = argparse.ArgumentParser(prog=prog, description=command.__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    command.configure(parser)
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    parser.add_argument("--debug", action="store_true", help="show tracebacks of errors")
    parser.set_defaults(run=command.run)
    return parser


def run_command(name: str, argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Run a command and return its exit code.

    Parameters
    ----------
    name : str
        A key of `COMMANDS`.
    argv : list of str, optional
        Arguments (default: those of the process).
    prog : str, optional
        The program's name in usage messages.

    Returns
    -------
    int
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    args = make_parser(name, prog).parse_args(argv)
    args.command_line = ["voxsight", name, *argv]
    return _guarded(args.run, args)


def main() -> int:
    """Entry point of ``voxsight COMMAND ...``."""
    usage = "voxsight {" + "|".join(COMMANDS) + "} [--help] ..."
    if len(sys.argv) > 1 and sys.argv[1] in COMMANDS:
        name = sys.argv[1]
        return run_command(name, sys.argv[2:], prog=f"voxsight {name}")
    asked = len(sys.argv) > 1 and sys.argv[1] in ("-h", "--help")
    print(f"usage: {usage}", file=sys.stdout if asked else sys.stderr)
    return 0 if asked else 2


def _guarded(run: Callable, args: argparse.Namespace) -> int:
    from voxsight.errors import RecordingError, VoxsightError

    try:
        code = run(args) or 0
        sys.stdout.flush()
        return code
    except VoxsightError as error:
        if args.debug:
            raise
        report(error)
        return 1 if isinstance(error, RecordingError) else 2
    except ModuleNotFoundError as error:
        if args.debug:
            raise
        print(f"{error.name} is not installed, expected it for this command; run: "
              "pip install 'voxsight[all]'", file=sys.stderr)
        return 2
    except OSError as error:
        if args.debug or isinstance(error, BrokenPipeError):
            return _broken_pipe(error)
        report(f"{error.filename or 'file system'}: found '{error.strerror}', expected to "
               "read or write there; check permissions and free space, or name another place")
        return 2
    except KeyboardInterrupt:
        print("stopped; what was finished is kept", file=sys.stderr)
        return 130


def _broken_pipe(error: OSError) -> int:
    if not isinstance(error, BrokenPipeError):
        raise error
    # The reader of our output has gone (| head): nothing is wrong.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
