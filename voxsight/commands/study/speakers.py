"""Recognise speakers: models of known speakers, same speaker or different, and clusters."""

import argparse
import json
import shlex
from pathlib import Path

from voxsight.commands.arguments import (
    add_encoder_flags,
    add_out,
    add_seed,
    add_sources,
    encoder_options,
    positive,
    positive_integer,
)
from voxsight.encoders import ENCODERS


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_sources(parser)
    parser.add_argument("--features", default="resemblyzer", choices=list(ENCODERS),
                        help="what describes a voice (%(default)s)")
    parser.add_argument("--chunk", type=positive, default=2.0, metavar="SECONDS",
                        help="length of the pieces that speech is cut into (%(default)s)")
    parser.add_argument("--subset", metavar="NAME",
                        help="subset of a LibriSpeech corpus, such as dev-clean")
    parser.add_argument("--speakers", type=positive_integer, metavar="N",
                        help="use only so many speakers, drawn at random")
    parser.add_argument("--balanced", action="store_true",
                        help="use equally many speakers of each gender")
    add_encoder_flags(parser)
    add_out(parser, "results/speakers")
    add_seed(parser)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")


def run(args: argparse.Namespace) -> int | None:
    """Study the speakers and print the report."""
    from voxsight.corpora.reading import read_sources
    from voxsight.corpora.selection import draw_speakers
    from voxsight.studies.speaker_report import classify_speakers

    sources = args.sources
    if args.subset:
        sources = [f"{source}:{args.subset}" for source in sources]
    utterances = read_sources(sources)
    if args.speakers or args.balanced:
        utterances = draw_speakers(utterances, args.speakers, args.balanced, args.seed)
    figures = classify_speakers(utterances, args.features, args.out, chunk_s=args.chunk,
                                folder=args.embeddings, options=encoder_options(args),
                                seed=args.seed, command=shlex.join(args.command_line),
                                quiet=args.quiet)
    print(json.dumps(figures) if args.json else (Path(args.out) / "report.md").read_text())
    return None
