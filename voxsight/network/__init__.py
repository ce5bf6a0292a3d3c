"""The picture network: its training, its ONNX graphs, and the folder that it is stored in.

What users of fastai start from is imported when it is first used: `dataloaders`, `learner`, and
the blocks.
"""

import warnings

import lazy_loader

# fastai calls torch.jit.script, and torch tells every user of fastai that it is deprecated.
warnings.filterwarnings("ignore", "`torch.jit.script", FutureWarning)

ARCHITECTURES = ("resnet34", "resnet18")
EXPORT_KINDS = ("onnx", "fastai", "huggingface")  # forms that a model can be exported in

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
