"""Say how speech corpora would label the voices in recordings, and how sure that is.

Labels: female, male, uncertain (the score does not reach the confidence that the model
promises), no_speech. A label says how corpora labelled voices like this one.
"""

import argparse
import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from voxsight.commands.arguments import (
    add_jobs,
    add_method_flags,
    add_scale_flags,
    fraction,
    output_folder,
)
from voxsight.commands.output import print_prediction, report, warn_of_missing

if TYPE_CHECKING:
    from voxsight.answer.prediction import Prediction
    from voxsight.answer.writers import Writer
    from voxsight.sound.folders import Found


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("paths", nargs="*", metavar="PATH", default=["my_wavs/"],
                        help="recordings, or folders of recordings (my_wavs/)")
    parser.add_argument("--model", default="models/default", metavar="DIR",
                        help="model folder (%(default)s)")
    parser.add_argument("--csv", metavar="FILE",
                        help="write the rows to this CSV file; with - to stdout, in place of the "
                             "lines for people")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--heatmaps", type=output_folder, metavar="DIR",
                        help="write a heat map of each recording to this folder, as PNG")
    add_method_flags(parser, "hirescam", ", the most faithful of the fast ones")
    parser.add_argument("--pictures", type=output_folder, metavar="DIR",
                        help="write the pictures that the network saw to this folder, as JPEG")
    parser.add_argument("--timeline", type=output_folder, metavar="DIR",
                        help="write who speaks when to this folder, as CSV and RTTM")
    add_jobs(parser)
    parser.add_argument("--min-confidence", type=fraction, metavar="P",
                        help="label a recording uncertain below this confidence (default: the "
                             "confidence that the model promises)")
    parser.add_argument("--partial", choices=("answer", "uncertain", "refuse"),
                        default="uncertain",
                        help="what to say of a recording of which less than nine tenths could be "
                             "decoded (%(default)s)")
    add_scale_flags(parser, "FILE")


def run(args: argparse.Namespace) -> int | None:
    """Label the recordings; 1 if some of them could not be read."""
    from voxsight.base.parallel.processes import prepare_process

    prepare_process()
    if all(map(os.path.isfile, args.paths)):  # folders are mostly worth workers, which decode
        from voxsight.sound.decoding.process import start_ahead

        start_ahead()
    from voxsight.base.streams import STDOUT
    from voxsight.base.tables import is_formula

    csv = _csv(args)
    rows, failed, formulas = [], False, 0
    for prediction in _predictions(args, csv):
        failed = failed or bool(prediction.error)
        formulas += is_formula(prediction.path)
        if args.json:
            rows.append(prediction.to_row())
        if prediction.error or not (args.json or csv == STDOUT):
            print_prediction(prediction)
        else:
            warn_of_missing(prediction)
    if args.json:
        print(json.dumps(rows, indent=1))
    if csv and formulas:
        report(f"{csv}: {formulas} paths begin as formulas do; let a spreadsheet import that "
               "column as text, or name these recordings with ./ in front")
    return 1 if failed else 0


def _csv(args: argparse.Namespace) -> str | None:
    """Where the table goes, if it may go there."""
    from voxsight.base import streams
    from voxsight.errors import UsageError
    from voxsight.sound.folders import check_is_no_recording

    if args.csv is None:
        return None
    if streams.is_stdout(args.csv):
        if args.json:
            raise UsageError(f"--csv {args.csv} --json: found two tables for stdout, expected one; "
                             "write the CSV to a file")
        return streams.STDOUT
    if not streams.is_stream(args.csv):
        check_is_no_recording(args.csv, "--csv")
        for folder in filter(None, (args.heatmaps, args.pictures, args.timeline)):
            if os.path.realpath(folder) == os.path.realpath(args.csv):
                raise UsageError(f"--csv {args.csv}: found the folder of other results, expected "
                                 "a file to write; name another")
    return args.csv


def _predictions(args: argparse.Namespace, csv: str | None) -> "Iterator[Prediction]":
    """Predictions as they come; what is left out of folders is told on stderr."""
    from voxsight.answer.batch import predict_all
    from voxsight.base.parallel.shards import Shard
    from voxsight.sound.folders import left_out_line, told

    def tell(found: "Found") -> None:
        if line := left_out_line(found.folder, found.left_out):
            report(line)

    with told(tell):
        yield from predict_all(
            args.paths, args.model, writers=_writers(args), csv=csv, jobs=args.jobs,
            min_confidence=args.min_confidence, partial=args.partial, dask=args.dask,
            shard=args.shard and Shard(*args.shard), quiet=args.quiet)


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
        writers.append(_heat_maps(args))
    elif args.method or args.layer:
        from voxsight.errors import UsageError

        raise UsageError("--method, --layer: found no --heatmaps, expected the folder for the heat "
                         "maps that they choose; add --heatmaps DIR")
    return writers


def _heat_maps(args: argparse.Namespace) -> "Writer":
    from voxsight.explanation.heat_maps import HeatMaps
    from voxsight.explanation.methods import SHIPPED, Method

    return HeatMaps(args.heatmaps, Method.named(args.method or SHIPPED.name, args.layer))
