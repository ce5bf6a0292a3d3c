"""Measure models of any kind on the same recordings, and set them side by side.

MODEL is a model folder, FOLDER+ENCODER, or command: and a command line that is given recordings
and prints a CSV (path,label,p_female); NAME=MODEL names it. In the command line {list} stands for
a file with one recording a line, and {paths} for the recordings; with neither they are read from
standard input. Run again after it was stopped, it goes on. See docs/benchmark_protocol.md.
"""

import argparse
import json
import shlex

from voxsight.commands.arguments import SOURCE, add_jobs, add_out, add_seed, positive_integer
from voxsight.commands.output import report


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("models", nargs="+", metavar="MODEL",
                        help="model folder, FOLDER+ENCODER, or 'command:...'")
    parser.add_argument("--corpora", nargs="+", required=True, metavar="CSV",
                        help=f"labelled recordings: {SOURCE}")
    add_out(parser, "results/benchmark")
    parser.add_argument("--batch", type=positive_integer, default=500, metavar="N",
                        help="recordings given to a command at once (%(default)s)")
    parser.add_argument("--again", action="store_true",
                        help="ask the models again, whatever is stored")
    add_seed(parser, "seed of the bootstrap")
    add_jobs(parser)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")


def run(args: argparse.Namespace) -> int | None:
    """Measure the models and print the tables; 1 if a model or a recording could not be used."""
    from voxsight.base.parallel.processes import prepare_process

    prepare_process()
    from voxsight.evaluation.benchmark.entrants import read_entrants
    from voxsight.evaluation.benchmark.page import read_results, write_page
    from voxsight.evaluation.benchmark.running import run_benchmark

    entrants = read_entrants(args.models, jobs=args.jobs, batch=args.batch)
    outcome = run_benchmark(entrants, args.corpora, args.out, seed=args.seed, jobs=args.jobs,
                            command=shlex.join(args.command_line), again=args.again,
                            quiet=args.quiet)
    if outcome.results:
        page = write_page(args.out, read_results(args.out, outcome.results[0]))
        print(json.dumps(outcome.results) if args.json else page)
    for problem in outcome.problems:
        report(problem)
    return 1 if outcome.problems else 0
