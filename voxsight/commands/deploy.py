"""Say how the voices in recordings would be labelled, and how sure that is.

Labels: female, male, uncertain (the score does not reach the confidence the model
promises), no_speech. A label says how corpora labelled voices like this one.
"""

import json
import sys

from voxsight.commands.runner import add_scale_flags, count, one_line, report, say, share


def configure(parser):
    parser.add_argument("paths", nargs="*", metavar="PATH", default=["my_wavs/"],
                        help="recordings or folders of them (my_wavs/)")
    parser.add_argument("--model", default="models/default", help="model folder (%(default)s)")
    parser.add_argument("--csv", metavar="FILE", help="write the rows to a CSV file")
    parser.add_argument("--json", action="store_true", help="rows as JSON on stdout")
    parser.add_argument("--heatmaps", metavar="DIR", help="a heat map per recording, PNG")
    parser.add_argument("--pictures", metavar="DIR", help="the pictures the network saw, JPEG")
    parser.add_argument("--timeline", metavar="DIR", help="who speaks when, CSV and RTTM")
    parser.add_argument("--jobs", type=count, help="processes; all cores by default")
    parser.add_argument("--min-confidence", type=share, metavar="P",
                        help="answer uncertain below it; by default what the model promises")
    add_scale_flags(parser, "FILE")


def run(args):
    from voxsight.parallel import prepare_process

    prepare_process()
    from voxsight.deployment import Outputs, deploy
    from voxsight.shards import Shard

    kept, failed = [], False
    answers = deploy(args.paths, args.model, csv=args.csv, jobs=args.jobs, quiet=args.quiet,
                     outputs=Outputs(args.heatmaps, args.pictures, args.timeline),
                     min_confidence=args.min_confidence, dask=args.dask,
                     shard=args.shard and Shard(*args.shard))
    for prediction in answers:
        failed = failed or bool(prediction.error)
        kept += [prediction.to_row()] if args.json else []
        if prediction.error or not args.json:
            print_row(prediction)
    if args.json:
        print(json.dumps(kept, indent=1))
    return 1 if failed else 0


def print_row(prediction):
    """One answer on stdout, or one error on stderr."""
    if prediction.error:
        report(f"{prediction.path}: {prediction.error}")
        return
    probability = "" if prediction.p_female is None else f"{prediction.p_female:.3f}"
    say(f"{prediction.label:9}  p_female {probability:5}  speech {prediction.speech_s:6.2f} s"
        f" of {prediction.duration_s:6.2f} s  {one_line(prediction.path)}"
        + (f"  ({prediction.reason})" if prediction.reason else ""), sys.stdout)
