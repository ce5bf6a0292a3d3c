"""Measure how robust a model is to telephone, noise, rooms and codecs.

Each recording is labelled as it is and under every condition.
"""

import argparse
import json
import shlex

from voxsight.commands.arguments import add_jobs, add_model, add_out, add_sources
from voxsight.commands.output import report


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_model(parser)
    add_sources(parser)
    parser.add_argument("--noise", metavar="DIR", help="folder with recordings of noise to add")
    add_out(parser, "results/robustness")
    parser.add_argument("--conditions", metavar="NAME,...",
                        help="measure only under these conditions")
    add_jobs(parser)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")


def run(args: argparse.Namespace) -> int | None:
    """Measure the model and print the table; 1 if some recordings could not be read."""
    from voxsight.base.parallel.processes import prepare_process

    prepare_process()
    from voxsight.corpora.reading import read_sources
    from voxsight.errors import UsageError
    from voxsight.evaluation.conditions import CONDITIONS
    from voxsight.evaluation.robustness import (
        AS_RECORDED,
        measure_robustness,
        robustness_table,
        write_robustness,
    )

    conditions = tuple(CONDITIONS)
    if args.conditions is not None:
        conditions = tuple(name for name in args.conditions.split(",") if name)
    if unknown := set(conditions) - set(CONDITIONS):
        raise UsageError(f"--conditions {unknown.pop()}: expected some of "
                         f"{', '.join(CONDITIONS)}")
    predictions = measure_robustness(read_sources(args.sources), args.model, noise=args.noise,
                                     conditions=conditions, jobs=args.jobs, quiet=args.quiet)
    figures = write_robustness(predictions, args.out, shlex.join(args.command_line))
    print(json.dumps(figures) if args.json else robustness_table(figures))
    failed = [prediction for prediction in predictions[AS_RECORDED] if prediction.error]
    for prediction in failed:
        report(f"{prediction.path}: {prediction.error}")
    return 1 if failed else 0
