"""Embed the speech of recordings, train a feed-forward net on that, draw it, and predict.

A SOURCE is a corpus CSV, or KIND:PATH or KIND:PATH:SUBSET with KIND audiomnist, librispeech,
csv or folder; with --stage predict, a recording or a folder of recordings.
"""

import shlex

from voxsight.commands.runner import add_encoder_flags, encoder_options, report, share


def configure(parser):
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help="labelled recordings")
    parser.add_argument("--stage", default="all",
                        choices=["all", "embed", "train", "plot", "predict"],
                        help="one stage; all but predict by default")
    parser.add_argument("--encoder", default="resemblyzer",
                        choices=["resemblyzer", "ecapa", "wav2vec2"])
    add_encoder_flags(parser)
    parser.add_argument("--test", nargs="+", default=[], metavar="SOURCE",
                        help="other recordings to test on; a share of the speakers without")
    parser.add_argument("--out", default="results/embeddings", help="results (%(default)s)")
    parser.add_argument("--split", default="speaker", metavar="speaker|random|...")
    parser.add_argument("--valid", type=share, default=0.15, help="share that validates")
    parser.add_argument("--test-share", type=share, default=0.25, help="share that tests")
    parser.add_argument("--seed", type=int, default=42)


def run(args):
    from voxsight.embedding_stages import STAGES, Stages

    options = encoder_options(args)
    stages = Stages(args.encoder, options, args.embeddings, args.out, args.quiet)
    if args.stage == "predict":
        return _predict(stages, args)
    return _run(stages, args, STAGES if args.stage == "all" else (args.stage,))


def _run(stages, args, wanted):
    from voxsight import embedding_stages
    from voxsight.corpora import read_sources

    utterances, test = read_sources(args.sources), read_sources(args.test)
    failures = []
    if "embed" in wanted:
        utterances, failures = embedding_stages.embed(stages, utterances)
        test, more = embedding_stages.embed(stages, test)
        failures += more
        print(f"{args.embeddings}/{args.encoder}.jsonl and .parquet: "
              f"{len(utterances) + len(test)} recordings")
    if "train" in wanted:
        print(embedding_stages.train(
            stages, utterances, test, rule=args.split, valid=args.valid,
            test_share=args.test_share, seed=args.seed, command=shlex.join(args.command_line)))
    if "plot" in wanted:
        embedding_stages.plot(stages, utterances + test)
        print(f"{args.out}/{stages.classifier}/projection.png and .html")
    for failure in failures:
        report(failure)
    return 1 if failures else 0


def _predict(stages, args):
    from voxsight.commands.deploy import print_row
    from voxsight.deployment import deploy

    predictions = []
    for prediction in deploy(args.sources, stages.model, quiet=args.quiet):
        predictions.append(prediction)
        print_row(prediction)
    return 1 if any(prediction.error for prediction in predictions) else 0
