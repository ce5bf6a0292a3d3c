"""Measure timelines on conversations that are built from labelled recordings, noise and music."""

import argparse
import shlex

from voxsight.commands.arguments import (
    add_model,
    add_out,
    add_sources,
    positive,
    positive_integer,
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_model(parser)
    add_sources(parser)
    parser.add_argument("--noise", required=True, metavar="DIR",
                        help="folder with recordings of music and noise")
    parser.add_argument("--minutes", type=positive, default=30.0,
                        help="length of a conversation in minutes (%(default)s)")
    parser.add_argument("--without", metavar="[CORPUS:]SPEAKER", default="",
                        help="also build conversations without this speaker")
    parser.add_argument("--seeds", type=positive_integer, default=1, metavar="N",
                        help="number of conversations of each kind (%(default)s)")
    add_out(parser, "results/conversations")
    parser.add_argument("--json", action="store_true",
                        help="print the figures as JSON, which is also the default")


def run(args: argparse.Namespace) -> int | None:
    """Build and measure the conversations and print the figures."""
    from voxsight.base.parallel.processes import prepare_process

    prepare_process()
    from voxsight.corpora.reading import read_sources
    from voxsight.corpora.selection import without_speaker
    from voxsight.evaluation.conversations import measure_conversation, write_conversations

    utterances = read_sources(args.sources)
    casts = {"everyone": utterances}
    if args.without:
        casts[f"without {args.without}"] = without_speaker(utterances, args.without)
    measured = {
        f"{name}, seed {seed}": measure_conversation(cast, args.noise, args.model, args.minutes,
                                                     seed)
        for name, cast in casts.items() for seed in range(args.seeds)}
    print(write_conversations(measured, args.out, shlex.join(args.command_line)))
    return None
