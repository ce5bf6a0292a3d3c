"""What all commands share: flags, exit codes, errors without tracebacks.

Exit codes: 0, every input was handled; 1, some were not; 2, wrong usage or something
missing; 130, stopped with Ctrl-C.
"""

import argparse
import importlib
import os
import sys

COMMANDS = {
    "download": "download_corpus.py",
    "record": "record_wav.py",
    "preprocess": "preprocess_wavs.py",
    "merge": "merge_shards.py",
    "train": "train_model.py",
    "evaluate": "evaluate_model.py",
    "explain": "explain_model.py",
    "deploy": "deploy_model.py",
    "compare": "compare_classifiers.py",
    "embeddings": "classify_embeddings.py",
    "analyse": "analyse_features.py",
    "speakers": "classify_speakers.py",
    "robustness": "measure_robustness.py",
    "conversations": "measure_conversations.py",
    "export": "export_model.py",
    "serve": "serve_web.py",
    "audiomnist": "audiomnist_table.py",
}


def run_command(name, argv=None, prog=None):
    """Run a command and return its exit code.

    Parameters
    ----------
    name : str
        a key of `COMMANDS`
    argv : list of str, optional
        arguments; those of the process by default
    prog : str, optional
        the program's name in usage messages

    Returns
    -------
    int
    """
    command = importlib.import_module(f"voxsight.commands.{name}")
    parser = argparse.ArgumentParser(prog=prog, description=command.__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    command.configure(parser)
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    parser.add_argument("--debug", action="store_true", help="show tracebacks of errors")
    argv = sys.argv[1:] if argv is None else argv
    args = parser.parse_args(argv)
    args.command_line = ["voxsight", name, *argv]
    return _guarded(command.run, args)


def main():
    """Entry point of ``voxsight COMMAND ...``."""
    usage = "voxsight {" + "|".join(COMMANDS) + "} [--help] ..."
    if len(sys.argv) > 1 and sys.argv[1] in COMMANDS:
        name = sys.argv[1]
        return run_command(name, sys.argv[2:], prog=f"voxsight {name}")
    asked = len(sys.argv) > 1 and sys.argv[1] in ("-h", "--help")
    print(f"usage: {usage}", file=sys.stdout if asked else sys.stderr)
    return 0 if asked else 2


def report(error):
    """One line on stderr for an input that could not be handled."""
    say(one_line(error), sys.stderr)


def say(line, file):
    """Print a line, above the progress bar if there is one."""
    if "tqdm" in sys.modules:
        sys.modules["tqdm"].tqdm.write(line, file=file)
    else:
        print(line, file=file)
    file.flush()


def one_line(text):
    """Text on one line, with what a terminal could not show written as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode()
                   for c in str(text))


def parse_size(text):
    """``HxW`` as (height, width) in pixels, for argparse."""
    height, _, width = text.partition("x")
    if not (height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        raise argparse.ArgumentTypeError(f"{text!r}: expected HxW in pixels, such as 64x64")
    return int(height), int(width)


def amount(text):
    """A number from 0 on, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number from 0 on")
    return value


def add_scale_flags(parser, out):
    """Flags of the commands that many machines can share; `out` is what each writes to."""
    parser.add_argument("--dask", metavar="ADDRESS",
                        help="scheduler of a Dask cluster, such as tcp://HOST:8786, whose workers "
                             "do the work and write the files")
    parser.add_argument("--shard", type=_shard, metavar="K/N",
                        help=f"do the K-th of N shares only, into {out}.parts; "
                             "merge_shards.py makes one of them")


def _shard(text):
    number, _, total = text.partition("/")
    if not (number.isdecimal() and total.isdecimal() and 1 <= int(number) <= int(total)):
        raise argparse.ArgumentTypeError(f"{text!r}: expected K/N with K from 1 to N, such as 2/4")
    return int(number), int(total)


def add_encoder_flags(parser):
    """Flags of the commands that ask a speaker encoder; see `encoder_options`."""
    parser.add_argument("--source", metavar="NAME|FOLDER",
                        help="weights of the encoders ecapa and wav2vec2")
    parser.add_argument("--layer", type=int, help="layer of wav2vec 2.0 (the last)")
    parser.add_argument("--embeddings", default="embeddings",
                        help="folder of embeddings, another for each source (%(default)s)")


def encoder_options(args):
    """What the user chose of an encoder, for `embeddings.find_encoder`."""
    chosen = {"source": args.source, "layer": args.layer}
    return {name: value for name, value in chosen.items() if value is not None}


def share(text):
    """A number from 0 to 1, for argparse."""
    value = amount(text)
    if value > 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number from 0 to 1")
    return value


def port_number(text):
    """A TCP port, 0 for any, for argparse."""
    if not (text.isdecimal() and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a port from 0 to 65535")
    return int(text)


def count(text):
    """A whole number from 1 on, for argparse."""
    if not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from 1 on")
    return int(text)


def _guarded(run, args):
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


def _broken_pipe(error):
    if not isinstance(error, BrokenPipeError):
        raise error
    # The reader of our output has gone (| head): nothing is wrong.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
