"""Describe the features of a corpus, and which of them correlate with the label."""

import argparse
import json
import shlex

from voxsight.commands.arguments import (
    add_jobs,
    add_out,
    add_sources,
    output_folder,
    positive,
    positive_integer,
)
from voxsight.commands.output import report


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_sources(parser)
    add_out(parser, "results/features")
    parser.add_argument("--seconds", type=positive, default=2.0,
                        help="seconds of speech of each recording that are described "
                             "(%(default)s)")
    parser.add_argument("--per-speaker", type=positive_integer, metavar="N",
                        help="use only so many recordings of each speaker")
    parser.add_argument("--cache", default="features", type=output_folder, metavar="DIR",
                        help="folder where features are stored (%(default)s)")
    add_jobs(parser)
    parser.add_argument("--json", action="store_true", help="print the tables as JSON")


def run(args: argparse.Namespace) -> int | None:
    """Analyse the corpora and print a summary; 1 if some recordings could not be read."""
    from voxsight.base.parallel.processes import prepare_process

    prepare_process()
    from voxsight.corpora.reading import read_sources
    from voxsight.studies.feature_report import analyse

    tables, failures = analyse(
        read_sources(args.sources, per_speaker=args.per_speaker), args.out, seconds=args.seconds,
        cache=args.cache, command=shlex.join(args.command_line), jobs=args.jobs,
        quiet=args.quiet)
    if args.json:
        print(json.dumps(tables, default=float))
    else:
        for row in tables["corpora"]:
            print(f"{row['corpus']}: {row['n']} recordings of {row['n_speakers']} speakers; "
                  f"{row['problems'] or 'nothing odd'}")
        print(f"{args.out}/index.html; {len(tables['outliers'])} outliers in outliers.csv")
    for failure in failures:
        report(failure)
    return 1 if failures else 0
