"""Measure a model on labelled recordings or pictures, with intervals over speakers.

DATA is a CSV (path,speaker,gender and any of corpus,age,accent), a corpus folder (with
--corpus), a folder of pictures, or the predictions.csv of an earlier run. Writes figures,
tables by group, plots, a card for reports, and the mistakes to look at and to listen to.
"""

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from voxsight.commands.arguments import add_jobs, add_model, add_seed, output_folder, part
from voxsight.commands.output import report
from voxsight.corpora import LABELLED_KINDS
from voxsight.evaluation import DEFAULT_GROUPS

if TYPE_CHECKING:
    from voxsight.evaluation.labelled import LabelledPrediction
    from voxsight.network.folder import ModelFolder


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_model(parser)
    parser.add_argument("data", metavar="DATA",
                        help="CSV or folder of recordings, folder of pictures, or predictions.csv")
    parser.add_argument("--corpus", default="csv", choices=LABELLED_KINDS,
                        help="layout of DATA if it holds recordings (%(default)s)")
    parser.add_argument("--subset", metavar="NAME",
                        help="LibriSpeech subset, or a value of the column corpus of a CSV")
    parser.add_argument("--split", metavar="speaker|random|fold:K|...",
                        help="of pictures, assess only the validation side of this split")
    parser.add_argument("--valid", type=part, default=0.2, metavar="FRACTION",
                        help="fraction that validates (%(default)s)")
    add_seed(parser, "seed of the split")
    parser.add_argument("--by", default=",".join(DEFAULT_GROUPS), metavar="GROUP,...",
                        help="groups to measure one by one (%(default)s; also speaker)")
    parser.add_argument("--out", type=output_folder, metavar="results/NAME",
                        help="folder for the results (default: results/ and the name of DATA)")
    parser.add_argument("--into-card", metavar="TITLE",
                        help="also put the card into the model's README.md, under this title")
    add_jobs(parser)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")


def run(args: argparse.Namespace) -> int | None:
    """Assess the model and print the card; 1 if some recordings could not be read."""
    from voxsight.base.parallel.processes import prepare_process

    prepare_process()
    from voxsight.evaluation.grouping import check_groups
    from voxsight.evaluation.report import write_report
    from voxsight.network.card import put_into_card
    from voxsight.network.folder import ModelFolder

    groups = check_groups(args.by.split(","))
    out = Path(args.out or f"results/{Path(args.data).stem}")
    folder = ModelFolder(args.model)
    predictions, base, left_out = _predictions(args, folder, out / "mistakes")
    for prediction in predictions:
        if prediction.error:
            report(f"{prediction.path}: {prediction.error}")
    metrics = write_report(predictions, out, folder.config, model=Path(args.model).name, base=base,
                           by=groups, command=shlex.join(args.command_line),
                           left_out=left_out)
    card = (out / "card.md").read_text(encoding="utf-8")
    if args.into_card:
        put_into_card(folder.path, args.into_card, card)
    print(json.dumps(metrics) if args.json else card)
    print(f"{out}: card.md, card.html, metrics.json, plots and mistakes/index.html",
          file=sys.stderr)
    return 1 if metrics["failed"] or metrics["incomplete"] else 0


def _predictions(args: argparse.Namespace, folder: "ModelFolder",
                 mistakes: Path) -> "tuple[list[LabelledPrediction], Path, int]":
    """Predictions for DATA, the folder that paths are relative to, and pictures left out."""
    from voxsight.corpora.reading import read_corpus
    from voxsight.evaluation.assessment import assess_pictures, assess_recordings
    from voxsight.evaluation.labelled import stored_predictions
    from voxsight.evaluation.mistakes import begin_mistakes, mistake_names
    from voxsight.pictures.dataset import not_assessable

    data = Path(args.data)
    if data.is_file() and data.suffix == ".csv" and (
            stored := stored_predictions(data, folder)):
        names = mistake_names((p.path, p.speaker, p.gender) for p in stored)
        begin_mistakes(mistakes, names.values(), {names[p.path] for p in stored if p.is_mistake})
        return stored, data.parent, 0
    if data.is_dir() and args.corpus == "csv":
        return assess_pictures(data, folder, split=args.split, valid=args.valid, seed=args.seed,
                               mistakes=mistakes, quiet=args.quiet), data.parent, \
            not_assessable(data)
    utterances = read_corpus(data, args.corpus, subset=args.subset)
    return (assess_recordings(utterances, folder, mistakes=mistakes, jobs=args.jobs,
                              quiet=args.quiet), data if data.is_dir() else data.parent, 0)
