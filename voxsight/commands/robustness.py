"""Measure how a model's answers hold by telephone, in noise, in rooms and through codecs.

A SOURCE is KIND:PATH or KIND:PATH:SUBSET, with KIND audiomnist, librispeech, csv or folder.
Each recording is answered as it is and under every condition.
"""

import json
import shlex

from voxsight.commands.runner import count, report


def configure(parser):
    parser.add_argument("model", metavar="MODEL", help="model folder")
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help="labelled recordings")
    parser.add_argument("--noise", metavar="DIR", help="recordings of noise to add")
    parser.add_argument("--out", default="results/robustness", help="results (%(default)s)")
    parser.add_argument("--conditions", metavar="NAME,...", help="only these")
    parser.add_argument("--jobs", type=count, help="processes; all cores by default")
    parser.add_argument("--json", action="store_true", help="figures as JSON")


def run(args):
    from voxsight.parallel import prepare_process

    prepare_process()
    from voxsight.conditions import CONDITIONS
    from voxsight.corpora import read_sources
    from voxsight.errors import UsageError
    from voxsight.robustness import AS_RECORDED, markdown, measure, write_summary

    conditions = tuple(CONDITIONS)
    if args.conditions is not None:
        conditions = tuple(name for name in args.conditions.split(",") if name)
    if unknown := set(conditions) - set(CONDITIONS):
        raise UsageError(f"--conditions {unknown.pop()}: expected some of "
                         f"{', '.join(CONDITIONS)}")
    answers = measure(read_sources(args.sources), args.model, noise=args.noise,
                      conditions=conditions, jobs=args.jobs, quiet=args.quiet)
    found = write_summary(answers, args.out, shlex.join(args.command_line))
    print(json.dumps(found) if args.json else markdown(found))
    failed = [answer for answer in answers[AS_RECORDED] if answer.error]
    for answer in failed:
        report(f"{answer.path}: {answer.error}")
    return 1 if failed else 0
