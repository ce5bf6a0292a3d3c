"""Fine-tune a ResNet on a dataset of MFC pictures: the head first, then everything.

The split is by speaker unless said otherwise; the result says how many speakers the two
sides share. Writes weights (safetensors), an ONNX graph, config, card and history. Under
`torchrun` the processes share every batch.
"""

import json

from voxsight.commands.runner import amount, count, parse_size, share


def configure(parser):
    parser.add_argument("dataset", metavar="DATASET", help="folder of pictures")
    parser.add_argument("--out", default="models/mine", help="model folder to write (%(default)s)")
    parser.add_argument("--arch", default="resnet34", choices=["resnet34", "resnet18"])
    parser.add_argument("--weights", default="imagenet", metavar="imagenet|none|PATH",
                        help="what to start from; PATH is a safetensors file or a model folder")
    parser.add_argument("--split", default="speaker", metavar="speaker|random|fold:K|...",
                        help="who validates (%(default)s); also chapter, fold:K/N and paper:K")
    parser.add_argument("--valid", type=share, default=0.2, help="share that validates")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--head-epochs", type=int, default=2, help="epochs with the body frozen")
    parser.add_argument("--epochs", type=int, default=1, help="epochs of everything")
    parser.add_argument("--lr", type=float, help="highest learning rate (2e-3)")
    parser.add_argument("--batch", type=count, default=64,
                        help="pictures per step, of all processes together (%(default)s)")
    parser.add_argument("--size", type=parse_size, metavar="HxW",
                        help="pixels that the network sees; the pictures' own by default")
    parser.add_argument("--augment", type=share, default=0.0, metavar="FRACTION",
                        help="share of pictures with a stretch of time and rows masked")
    parser.add_argument("--row-jitter", type=amount, default=0.0, metavar="STRENGTH",
                        help="random gain and offset of each cepstral coefficient, against "
                             "learning few speakers by heart; 1 is usual (%(default)s)")
    parser.add_argument("--teacher", choices=["resemblyzer"],
                        help="speaker encoder whose embeddings are learnt beside the label; "
                             "kept in embeddings/")
    parser.add_argument("--json", action="store_true", help="figures as JSON")


def run(args):
    from voxsight.datasets import read_dataset

    read_dataset(args.dataset)  # a missing dataset is said before torch takes its seconds
    from voxsight.learner import TrainConfig
    from voxsight.training import train

    fields = TrainConfig.__dataclass_fields__
    config = TrainConfig(**{name: getattr(args, name) for name in fields})
    model = train(args.dataset, args.out, config, argv=args.command_line, quiet=args.quiet)
    if model is None:  # the first of several processes says it
        return
    if args.json:
        print(json.dumps({"figures": model.figures, "training": model.training}))
        return
    print(f"{args.out}: {model.training['shared_speakers']}, {model.figures['n']} validation "
          f"recordings of {model.figures['n_speakers']} speakers")
    print_figures(model.figures)
    if start := model.training.get("start"):
        print(gain_in_words(args.weights, start))


def gain_in_words(weights, start):
    """What a training brought on the validation speakers, and whether that is more than chance.

    Examples
    --------
    >>> gain_in_words("a", {"before": 0.9, "after": 0.95, "value": 0.05, "low": -0.02,
    ...                     "high": 0.1, "speakers_known": 0})
    'a has UAR 0.900 on the same recordings, this model 0.950: +0.050 (-0.020 to +0.100). The \
interval holds 0: no gain is shown.'
    """
    if start["value"] is None:
        return f"{weights}: no gain can be told, since one label is missing among them"
    shown = ("a gain" if start["low"] > 0 else "a loss" if start["high"] < 0 else "")
    words = f"This is {shown}." if shown else "The interval holds 0: no gain is shown."
    known = start["speakers_known"]
    if known:
        words += f" It was trained on {known} of these speakers, which flatters it."
    return (f"{weights} has UAR {start['before']:.3f} on the same recordings, this model "
            f"{start['after']:.3f}: {start['value']:+.3f} ({start['low']:+.3f} to "
            f"{start['high']:+.3f}). {words}")


def print_figures(figures):
    """One line per figure on stdout, with its interval."""
    from voxsight.model_card import as_text

    for name, figure in figures.items():
        if isinstance(figure, dict):
            value, low, high = (as_text(figure[key]) for key in ("value", "low", "high"))
            print(f"{name:18} {value}  ({low} to {high})")
