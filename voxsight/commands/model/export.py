"""Export a model: as one ONNX file, a fastai learner, or a Hugging Face folder."""

import argparse

from voxsight.commands.arguments import add_model
from voxsight.network import EXPORT_KINDS


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_model(parser)
    parser.add_argument("--to", choices=EXPORT_KINDS, default="onnx",
                        help="form of the export (%(default)s)")
    parser.add_argument("--out", metavar="PATH",
                        help="file (onnx) or folder to write (default: beside the model)")


def run(args: argparse.Namespace) -> int | None:
    """Export the model and print where it is."""
    from voxsight.base.streams import is_stdout
    from voxsight.network.export import export

    out = export(args.model, args.to, args.out)
    if not is_stdout(out):
        print(out)
    return None
