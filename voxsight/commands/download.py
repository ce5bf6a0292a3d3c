"""Fetch AudioMNIST or a subset of LibriSpeech, check it and unpack it.

Run it again after an interruption: it goes on where it stopped.
"""


def configure(parser):
    parser.add_argument("corpus", choices=["audiomnist", "librispeech"])
    parser.add_argument("--subset", default="dev-clean", help="of LibriSpeech (%(default)s)")
    parser.add_argument("--out", default="corpora", metavar="DIR",
                        help="folder to unpack into (%(default)s)")
    parser.add_argument("--site", metavar="URL", help="a mirror to fetch from")


def run(args):
    from voxsight.download import download_corpus, find_archive

    archive = find_archive(args.corpus, args.subset, args.site)
    print(download_corpus(archive, args.out, quiet=args.quiet))
