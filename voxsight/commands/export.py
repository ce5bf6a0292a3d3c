"""Write a model for use elsewhere: one ONNX file, a fastai learner, or a Hugging Face folder."""

KINDS = ("onnx", "fastai", "huggingface")


def configure(parser):
    parser.add_argument("model", metavar="MODEL", help="model folder")
    parser.add_argument("--to", choices=KINDS, default="onnx", help="(%(default)s)")
    parser.add_argument("--out", metavar="PATH",
                        help="file (onnx) or folder; beside the model by default")


def run(args):
    from voxsight.export import export

    print(export(args.model, args.to, args.out))
