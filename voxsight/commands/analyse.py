"""Say what the features of a corpus are like, and what of them goes with the label.

A SOURCE is a corpus CSV (path,speaker,gender and any of corpus,age), or KIND:PATH or
KIND:PATH:SUBSET with KIND audiomnist, librispeech, csv or folder.
"""

import json
import shlex

from voxsight.commands.runner import amount, count, report


def configure(parser):
    parser.add_argument("sources", nargs="+", metavar="CORPUS_CSV", help="labelled recordings")
    parser.add_argument("--out", default="results/features", help="results (%(default)s)")
    parser.add_argument("--seconds", type=amount, default=2.0,
                        help="described of each recording (%(default)s)")
    parser.add_argument("--per-speaker", type=count, help="recordings of each speaker")
    parser.add_argument("--cache", default="features", help="folder of features (%(default)s)")
    parser.add_argument("--jobs", type=count, help="processes; all cores by default")
    parser.add_argument("--json", action="store_true", help="the tables as JSON on stdout")


def run(args):
    from voxsight.parallel import prepare_process

    prepare_process()
    from voxsight.corpora import read_sources
    from voxsight.feature_report import analyse

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
