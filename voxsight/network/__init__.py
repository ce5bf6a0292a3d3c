"""The picture network: its training, its ONNX graphs, and the folder that it is stored in."""

import warnings

# fastai calls torch.jit.script, and torch tells every user of fastai that it is deprecated.
warnings.filterwarnings("ignore", "`torch.jit.script", FutureWarning)

ARCHITECTURES = ("resnet34", "resnet18")
EXPORT_KINDS = ("onnx", "fastai", "huggingface")  # forms that a model can be exported in
