"""Show where a model looks, test whether that is true, and try what changes its prediction.

INPUT is a folder of pictures, for the mean map of each label; or recordings and folders of
recordings, for a heat map of each and what it marks as a WAV. With --faithfulness and
--sensitivity it names labelled recordings.
"""

import argparse
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from voxsight.commands.arguments import (
    SOURCE,
    add_jobs,
    add_method_flags,
    add_model,
    add_out,
    positive_integer,
)
from voxsight.commands.output import print_prediction, report
from voxsight.explanation import METHODS

if TYPE_CHECKING:
    from voxsight.corpora.utterance import Utterance
    from voxsight.errors import RecordingError
    from voxsight.explanation.methods import Method


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_model(parser)
    parser.add_argument("inputs", nargs="+", metavar="INPUT",
                        help="folder of pictures, recording, folder of recordings, or, with "
                             f"--faithfulness and --sensitivity, {SOURCE}")
    add_method_flags(parser, METHODS[0], "; --faithfulness tests all unless one is named")
    parser.add_argument("--sweeps", action="store_true",
                        help="also change pitch, formants and frequency bands of each recording")
    parser.add_argument("--faithfulness", action="store_true",
                        help="test every method on labelled recordings")
    parser.add_argument("--sensitivity", action="store_true",
                        help="sweeps over labelled recordings, with means by gender")
    parser.add_argument("--per-speaker", type=positive_integer, metavar="N",
                        help="use only so many labelled recordings of each speaker")
    parser.add_argument("--into-card", metavar="TITLE",
                        help="also put the results of --sensitivity into the model's README.md, "
                             "under this title")
    add_out(parser, "results/explanations")
    add_jobs(parser)


def run(args: argparse.Namespace) -> int | None:
    """Explain or measure; 1 if some recordings could not be read."""
    from voxsight.base.parallel.processes import prepare_process

    prepare_process()
    from voxsight.network.folder import ModelFolder

    if not args.sensitivity:
        _ = ModelFolder(args.model).picture_config  # raises before anything is computed
    if args.faithfulness or args.sensitivity:
        return _measure(args)
    from voxsight.pictures.dataset import is_dataset

    datasets = [path for path in args.inputs if is_dataset(path)]
    for path in datasets:
        _class_means(path, args)
    recordings = [path for path in args.inputs if path not in datasets]
    return _inspect(recordings, args) if recordings else 0


def _measure(args: argparse.Namespace) -> int:
    from voxsight.corpora.reading import read_sources

    if args.faithfulness:
        from voxsight.explanation.methods import check_installed

        check_installed("--faithfulness")
    utterances = read_sources(args.inputs, per_speaker=args.per_speaker)
    failures = []
    if args.faithfulness:
        failures += _measure_faithfulness(utterances, args)
    if args.sensitivity:
        failures += _measure_sensitivity(utterances, args)
    for line in dict.fromkeys(map(str, failures)):  # both may name the same recording
        report(line)
    return 1 if failures else 0


def _measure_faithfulness(utterances: "Sequence[Utterance]",
                          args: argparse.Namespace) -> "list[RecordingError]":
    from voxsight.explanation.trials.report import TESTED, measure_methods, write_trials

    measures, failures = measure_methods(
        utterances, args.model, methods=(_method(args),) if args.method else TESTED,
        jobs=args.jobs, quiet=args.quiet)
    print(write_trials(measures, args.out, shlex.join(args.command_line)))
    return failures


def _measure_sensitivity(utterances: "Sequence[Utterance]",
                         args: argparse.Namespace) -> "list[RecordingError]":
    from voxsight.explanation.sensitivity import measure_sensitivity, write_sensitivity

    curves, failures = measure_sensitivity(utterances, args.model, jobs=args.jobs,
                                           quiet=args.quiet)
    text = write_sensitivity(curves, args.out, shlex.join(args.command_line))
    print(text)
    if args.into_card:
        from voxsight.network.card import put_into_card
        from voxsight.network.folder import ModelFolder

        put_into_card(ModelFolder(args.model).path, args.into_card, f"# Assessment\n\n{text}")
    return failures


def _method(args: argparse.Namespace) -> "Method":
    from voxsight.explanation.methods import Method

    return Method.named(args.method or METHODS[0], args.layer)


def _class_means(path: str, args: argparse.Namespace) -> None:
    from voxsight.corpora.utterance import UNLABELLED
    from voxsight.errors import UsageError
    from voxsight.explanation.class_means import class_means, write_class_means
    from voxsight.pictures.dataset import read_dataset

    pictures, recipe = read_dataset(path)
    unaltered = [picture for picture in pictures if not picture.augmentation]
    if all(picture.gender == UNLABELLED for picture in unaltered):
        raise UsageError(f"{path}: found unlabelled pictures only, expected some of female or male "
                         "voices; name another folder")
    method = _method(args)
    means = class_means(args.model, unaltered, method=method, jobs=args.jobs, quiet=args.quiet)
    write_class_means(means, args.out, recipe, {"command": shlex.join(args.command_line)},
                      method=method)
    for label, mean in means.items():
        print(f"{args.out}/{label}_cams.json: mean of {mean['n']} maps")
    print(f"{args.out}/class_means.png")


def _inspect(paths: Sequence[str], args: argparse.Namespace) -> int:
    from voxsight.explanation.inspection import inspect, is_drawn

    failed, drawn = False, 0
    for prediction in inspect(paths, args.model, args.out, sweeps=args.sweeps,
                              method=_method(args), quiet=args.quiet):
        print_prediction(prediction)
        failed, drawn = failed or bool(prediction.error), drawn + is_drawn(prediction)
        if not (prediction.error or is_drawn(prediction)):
            report(f"{prediction.path}: nothing was drawn, since there are only zeros in it")
    if drawn:
        report(f"{args.out}: a picture and a WAV of what it marks for each recording with sound")
    return 1 if failed else 0
