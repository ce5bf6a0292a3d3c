"""Types of arguments, and flags that several commands have."""

import argparse
import os
from typing import Any

from voxsight.corpora import LABELLED_KINDS
from voxsight.explanation import CAMS, DEFAULT_LAYERS, LAYERS, METHODS

SOURCE = ("a corpus CSV (path,speaker,gender and any of corpus,age,accent), or KIND:PATH or "
          f"KIND:PATH:SUBSET with KIND one of {', '.join(LABELLED_KINDS)}")
_INPUTS = ("paths", "sources", "test", "inputs", "data", "source", "corpora")  # that name some


def non_negative(text: str) -> float:
    """A non-negative number, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a non-negative number")
    return value


def fraction(text: str) -> float:
    """A number from 0 to 1, for argparse."""
    value = non_negative(text)
    if value > 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number from 0 to 1")
    return value


def part(text: str) -> float:
    """A number between 0 and 1, for argparse: what is parted has two sides."""
    value = fraction(text)
    if value in (0, 1):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number between 0 and 1, such as "
                                         "0.2")
    return value


def positive_integer(text: str) -> int:
    """A positive integer, for argparse."""
    if not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a positive integer")
    return int(text)


def positive(text: str) -> float:
    """A positive number, for argparse."""
    value = non_negative(text)
    if not value:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number above 0")
    return value


def non_negative_integer(text: str) -> int:
    """A non-negative integer, for argparse."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: expected 0 or a positive integer")
    return int(text)


def add_seed(parser: argparse.ArgumentParser, help: str = "random seed") -> None:
    """Add the flag ``--seed``."""
    parser.add_argument("--seed", type=_seed, default=42, help=f"{help} (%(default)s)")


def parse_size(text: str) -> tuple[int, int]:
    """``HxW`` as (height, width) in pixels, for argparse."""
    height, _, width = text.partition("x")
    if not (height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        raise argparse.ArgumentTypeError(f"{text!r}: expected HxW in pixels, such as 64x64")
    return int(height), int(width)


def port_number(text: str) -> int:
    """A TCP port, 0 for any, for argparse."""
    if not (text.isdecimal() and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a port from 0 to 65535")
    return int(text)


def output_folder(text: str) -> str:
    """A folder to write to, which may not exist yet, for argparse; a URL too."""
    place = "" if "://" in text else text
    while place and not os.path.lexists(place):
        place = os.path.dirname(place.rstrip(os.sep))
    if place and not os.path.isdir(place):
        raise argparse.ArgumentTypeError(f"{text!r}: found a file at {place}, expected a folder to "
                                         "write to; name another")
    return text


def named_inputs(args: argparse.Namespace) -> list[str]:
    """What the arguments name as inputs; the results of a command never replace these files."""
    named: list[str] = []
    for name in _INPUTS:
        value = getattr(args, name, None) or []
        named += [value] if isinstance(value, str) else value
    return named + [part for value in named for part in value.split(":")[1:2]]  # KIND:PATH:SUBSET


def add_sources(parser: argparse.ArgumentParser, purpose: str = "labelled recordings") -> None:
    """Add the argument ``sources`` of the commands that read several corpora."""
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help=f"{purpose}: {SOURCE}")


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the argument ``model`` of the commands that work on one model."""
    parser.add_argument("model", metavar="MODEL", help="model folder")


def add_jobs(parser: argparse.ArgumentParser) -> None:
    """Add the flag ``--jobs``."""
    parser.add_argument("--jobs", type=positive_integer, metavar="N",
                        help="number of worker processes (default: all cores)")


def add_out(parser: argparse.ArgumentParser, default: str) -> None:
    """Add the flag ``--out`` of the commands that write a folder of results."""
    parser.add_argument("--out", default=default, type=output_folder, metavar="DIR",
                        help="folder for the results (%(default)s)")


def add_method_flags(parser: argparse.ArgumentParser, default: str, rest: str = "") -> None:
    """Add the flags ``--method`` and ``--layer``, which choose an attribution method."""
    parser.add_argument("--method", choices=METHODS,
                        help=f"method of attribution ({default}{rest})")
    layers = ", ".join(f"{layer} for {name}" for name, layer in DEFAULT_LAYERS.items()
                       if name in CAMS)
    parser.add_argument("--layer", choices=LAYERS,
                        help=f"stage of the network whose feature maps are weighted ({layers})")


def add_scale_flags(parser: argparse.ArgumentParser, out: str) -> None:
    """Add the flags of the commands that several machines can share.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    out : str
        Name of what the command writes to, for the help.
    """
    parser.add_argument("--dask", metavar="ADDRESS",
                        help="scheduler of a Dask cluster, such as tcp://HOST:8786, whose workers "
                             "do the work and write the files")
    parser.add_argument("--shard", type=_shard, metavar="K/N",
                        help="do only the K-th of N parts of the work and write it to "
                             f"{out}.parts; merge_shards.py merges the parts")


def add_encoder_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the commands that use a speaker encoder; see `encoder_options`."""
    parser.add_argument("--source", metavar="NAME[@REVISION]|FOLDER",
                        help="weights of the encoders ecapa and wav2vec2")
    parser.add_argument("--layer", type=int, metavar="N",
                        help="layer of wav2vec 2.0 (default: the last)")
    parser.add_argument("--embeddings", default="embeddings", type=output_folder, metavar="DIR",
                        help="folder where embeddings are stored (%(default)s)")


def encoder_options(args: argparse.Namespace) -> dict[str, Any]:
    """Options of the encoder that the user chose, for `encoders.find_encoder`."""
    options = {"source": args.source, "layer": args.layer}
    return {name: value for name, value in options.items() if value is not None}


def _seed(text: str) -> int:
    if not (text.isdecimal() and int(text) < 2**32 - 1):  # NumPy's generators take no other
        raise argparse.ArgumentTypeError(f"{text!r}: expected an integer from 0 to 4294967294")
    return int(text)


def _shard(text: str) -> tuple[int, int]:
    number, _, total = text.partition("/")
    if not (number.isdecimal() and total.isdecimal() and 1 <= int(number) <= int(total)):
        raise argparse.ArgumentTypeError(f"{text!r}: expected K/N with K from 1 to N, such as 2/4")
    return int(number), int(total)
