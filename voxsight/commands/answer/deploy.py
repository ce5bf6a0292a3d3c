"""Say how speech corpora would label the voices in recordings, and how sure that is.

Labels: female, male, uncertain (the score does not reach the confidence that the model
promises), no_speech. A label says how corpora labelled voices like this one.
"""

import argparse
import json
from typing import TYPE_CHECKING

from voxsight.commands.arguments import add_jobs, add_scale_flags, fraction
from voxsight.commands.output import print_prediction

if TYPE_CHECKING:
    from voxsight.answer.writers import Writer


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("paths", nargs="*", metavar="PATH", default=["my_wavs/"],
                        help="recordings, or folders of recordings (my_wavs/)")
    parser.add_argument("--model", default="models/default", metavar="DIR",
                        help="model folder (%(default)s)")
    parser.add_argument("--csv", metavar="FILE", help="write the rows to this CSV file")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--heatmaps", metavar="DIR",
                        help="write a heat map of each recording to this folder, as PNG")
    parser.add_argument("--pictures", metavar="DIR",
                        help="write the pictures that the network saw to this folder, as JPEG")
    parser.add_argument("--timeline", metavar="DIR",
                        help="write who speaks when to this folder, as CSV and RTTM")
    add_jobs(parser)
    parser.add_argument("--min-confidence", type=fraction, metavar="P",
                        help="label a recording uncertain below this confidence (default: the "
                             "confidence that the model promises)")
    add_scale_flags(parser, "FILE")


def run(args: argparse.Namespace) -> int | None:
    """Label the recordings; 1 if some of them could not be read."""
    from voxsight.base.processes import prepare_process

    prepare_process()
    from voxsight.answer.batch import predict_all
    from voxsight.base.shards import Shard

    rows, failed = [], False
    for prediction in predict_all(
            args.paths, args.model, writers=_writers(args), csv=args.csv, jobs=args.jobs,
            min_confidence=args.min_confidence, dask=args.dask,
            shard=args.shard and Shard(*args.shard), quiet=args.quiet):
        failed = failed or bool(prediction.error)
        if args.json:
            rows.append(prediction.to_row())
        if prediction.error or not args.json:
            print_prediction(prediction)
    if args.json:
        print(json.dumps(rows, indent=1))
    return 1 if failed else 0


def _writers(args: argparse.Namespace) -> "list[Writer]":
    """Writers of everything that is wanted besides the rows."""
    writers: list[Writer] = []
    if args.pictures:
        from voxsight.answer.writers import Pictures

        writers.append(Pictures(args.pictures))
    if args.timeline:
        from voxsight.answer.writers import Timelines

        writers.append(Timelines(args.timeline))
    if args.heatmaps:
        from voxsight.explanation.heat_maps import HeatMaps

        writers.append(HeatMaps(args.heatmaps))
    return writers
