"""Tell speakers apart: models of known speakers, same or different, and clusters.

A SOURCE is a corpus CSV (path,speaker,gender), or KIND:PATH or KIND:PATH:SUBSET with KIND
audiomnist, librispeech, csv or folder.
"""

import json
import shlex

from voxsight.commands.runner import add_encoder_flags, amount, count, encoder_options


def configure(parser):
    parser.add_argument("sources", nargs="+", metavar="CORPUS_CSV", help="labelled recordings")
    parser.add_argument("--features", default="resemblyzer",
                        choices=["wav2vec2", "resemblyzer", "ecapa", "mfcc"])
    parser.add_argument("--chunk", type=amount, default=2.0, metavar="SECONDS",
                        help="length of the pieces of speech (%(default)s)")
    parser.add_argument("--subset", help="of a LibriSpeech corpus, such as dev-clean")
    parser.add_argument("--speakers", type=count, help="so many speakers, drawn")
    parser.add_argument("--balanced", action="store_true", help="as many of each gender")
    add_encoder_flags(parser)
    parser.add_argument("--out", default="results/speakers", help="results (%(default)s)")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--json", action="store_true", help="figures as JSON on stdout")


def run(args):
    from pathlib import Path

    from voxsight.corpora import draw_speakers, read_sources
    from voxsight.speaker_report import classify_speakers

    sources = args.sources
    if args.subset:
        sources = [f"{source}:{args.subset}" for source in sources]
    utterances = read_sources(sources)
    if args.speakers or args.balanced:
        utterances = draw_speakers(utterances, args.speakers, args.balanced, args.seed)
    options = encoder_options(args)
    found = classify_speakers(utterances, args.features, args.out, chunk_s=args.chunk,
                              folder=args.embeddings, options=options, seed=args.seed,
                              command=shlex.join(args.command_line), quiet=args.quiet)
    print(json.dumps(found) if args.json else (Path(args.out) / "report.md").read_text())
