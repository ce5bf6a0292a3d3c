"""Fine-tune a ResNet on a dataset of MFC pictures: first the head, then all layers.

The split is by speaker unless another is named; the result says how many speakers both sides
share. Writes weights (safetensors), an ONNX graph, config, card and history. Under `torchrun`
the processes share every batch.
"""

import argparse
import json
from collections.abc import Mapping
from typing import Any

from voxsight.commands.arguments import (
    add_seed,
    fraction,
    non_negative,
    non_negative_integer,
    output_folder,
    parse_size,
    part,
    positive,
    positive_integer,
)
from voxsight.encoders import TEACHERS
from voxsight.network import ARCHITECTURES


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("dataset", metavar="DATASET", help="folder of pictures")
    parser.add_argument("--out", default="models/mine", type=output_folder, metavar="DIR",
                        help="model folder to write (%(default)s)")
    parser.add_argument("--arch", default="resnet34", choices=ARCHITECTURES,
                        help="architecture of the network (%(default)s)")
    parser.add_argument("--weights", default="imagenet", metavar="imagenet|none|PATH",
                        help="initial weights; PATH is a safetensors file or a model folder "
                             "(%(default)s)")
    parser.add_argument("--split", default="speaker", metavar="speaker|random|fold:K|...",
                        help="what validates (%(default)s); also chapter, fold:K/N and paper:K")
    parser.add_argument("--valid", type=part, default=0.2, metavar="FRACTION",
                        help="fraction of the speakers held out for validation (%(default)s)")
    add_seed(parser)
    parser.add_argument("--head-epochs", type=non_negative_integer, default=2, metavar="N",
                        help="epochs with the body frozen (%(default)s)")
    parser.add_argument("--epochs", type=non_negative_integer, default=1, metavar="N",
                        help="epochs of all layers (%(default)s)")
    parser.add_argument("--lr", type=positive, metavar="RATE", help="highest learning rate (2e-3)")
    parser.add_argument("--batch", type=positive_integer, default=64, metavar="N",
                        help="pictures per step, of all processes together (%(default)s)")
    parser.add_argument("--size", type=parse_size, metavar="HxW",
                        help="size in pixels that the network sees (default: the pictures' own)")
    parser.add_argument("--augment", type=fraction, default=0.0, metavar="FRACTION",
                        help="fraction of the pictures with a stretch of time and rows masked "
                             "(%(default)s)")
    parser.add_argument("--row-jitter", type=non_negative, default=0.0, metavar="STRENGTH",
                        help="random gain and offset of each cepstral coefficient, so that few "
                             "speakers are not memorised; 1 is usual (%(default)s)")
    parser.add_argument("--teacher", choices=TEACHERS,
                        help="speaker encoder whose embeddings the network also learns; they are "
                             "stored in embeddings/")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")


def run(args: argparse.Namespace) -> int | None:
    """Train and print the figures of the validation side."""
    from voxsight.pictures.dataset import read_dataset

    read_dataset(args.dataset)  # reports a missing dataset before torch takes its seconds
    from voxsight.network.fine_tuning import TrainConfig
    from voxsight.network.training import train

    fields = TrainConfig.__dataclass_fields__
    config = TrainConfig(**{name: getattr(args, name) for name in fields})
    model = train(args.dataset, args.out, config, argv=args.command_line, quiet=args.quiet)
    if model is None:  # only the first of several processes prints
        return None
    if args.json:
        print(json.dumps({"figures": model.figures, "training": model.training}))
        return None
    print(f"{args.out}: {model.training['shared_speakers']}, {model.figures['n']} validation "
          f"recordings of {model.figures['n_speakers']} speakers")
    print_figures(model.figures)
    if start := model.training.get("start"):
        print(gain_in_words(args.weights, start))
    return None


def gain_in_words(weights: str, start: Mapping[str, Any]) -> str:
    """What a training gained on the validation speakers, and whether that is significant.

    Parameters
    ----------
    weights : str
        The model that the training started from.
    start : dict
        As `metrics.figures.uar_gain` returns it, and ``speakers_known``: how many of the
        speakers that model was trained on.

    Returns
    -------
    str

    Examples
    --------
    >>> gain_in_words("a", {"before": 0.9, "after": 0.95, "value": 0.05, "low": -0.02,
    ...                     "high": 0.1, "speakers_known": 0})
    'a has UAR 0.900 on the same recordings, this model 0.950: +0.050 (-0.020 to +0.100). The \
interval holds 0: no gain is shown.'
    """
    if start["value"] is None:
        return f"{weights}: no gain can be told, since one label is missing among them"
    if start["low"] > 0:
        verdict = "This is a gain."
    elif start["high"] < 0:
        verdict = "This is a loss."
    else:
        verdict = "The interval holds 0: no gain is shown."
    if known := start["speakers_known"]:
        verdict += f" It was trained on {known} of these speakers, which flatters it."
    return (f"{weights} has UAR {start['before']:.3f} on the same recordings, this model "
            f"{start['after']:.3f}: {start['value']:+.3f} ({start['low']:+.3f} to "
            f"{start['high']:+.3f}). {verdict}")


def print_figures(figures: Mapping[str, Any]) -> None:
    """Print one line for each figure, with its interval."""
    from voxsight.base.tables import as_text

    for name, figure in figures.items():
        if isinstance(figure, dict):
            value, low, high = (as_text(figure[key]) for key in ("value", "low", "high"))
            print(f"{name:18} {value}  ({low} to {high})")
