"""Turn the recordings of a corpus into MFC pictures with a manifest and maps.

Run it again after an interruption: what is done is not redone.
"""

from voxsight.commands.runner import add_scale_flags, amount, count, parse_size, report


def configure(parser):
    parser.add_argument("source", metavar="SOURCE", help="folder or CSV of the corpus")
    parser.add_argument("--corpus", required=True,
                        choices=["audiomnist", "librispeech", "csv", "folder", "unlabelled"],
                        help="layout of SOURCE; unlabelled is a CSV without gender, of use to "
                             "train_model.py --teacher")
    parser.add_argument("--recipe", default="voxsight", choices=["voxsight", "audiomnist"],
                        help="how pictures are made (%(default)s)")
    parser.add_argument("--out", default="mfc_dataset",
                        help="folder for pictures, or a URL that fsspec knows (%(default)s)")
    parser.add_argument("--maps", default="maps", help="folder for the maps (%(default)s)")
    parser.add_argument("--subset", help="LibriSpeech subset, or a CSV's corpus")
    parser.add_argument("--speakers", type=count, help="only so many speakers")
    parser.add_argument("--per-speaker", type=count, help="only so many recordings of each")
    parser.add_argument("--jobs", type=count, help="processes; all cores by default")
    parser.add_argument("--size", type=parse_size, metavar="HxW",
                        help="pixels of the pictures; the recipe's by default")
    parser.add_argument("--augment", type=amount, default=0.0, metavar="FRACTION",
                        help="share of recordings whose windows also get an altered copy: "
                             "another pitch, noise, a room, a microphone, a telephone "
                             "(%(default)s); above 1, several copies of each")
    parser.add_argument("--teacher", choices=["resemblyzer"],
                        help="encoder that hears the voice of each picture, for "
                             "train_model.py --teacher")
    add_scale_flags(parser, "OUT")


def run(args):
    from voxsight.parallel import prepare_process

    prepare_process()
    import dataclasses
    from pathlib import Path

    from voxsight.convert import convert
    from voxsight.corpora import read_corpus
    from voxsight.recipes import RECIPES
    from voxsight.shards import Shard

    recipe = RECIPES[args.recipe]
    if args.size:
        recipe = dataclasses.replace(recipe, height=args.size[0], width=args.size[1])
    utterances = read_corpus(args.source, args.corpus, subset=args.subset,
                             speakers=args.speakers, per_speaker=args.per_speaker)
    source = Path(args.source)
    root = source.parent if source.is_file() else source
    done = convert(utterances, recipe, args.out, args.maps, root=root,
                   altered_copies=args.augment, teacher=args.teacher, jobs=args.jobs,
                   dask=args.dask, shard=args.shard and Shard(*args.shard), quiet=args.quiet)
    for failure in done.failures:
        report(failure)
    print(f"{args.out}: {done.pictures} pictures; {done.recordings} recordings converted, "
          f"{done.already_done} done before, {len(done.failures)} failed")
    return 1 if done.failures else 0
