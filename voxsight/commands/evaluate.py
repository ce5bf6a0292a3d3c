"""Measure a model on labelled recordings or pictures, with intervals over speakers.

DATA is a CSV (path,speaker,gender and any of corpus,age,accent), a corpus folder (with
--corpus), a folder of pictures, or the predictions.csv of an earlier run. Writes figures,
tables by group, plots, a card for reports and the mistakes to look at and listen to.
"""

import json
import shlex
import sys

from voxsight.commands.runner import count, report, share

GROUPS = ("corpus", "sex", "age", "accent", "pitch", "pitch by sex", "unusual pitch", "duration")


def configure(parser):
    parser.add_argument("model", metavar="MODEL", help="model folder")
    parser.add_argument("data", metavar="DATA", help="CSV, corpus or folder of pictures")
    parser.add_argument("--corpus", default="csv",
                        choices=["audiomnist", "librispeech", "csv", "folder"],
                        help="layout of DATA where it holds recordings (%(default)s)")
    parser.add_argument("--subset", help="LibriSpeech subset, or a CSV's corpus")
    parser.add_argument("--split", metavar="speaker|random|fold:K|...",
                        help="pictures only: assess the validation side of this split")
    parser.add_argument("--valid", type=share, default=0.2, help="share that validates")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--by", default=",".join(GROUPS), metavar="GROUP,...",
                        help="groups to tell apart (%(default)s; also speaker)")
    parser.add_argument("--out", metavar="results/NAME", help="folder for the results")
    parser.add_argument("--into-card", metavar="TITLE",
                        help="also put the card into the model's README.md, under this title")
    parser.add_argument("--jobs", type=count, help="processes; all cores by default")
    parser.add_argument("--json", action="store_true", help="figures as JSON")


def run(args):
    from voxsight.parallel import prepare_process

    prepare_process()
    from pathlib import Path

    from voxsight.assessment import assess, check_groups
    from voxsight.checkpoint import find_model
    from voxsight.model_card import put_into_card
    from voxsight.report import write_report

    by = check_groups(args.by.split(","))
    out = Path(args.out or f"results/{Path(args.data).stem}")
    answers, config, base = assess(
        args.model, args.data, kind=args.corpus, subset=args.subset, split=args.split,
        valid=args.valid, seed=args.seed, mistakes=out / "mistakes", jobs=args.jobs,
        quiet=args.quiet)
    for answer in answers:
        if answer.error:
            report(f"{answer.path}: {answer.error}")
    metrics = write_report(answers, out, config, model=Path(args.model).name, base=base, by=by,
                           command=shlex.join(args.command_line))
    if args.into_card:
        put_into_card(find_model(args.model), args.into_card, (out / "card.md").read_text())
    if args.json:
        print(json.dumps(metrics))
    else:
        print((out / "card.md").read_text())
    print(f"{out}: card.md, card.html, metrics.json, plots and mistakes/index.html",
          file=sys.stderr)
    return 1 if metrics["failed"] else 0
