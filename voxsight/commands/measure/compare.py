"""Fit many kinds of classifiers on the same speakers and measure them side by side.

Without --test a fraction of the speakers is tested on.
"""

import argparse
import json
import shlex

from voxsight.commands.arguments import (
    add_encoder_flags,
    add_jobs,
    add_out,
    add_seed,
    add_sources,
    encoder_options,
    fraction,
    output_folder,
    part,
    positive,
    positive_integer,
)
from voxsight.commands.output import report


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_sources(parser, "recordings to train on")
    parser.add_argument("--test", nargs="+", default=[], metavar="SOURCE",
                        help="other recordings to test on (default: some of the speakers)")
    parser.add_argument("--only", metavar="NAME,...",
                        help="compare only these classifiers, such as xgboost")
    add_out(parser, "results/classifiers")
    parser.add_argument("--split", default="speaker", metavar="speaker|random|...",
                        help="what validates, and without --test what is tested on (%(default)s)")
    parser.add_argument("--valid", type=part, default=0.15, metavar="FRACTION",
                        help="fraction that validates (%(default)s)")
    parser.add_argument("--test-share", type=part, default=0.25, metavar="FRACTION",
                        help="fraction to test on, without --test (%(default)s)")
    parser.add_argument("--per-speaker", type=positive_integer, default=40, metavar="N",
                        help="most recordings of each speaker (%(default)s)")
    parser.add_argument("--seconds", type=positive, default=2.0,
                        help="length of the stretch of speech of each recording that is used "
                             "(%(default)s)")
    parser.add_argument("--windows", type=positive_integer, default=1, metavar="N",
                        help="most stretches of that length in each recording (%(default)s)")
    parser.add_argument("--augment", type=fraction, default=0.01, metavar="FRACTION",
                        help="fraction of the training recordings that get a copy in noise or at "
                             "another pitch (%(default)s)")
    parser.add_argument("--weights", default="none", metavar="imagenet|none|PATH",
                        help="initial weights of resnet34 (%(default)s)")
    parser.add_argument("--hf", default="", metavar="NAME[@REVISION]|FOLDER",
                        help="audio-classification model of Hugging Face for the row hf")
    parser.add_argument("--hf-fine-tune", action="store_true",
                        help="fine-tune that model on this split")
    add_encoder_flags(parser)
    parser.add_argument("--cache", default="features", type=output_folder, metavar="DIR",
                        help="folder where features are stored (%(default)s)")
    add_seed(parser)
    add_jobs(parser)
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")


def run(args: argparse.Namespace) -> int | None:
    """Compare the classifiers and print the board; 1 if some recordings could not be read."""
    from voxsight.base.parallel.processes import prepare_process

    prepare_process()
    from voxsight.classifiers import Options, find
    from voxsight.corpora.reading import read_sources
    from voxsight.evaluation.comparison.leaderboard import read_rows, write_leaderboard
    from voxsight.evaluation.comparison.measurement import compare
    from voxsight.evaluation.comparison.plan import make_plan

    names = [name for name in (args.only or "").split(",") if name]
    for name in names:
        find(name)  # raises for an unknown one before the features take their time
    plan = make_plan(
        read_sources(args.sources, per_speaker=args.per_speaker),
        read_sources(args.test, per_speaker=args.per_speaker), rule=args.split, valid=args.valid,
        test_share=args.test_share, windows=args.windows, seconds=args.seconds,
        augment=args.augment, seed=args.seed, cache=args.cache, jobs=args.jobs, quiet=args.quiet)
    options = Options(weights=args.weights, hf=args.hf, hf_fine_tune=args.hf_fine_tune,
                      augment=args.augment, seconds=args.seconds, jobs=args.jobs,
                      encoder=encoder_options(args), embeddings=args.embeddings, quiet=args.quiet)
    command = shlex.join(args.command_line)
    left_out = compare(plan, names, args.out, options, command=command, quiet=args.quiet)
    board = write_leaderboard(args.out, plan, left_out, command)
    print(json.dumps(read_rows(args.out, plan.digest)) if args.json else board)
    for failure in plan.failures:
        report(failure)
    return 1 if plan.failures else 0
