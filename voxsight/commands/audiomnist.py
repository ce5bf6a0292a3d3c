"""The AudioMNIST table: what a split that shares speakers hides.

DATASET is a folder of AudioMNIST pictures of any recipe. Trains a network per split and
seed (hours on two cores), stores each run, and goes on where it was stopped.
"""

import json
import shlex

from voxsight.commands.runner import count, parse_size

CELLS = ("random", "paper", "folds")


def configure(parser):
    parser.add_argument("dataset", metavar="DATASET", help="folder of pictures")
    parser.add_argument("--out", default="results/audiomnist", help="results (%(default)s)")
    parser.add_argument("--cells", default=",".join(CELLS), help="rows to make (%(default)s)")
    parser.add_argument("--seeds", type=count, default=3, help="trainings of each (%(default)s)")
    parser.add_argument("--size", type=parse_size, default=(48, 96), metavar="HxW",
                        help="pixels that the network sees (48x96)")
    parser.add_argument("--arch", default="resnet34", choices=["resnet34", "resnet18"])
    parser.add_argument("--json", action="store_true", help="the table as JSON")


def run(args):
    from voxsight.datasets import read_dataset
    from voxsight.errors import UsageError

    read_dataset(args.dataset)  # a missing dataset is said before torch takes its seconds
    cells = args.cells.split(",")
    if unknown := set(cells) - set(CELLS):
        raise UsageError(f"--cells {unknown.pop()}: expected some of {', '.join(CELLS)}")
    from voxsight.audiomnist_table import make_table, markdown, write_page

    seeds = range(42, 42 + args.seeds)
    table = make_table(args.dataset, args.out, cells=cells, seeds=seeds, size=args.size,
                       arch=args.arch, command=shlex.join(args.command_line), quiet=args.quiet)
    write_page(table, args.out)
    print(json.dumps(table) if args.json else markdown(table))
