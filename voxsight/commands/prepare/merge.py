"""Merge what runs of preprocess_wavs.py or deploy_model.py with --shard K/N wrote."""

import argparse

from voxsight.commands.arguments import output_folder


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("out", metavar="OUT",
                        help="the --out, or the --csv, that the shards were given")
    parser.add_argument("--maps", default="maps", type=output_folder, metavar="DIR",
                        help="folder for the maps (%(default)s)")


def run(args: argparse.Namespace) -> int | None:
    """Merge the parts and print how much they hold."""
    from voxsight.base.parallel.shards import merge_tables, parts_of

    if parts_of(args.out)[0].is_file():
        from voxsight.answer.prediction import COLUMNS
        from voxsight.sound.folders import check_is_no_recording

        check_is_no_recording(args.out, "OUT")
        merged = f"{merge_tables(args.out, COLUMNS)} rows"
    else:
        from voxsight.pictures.merging import merge_datasets

        merged = f"{merge_datasets(args.out, args.maps, quiet=args.quiet)} pictures"
    print(f"{args.out}: {merged}; {args.out.rstrip('/')}.parts can be removed")
    return None
