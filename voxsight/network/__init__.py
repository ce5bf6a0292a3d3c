"""The picture network: its training, its ONNX graphs, and the folder that it is stored in."""

ARCHITECTURES = ("resnet34", "resnet18")
EXPORT_KINDS = ("onnx", "fastai", "huggingface")  # forms that a model can be exported in
