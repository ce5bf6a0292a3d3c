"""The AudioMNIST table: how much a split that shares speakers flatters a model.

DATASET is a folder of AudioMNIST pictures of any recipe. Trains a network for each split and
seed (hours on two cores). Finished trainings are stored, so that a run that was stopped is
resumed by the same command.
"""

import argparse
import json
import shlex

from voxsight.commands.arguments import add_out, parse_size, positive_integer
from voxsight.evaluation import CELL_NAMES, WEIGHTS
from voxsight.network import ARCHITECTURES


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("dataset", metavar="DATASET", help="folder of pictures")
    add_out(parser, "results/audiomnist")
    parser.add_argument("--cells", default=",".join(CELL_NAMES), metavar="NAME,...",
                        help="rows of the table to make (%(default)s)")
    parser.add_argument("--seeds", type=positive_integer, default=3, metavar="N",
                        help="trainings of each split (%(default)s)")
    parser.add_argument("--weights", default="none", metavar="NAME,...",
                        help="weights to start from, a row for each: none, imagenet (%(default)s)")
    parser.add_argument("--size", type=parse_size, default=(48, 96), metavar="HxW",
                        help="size in pixels that the network sees (48x96)")
    parser.add_argument("--arch", default="resnet34", choices=ARCHITECTURES,
                        help="architecture of the network (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print the table as JSON")


def run(args: argparse.Namespace) -> int | None:
    """Train what is missing and print the table."""
    from voxsight.errors import UsageError
    from voxsight.pictures.dataset import read_dataset

    read_dataset(args.dataset)  # reports a missing dataset before torch takes its seconds
    cells, weights = args.cells.split(","), args.weights.split(",")
    for flag, found, known in (("--cells", cells, CELL_NAMES), ("--weights", weights, WEIGHTS)):
        if unknown := set(found) - set(known):
            raise UsageError(f"{flag} {unknown.pop()}: expected some of {', '.join(known)}")
    from voxsight.evaluation.audiomnist import make_audiomnist_table
    from voxsight.evaluation.audiomnist_page import audiomnist_markdown, write_page

    table = make_audiomnist_table(args.dataset, args.out, cells=cells,
                                  seeds=range(42, 42 + args.seeds), weights=weights,
                                  size=args.size, arch=args.arch,
                                  command=shlex.join(args.command_line), quiet=args.quiet)
    write_page(table, args.out)
    print(json.dumps(table) if args.json else audiomnist_markdown(table))
    return None
