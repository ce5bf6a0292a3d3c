"""Show where a model looks, test whether that is true, and try what changes its answer.

INPUT is a folder of pictures (class means: what is typical of each label), or recordings
and folders of them (a heat map each, and what it marks as a WAV). With --faithfulness and
--sensitivity it is KIND:PATH or KIND:PATH:SUBSET, with KIND audiomnist, librispeech, csv or
folder, or the path of a corpus CSV.
"""

import shlex
import sys

from voxsight.commands.runner import count

NAMES = ("gradcam", "hirescam", "layercam", "occlusion-rows", "occlusion-frames")
LAYERS = ("layer1", "layer2", "layer3", "layer4")


def configure(parser):
    parser.add_argument("model", metavar="MODEL", help="model folder")
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="pictures or recordings")
    parser.add_argument("--method", choices=NAMES,
                        help="(gradcam); --faithfulness tests all unless one is named")
    parser.add_argument("--layer", choices=LAYERS, default="layer4",
                        help="stage whose feature maps are weighed (%(default)s)")
    parser.add_argument("--sweeps", action="store_true",
                        help="also change pitch, formants and bands of each recording")
    parser.add_argument("--faithfulness", action="store_true",
                        help="put every method to the test on labelled recordings")
    parser.add_argument("--sensitivity", action="store_true",
                        help="sweeps over labelled recordings, means by gender")
    parser.add_argument("--per-speaker", type=count, metavar="N",
                        help="so many labelled recordings of each speaker")
    parser.add_argument("--into-card", metavar="TITLE",
                        help="put what --sensitivity finds into the model's README.md too")
    parser.add_argument("--out", default="results/explanations", help="results (%(default)s)")
    parser.add_argument("--jobs", type=count, help="processes; all cores by default")


def run(args):
    from voxsight.parallel import prepare_process

    prepare_process()
    from voxsight.checkpoint import load_config
    from voxsight.models import check_shows_pictures

    if not args.sensitivity:
        check_shows_pictures(load_config(args.model), args.model)
    if args.faithfulness or args.sensitivity:
        return _measure(args)
    from voxsight.datasets import is_dataset

    datasets = [path for path in args.inputs if is_dataset(path)]
    for path in datasets:
        _class_means(path, args)
    rest = [path for path in args.inputs if path not in datasets]
    return _inspect(rest, args) if rest else 0


def _measure(args):
    from voxsight.corpora import read_sources

    utterances = read_sources(args.inputs, per_speaker=args.per_speaker)
    about = {"jobs": args.jobs, "quiet": args.quiet}
    command = shlex.join(args.command_line)
    if args.faithfulness:
        from voxsight.explanation_report import METHODS, measure_methods, write_measured

        methods = (_method(args),) if args.method else METHODS
        found = measure_methods(utterances, args.model, methods=methods, **about)
        print(write_measured(found, args.out, command))
    if args.sensitivity:
        from voxsight.sensitivity import measure_sensitivity, write_sensitivity

        text = write_sensitivity(measure_sensitivity(utterances, args.model, **about), args.out,
                                 command)
        print(text)
        if args.into_card:
            from voxsight.checkpoint import find_model
            from voxsight.model_card import put_into_card

            put_into_card(find_model(args.model), args.into_card,
                          f"# Assessment\n\n{text}")
    return 0


def _method(args):
    from voxsight.attribution import Method

    return Method(args.method or NAMES[0], args.layer)


def _class_means(path, args):
    from voxsight.class_means import class_means, write_class_means
    from voxsight.datasets import read_dataset

    pictures, recipe = read_dataset(path)
    pictures = [p for p in pictures if not p.augmentation]
    method = _method(args)
    means = class_means(args.model, pictures, method=method, jobs=args.jobs, quiet=args.quiet)
    write_class_means(means, args.out, recipe, {"method": str(method),
                                                "command": shlex.join(args.command_line)})
    for label, mean in means.items():
        print(f"{args.out}/{label}_cams.json: mean of {mean['n']} maps")
    print(f"{args.out}/class_means.png")


def _inspect(paths, args):
    from voxsight.commands.deploy import print_row
    from voxsight.inspection import inspect

    failed = False
    for prediction in inspect(paths, args.model, args.out, sweeps=args.sweeps,
                              method=_method(args), quiet=args.quiet):
        print_row(prediction)
        failed = failed or bool(prediction.error)
    print(f"{args.out}: a picture and a WAV of what it marks for each recording",
          file=sys.stderr)
    return 1 if failed else 0

