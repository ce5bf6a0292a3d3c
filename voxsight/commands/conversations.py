"""Measure timelines on conversations built from labelled recordings, noise and music.

A SOURCE is KIND:PATH or KIND:PATH:SUBSET, as for measure_robustness.py.
"""

import shlex

from voxsight.commands.runner import amount, count


def configure(parser):
    parser.add_argument("model", metavar="MODEL", help="model folder")
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help="labelled recordings")
    parser.add_argument("--noise", required=True, metavar="DIR", help="music and noise")
    parser.add_argument("--minutes", type=amount, default=30.0, help="length (%(default)s)")
    parser.add_argument("--without", metavar="SPEAKER", default="",
                        help="build a second one without this speaker")
    parser.add_argument("--seeds", type=count, default=1, help="conversations of each kind")
    parser.add_argument("--out", default="results/conversations", help="results (%(default)s)")
    parser.add_argument("--json", action="store_true", help="same as without: JSON on stdout")


def run(args):
    from voxsight.parallel import prepare_process

    prepare_process()
    from voxsight.conversations import measure, write_measured
    from voxsight.corpora import read_sources

    utterances = read_sources(args.sources)
    casts = {"everyone": utterances}
    if args.without:
        casts[f"without {args.without}"] = [u for u in utterances if u.speaker != args.without]
    measured = {f"{name}, seed {seed}": measure(cast, args.noise, args.model, args.minutes, seed)
                for name, cast in casts.items() for seed in range(args.seeds)}
    print(write_measured(measured, args.out, shlex.join(args.command_line)))
