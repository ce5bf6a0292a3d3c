"""Download AudioMNIST or a subset of LibriSpeech, check it and unpack it.

Run it again after an interruption: it resumes where it stopped.
"""

import argparse

from voxsight.commands.arguments import output_folder
from voxsight.corpora import PUBLIC_CORPORA


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("corpus", choices=PUBLIC_CORPORA)
    parser.add_argument("--subset", default="dev-clean", metavar="NAME",
                        help="subset of LibriSpeech (%(default)s)")
    parser.add_argument("--out", default="corpora", type=output_folder, metavar="DIR",
                        help="folder to unpack into (%(default)s)")
    parser.add_argument("--site", metavar="URL", help="mirror to download from")


def run(args: argparse.Namespace) -> int | None:
    """Download the corpus and print where it is."""
    from voxsight.corpora.download import download_corpus, find_archive

    archive = find_archive(args.corpus, args.subset, args.site)
    print(download_corpus(archive, args.out, quiet=args.quiet))
    return None
