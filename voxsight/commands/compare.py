"""Fit the classifiers of the field on the same speakers and measure them side by side.

A SOURCE is a corpus CSV (path,speaker,gender), or KIND:PATH or KIND:PATH:SUBSET with KIND
audiomnist, librispeech, csv or folder. Without --test a share of the speakers tests.
"""

import shlex

from voxsight.commands.runner import (
    add_encoder_flags,
    amount,
    count,
    encoder_options,
    report,
    share,
)


def configure(parser):
    parser.add_argument("sources", nargs="+", metavar="CORPUS_CSV", help="recordings to learn from")
    parser.add_argument("--test", nargs="+", default=[], metavar="SOURCE",
                        help="other recordings to test on")
    parser.add_argument("--only", metavar="NAME,...", help="these classifiers, such as xgboost")
    parser.add_argument("--out", default="results/classifiers", help="results (%(default)s)")
    parser.add_argument("--split", default="speaker", metavar="speaker|random|...",
                        help="who validates, and tests without --test (%(default)s)")
    parser.add_argument("--valid", type=share, default=0.15, help="share that validates")
    parser.add_argument("--test-share", type=share, default=0.25, help="share that tests")
    parser.add_argument("--per-speaker", type=count, default=40, help="recordings (%(default)s)")
    parser.add_argument("--seconds", type=amount, default=2.0, help="heard of each (%(default)s)")
    parser.add_argument("--windows", type=count, default=1,
                        help="stretches of that length per recording (%(default)s)")
    parser.add_argument("--augment", type=share, default=0.01, metavar="FRACTION",
                        help="share of training recordings with a copy in noise or at another "
                             "pitch (%(default)s)")
    parser.add_argument("--weights", default="none", metavar="imagenet|none|PATH",
                        help="what resnet34 starts from (%(default)s)")
    parser.add_argument("--hf", default="", metavar="NAME|FOLDER",
                        help="audio-classification model of Hugging Face for the row hf")
    parser.add_argument("--hf-fine-tune", action="store_true", help="train it on this split")
    add_encoder_flags(parser)
    parser.add_argument("--cache", default="features", help="folder of features (%(default)s)")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--jobs", type=count, help="processes; all cores by default")
    parser.add_argument("--json", action="store_true", help="the rows as JSON on stdout")


def run(args):
    from voxsight.parallel import prepare_process

    prepare_process()
    import json

    from voxsight.classifiers import Options, find
    from voxsight.comparison import compare, make_plan
    from voxsight.corpora import read_sources
    from voxsight.leaderboard import read_rows, write_leaderboard

    names = [name for name in (args.only or "").split(",") if name]
    for name in names:
        find(name)  # an unknown one is said before the features take their time
    plan = make_plan(
        read_sources(args.sources, per_speaker=args.per_speaker),
        read_sources(args.test, per_speaker=args.per_speaker), rule=args.split, valid=args.valid,
        test_share=args.test_share, windows=args.windows, seconds=args.seconds,
        augment=args.augment, seed=args.seed, cache=args.cache, jobs=args.jobs, quiet=args.quiet)
    options = Options(weights=args.weights, hf=args.hf, hf_fine_tune=args.hf_fine_tune,
                      augment=args.augment, seconds=args.seconds, jobs=args.jobs,
                      encoder=encoder_options(args),
                      embeddings=args.embeddings, quiet=args.quiet)
    command = shlex.join(args.command_line)
    left_out = compare(plan, names, args.out, options, command=command, quiet=args.quiet)
    board = write_leaderboard(args.out, plan, left_out, command)
    print(json.dumps(read_rows(args.out, plan.digest)) if args.json else board)
    for failure in plan.failures:
        report(failure)
    return 1 if plan.failures else 0
