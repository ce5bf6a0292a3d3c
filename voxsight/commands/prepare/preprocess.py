"""Convert the recordings of a corpus to MFC pictures with a manifest and maps.

Run it again after an interruption: finished recordings are not converted again.
"""

import argparse

from voxsight.commands.arguments import (
    add_jobs,
    add_scale_flags,
    non_negative,
    output_folder,
    parse_size,
    positive_integer,
)
from voxsight.commands.output import report
from voxsight.corpora import KINDS
from voxsight.encoders import TEACHERS
from voxsight.pictures import RECIPE_NAMES


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("source", metavar="SOURCE", help="folder or CSV of the corpus")
    parser.add_argument("--corpus", required=True, choices=KINDS,
                        help="layout of SOURCE; unlabelled is a CSV without gender, for "
                             "train_model.py --teacher")
    parser.add_argument("--recipe", default="voxsight", choices=RECIPE_NAMES,
                        help="settings of the pictures (%(default)s)")
    parser.add_argument("--out", default="mfc_dataset", type=output_folder, metavar="DIR",
                        help="folder for the pictures, or a URL that fsspec supports (%(default)s)")
    parser.add_argument("--maps", default="maps", type=output_folder, metavar="DIR",
                        help="folder for the maps (%(default)s)")
    parser.add_argument("--subset", metavar="NAME",
                        help="LibriSpeech subset, or a value of the column corpus of a CSV")
    parser.add_argument("--speakers", type=positive_integer, metavar="N",
                        help="use only so many speakers")
    parser.add_argument("--per-speaker", type=positive_integer, metavar="N",
                        help="use only so many recordings of each speaker")
    add_jobs(parser)
    parser.add_argument("--size", type=parse_size, metavar="HxW",
                        help="size of the pictures in pixels (default: the recipe's)")
    parser.add_argument("--augment", type=non_negative, default=0.0, metavar="FRACTION",
                        help="fraction of the recordings whose windows also get an altered copy: "
                             "with another pitch, noise, a room, a microphone, a telephone; above "
                             "1, several copies of each (%(default)s)")
    parser.add_argument("--teacher", choices=TEACHERS,
                        help="also store this encoder's embedding of the voice in each picture, "
                             "for train_model.py --teacher")
    add_scale_flags(parser, "OUT")


def run(args: argparse.Namespace) -> int | None:
    """Convert the corpus; 1 if some recordings could not be converted."""
    from voxsight.base.parallel.processes import prepare_process

    prepare_process()
    import dataclasses
    from collections import Counter
    from pathlib import Path

    from voxsight.base.parallel.shards import Shard
    from voxsight.corpora.reading import read_corpus
    from voxsight.errors import RecordingError
    from voxsight.pictures.conversion import convert
    from voxsight.pictures.recipe import RECIPES
    from voxsight.sound.folders import Found, left_out_line, told

    recipe = RECIPES[args.recipe]
    if args.size:
        recipe = dataclasses.replace(recipe, height=args.size[0], width=args.size[1])
    left_out: Counter[str] = Counter()
    unread: list[RecordingError] = []

    def tell(found: Found) -> None:
        left_out.update(found.left_out)
        unread.extend(found.unread)
        for error in found.unread:
            report(error)

    with told(tell):
        utterances = read_corpus(args.source, args.corpus, subset=args.subset,
                                 speakers=args.speakers, per_speaker=args.per_speaker)
    # A published corpus has texts and tables of its own among its recordings.
    if args.corpus == "folder" and (line := left_out_line(args.source, left_out)):
        report(line)
    source = Path(args.source)
    root = source.parent if source.is_file() else source
    done = convert(utterances, recipe, args.out, args.maps, root=root,
                   altered_copies=args.augment, teacher=args.teacher, jobs=args.jobs,
                   dask=args.dask, shard=args.shard and Shard(*args.shard), quiet=args.quiet)
    for failure in done.failures:
        report(failure)
    failed = len(unread) + len(done.failures)
    print(f"{args.out}: {done.pictures} pictures; {done.recordings} recordings converted, "
          f"{done.already_done} done before, {failed} failed")
    return 1 if failed else 0
