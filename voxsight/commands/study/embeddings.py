"""Embed the speech of recordings, train a feed-forward net on that, draw it, and predict.

With --stage predict, a SOURCE is a recording or a folder of recordings.
"""

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from voxsight.commands.arguments import (
    add_encoder_flags,
    add_out,
    add_seed,
    add_sources,
    encoder_options,
    part,
)
from voxsight.commands.output import report
from voxsight.encoders import NETWORKS

if TYPE_CHECKING:
    from voxsight.corpora.utterance import Utterance
    from voxsight.errors import RecordingError
    from voxsight.studies.embeddings import EmbeddingSettings

STAGES = ("embed", "train", "plot")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_sources(parser)
    parser.add_argument("--stage", default="all", choices=["all", *STAGES, "predict"],
                        help="run one stage (default: all but predict)")
    parser.add_argument("--encoder", default="resemblyzer", choices=NETWORKS,
                        help="speaker encoder (%(default)s)")
    add_encoder_flags(parser)
    parser.add_argument("--test", nargs="+", default=[], metavar="SOURCE",
                        help="other recordings to test on (default: some of the speakers)")
    add_out(parser, "results/embeddings")
    parser.add_argument("--split", default="speaker", metavar="speaker|random|...",
                        help="what validates, and without --test what is tested on (%(default)s)")
    parser.add_argument("--valid", type=part, default=0.15, metavar="FRACTION",
                        help="fraction that validates (%(default)s)")
    parser.add_argument("--test-share", type=part, default=0.25, metavar="FRACTION",
                        help="fraction to test on, without --test (%(default)s)")
    add_seed(parser)


def run(args: argparse.Namespace) -> int | None:
    """Run the stages; 1 if some recordings hold no speech or could not be read."""
    classifier = f"fnn-{args.encoder}"
    if args.stage == "predict":
        return _predict(args, Path(args.out) / classifier / "model")
    from voxsight.corpora.reading import read_sources
    from voxsight.studies.embeddings import EmbeddingSettings, embed_spoken

    stages = STAGES if args.stage == "all" else (args.stage,)
    settings = EmbeddingSettings(args.encoder, encoder_options(args), args.embeddings, args.quiet)
    utterances, test = read_sources(args.sources), read_sources(args.test)
    failures: Sequence[RecordingError] = []
    if "embed" in stages:
        spoken, failures = embed_spoken(settings, utterances + test)
        paths = {u.path for u in spoken}
        utterances, test = ([u for u in side if u.path in paths] for side in (utterances, test))
        print(f"{args.embeddings}/{args.encoder}.jsonl and .parquet: {len(spoken)} recordings")
    if "train" in stages:
        print(_train(args, classifier, utterances, test))
    if "plot" in stages:
        _plot(args, classifier, settings, utterances + test)
        print(f"{args.out}/{classifier}/projection.png and .html")
    for failure in failures:
        report(failure)
    return 1 if failures else 0


def _train(args: argparse.Namespace, classifier: str, utterances: "Sequence[Utterance]",
           test: "Sequence[Utterance]") -> str:
    """Fit and measure the classifier; the board as Markdown."""
    from voxsight.classifiers import Options
    from voxsight.evaluation.comparison.leaderboard import write_leaderboard
    from voxsight.evaluation.comparison.measurement import compare
    from voxsight.evaluation.comparison.plan import make_plan

    command = shlex.join(args.command_line)
    plan = make_plan(utterances, test, rule=args.split, valid=args.valid,
                     test_share=args.test_share, seed=args.seed, cache=None, quiet=args.quiet)
    options = Options(encoder=encoder_options(args), embeddings=args.embeddings, quiet=args.quiet)
    compare(plan, [classifier], args.out, options, command=command, quiet=args.quiet)
    return write_leaderboard(args.out, plan, {}, command)


def _plot(args: argparse.Namespace, classifier: str, settings: "EmbeddingSettings",
          utterances: "Sequence[Utterance]") -> None:
    """Draw the embeddings, and the mistakes of the classifier if it was trained."""
    from voxsight.evaluation.labelled import stored_predictions
    from voxsight.evaluation.mistakes import draw_mistakes, mistakes_in_common
    from voxsight.studies.embeddings import draw_embeddings

    folder = Path(args.out) / classifier
    stored = folder / "predictions.csv"
    predictions = (stored_predictions(stored) or []) if stored.is_file() else []
    if predictions:
        mistakes_in_common(predictions, folder, quiet=args.quiet)
        draw_mistakes(folder / "mistakes", quiet=args.quiet)
    mistakes = {prediction.path for prediction in predictions if prediction.is_mistake}
    draw_embeddings(settings, utterances, folder, mistakes)


def _predict(args: argparse.Namespace, model: Path) -> int:
    from voxsight.answer.batch import predict_all
    from voxsight.commands.output import print_predictions

    return print_predictions(predict_all(args.sources, model, quiet=args.quiet))
