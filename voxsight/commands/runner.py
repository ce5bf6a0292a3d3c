"""Runs a command: its flags, its exit code, and its errors without tracebacks.

Exit codes: 0, every input was handled; 1, some were not; 2, wrong usage or something
missing; 130, stopped with Ctrl-C.
"""

import argparse
import difflib
import importlib
import sys
from collections.abc import Callable, Sequence

from voxsight import __version__
from voxsight.base.texts import one_line
from voxsight.commands import COMMANDS, GROUPS
from voxsight.commands.output import report
from voxsight.commands.streams import lasting_streams

VERSION = f"voxsight {__version__}"


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
    parser.add_argument("--version", action="version", version=VERSION)
    parser.set_defaults(run=command.run)
    return parser


def parse(parser: argparse.ArgumentParser, argv: Sequence[str]) -> argparse.Namespace:
    """The arguments of a command, whose paths may stand on both sides of an option."""
    args, rest = parser.parse_known_args(argv)
    # Not in one step, since the intermixed way knows nothing of "--" in front of every path.
    return parser.parse_intermixed_args(argv) if rest else args


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
    with lasting_streams():
        args = parse(make_parser(name, prog), argv)
        args.command_line = ["voxsight", name, *argv]
        from voxsight.base.files import protecting
        from voxsight.commands.arguments import named_inputs

        with protecting(named_inputs(args)):
            return _guarded(args.run, args)


def main() -> int:
    """Entry point of ``voxsight COMMAND ...``."""
    name, *argv = sys.argv[1:] or [""]
    if name == "help" and argv:
        name, argv = argv[0], ["--help"]
    if name in COMMANDS:
        return run_command(name, argv, prog=f"voxsight {name}")
    with lasting_streams():
        if name in ("help", "-h", "--help"):
            print(overview())
        elif name in ("-V", "--version"):
            print(VERSION)
        else:
            print(_unknown(name) if name else overview(), file=sys.stderr)
            return 2
    return 0


def overview() -> str:
    """The commands with a line each, grouped by what people want to do."""
    lines = ["usage: voxsight COMMAND [--help] ...", "",
             "Would speech corpora label this voice female or male, how sure is that, and why?"]
    for group, title in GROUPS.items():
        lines += ["", f"{title}:"]
        lines += [f"  {name:15}{command.about}" for name, command in COMMANDS.items()
                  if command.group == group]
    return "\n".join([*lines, "", "voxsight help COMMAND and voxsight COMMAND --help tell more; "
                      "voxsight --version"])


def _unknown(name: str) -> str:
    nearest = difflib.get_close_matches(name, COMMANDS, 1)
    remedy = f"did you mean {nearest[0]}?" if nearest else "voxsight help lists them"
    return f"voxsight: found {one_line(name)!r}, expected a command; {remedy}"


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
        if args.debug:
            raise
        report(f"{error.filename or 'file system'}: found '{error.strerror}', expected to "
               "read or write there; check permissions and free space, or name another place")
        return 2
    except KeyboardInterrupt:
        print("stopped; what was finished is kept", file=sys.stderr)
        return 130
