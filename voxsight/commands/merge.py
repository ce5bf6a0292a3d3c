"""Make one of what the runs of preprocess_wavs.py or deploy_model.py with --shard K/N wrote."""


def configure(parser):
    parser.add_argument("out", metavar="OUT",
                        help="the --out, or the --csv, that the shards were given")
    parser.add_argument("--maps", default="maps", help="folder for the maps (%(default)s)")


def run(args):
    from voxsight.files import location
    from voxsight.shards import merge

    n = merge(args.out, args.maps, quiet=args.quiet)
    what = "rows" if location(args.out).is_file() else "pictures"
    print(f"{args.out}: {n} {what}; {args.out.rstrip('/')}.parts can be removed")
