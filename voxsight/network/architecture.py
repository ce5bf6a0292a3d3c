"""The ResNet as torch modules, under torchvision's names."""

import os
from collections.abc import Mapping

import numpy as np
import torch
import torchvision
from torch import nn
from torchvision.models.resnet import BasicBlock

from voxsight.corpora.utterance import LABELS
from voxsight.errors import UsageError
from voxsight.network.folder import Architecture, load_weights

STAGES = ("conv1", "layer1", "layer2", "layer3", "layer4", "fc")
_FEATURES = 512  # channels of the last stage, of ResNet-18 and ResNet-34
_STAGE_OF_CHILD = {0: "conv1", 1: "bn1", 4: "layer1", 5: "layer2", 6: "layer3", 7: "layer4"}


class Network(nn.Module):
    """torchvision's ResNet, preceded by the normalisation of its pictures.

    Parameters
    ----------
    architecture : Architecture

    Attributes
    ----------
    resnet : torchvision.models.ResNet
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.resnet = getattr(torchvision.models, architecture.name)(num_classes=len(LABELS))
        _set_stride(self.resnet.layer4[0], architecture.last_stride)
        self.register_buffer("mean", _per_channel(architecture.mean))
        self.register_buffer("std", _per_channel(architecture.std))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Logits, shape (n, 2), of pictures in [0, 255], shape (n, 3, height, width)."""
        return self.resnet((pictures / 255 - self.mean) / self.std)


def load_network(folder: str | os.PathLike, architecture: Architecture) -> Network:
    """Network with the weights of a model folder, in evaluation mode.

    Parameters
    ----------
    folder : str or os.PathLike
        A model folder or a safetensors file.
    architecture : Architecture
        As the folder's config says.

    Returns
    -------
    Network

    Raises
    ------
    UsageError
        If the folder holds no weights.
    """
    network = Network(architecture)
    state = {name: torch.from_numpy(values) for name, values in load_weights(folder).items()}
    network.resnet.load_state_dict(state, strict=False)  # batch counters are not stored
    return network.eval()


def as_batch(pictures: np.ndarray) -> torch.Tensor:
    """The input of `Network` for pictures of shape (n, height, width, 3)."""
    return torch.tensor(pictures, dtype=torch.float32).permute(0, 3, 1, 2)


def load_into(model: nn.Module, tensors: Mapping[str, np.ndarray]) -> None:
    """Load tensors under torchvision's names into a learner's model.

    The final layer keeps its values if its shape differs (ImageNet has 1000 classes).

    Parameters
    ----------
    model : torch.nn.Module
        ``[body, head]``, as `make_learner` builds it.
    tensors : dict of str to np.ndarray

    Raises
    ------
    UsageError
        If the tensors belong to another network.
    """
    matching, unmatched = {}, []
    for key, current in model.state_dict().items():
        name = _torchvision_name(key)
        if name in tensors and tensors[name].shape == tuple(current.shape):
            matching[key] = torch.from_numpy(np.array(tensors[name]))
        elif not name.startswith("fc.") and not name.endswith("num_batches_tracked"):
            unmatched.append(name)
    # A smaller network would take the first layers of each stage of a larger one.
    names = {_torchvision_name(key) for key in model.state_dict()}
    unmatched += sorted(name for name in set(tensors) - names if not name.startswith("fc."))
    if unmatched:
        raise UsageError(f"--weights: found no matching tensor {unmatched[0]} ({len(unmatched)} "
                         "missing, too many or of another shape), expected those of the network "
                         "of --arch; name weights of the same architecture")
    model.load_state_dict(matching, strict=False)


def torchvision_state(model: nn.Module) -> dict[str, np.ndarray]:
    """Tensors of a learner's model under torchvision's names.

    Batch counters are left out, and so are the outputs that learnt from a teacher.

    Parameters
    ----------
    model : torch.nn.Module
        ``[body, head]``, as `make_learner` builds it.

    Returns
    -------
    dict of str to np.ndarray
    """
    state = {_torchvision_name(key): tensor.detach().cpu().numpy()
             for key, tensor in model.state_dict().items()
             if not key.endswith("num_batches_tracked")}
    return state | {name: state[name][: len(LABELS)] for name in ("fc.weight", "fc.bias")}


def linear_head(outputs: int) -> nn.Sequential:
    """Average pooling and one linear layer, for which class maps are exact."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(_FEATURES, outputs))


def set_last_stride(body: nn.Sequential, stride: int) -> None:
    """Give the last stage of a body another stride; with 1 its maps are twice as fine."""
    last_stage = body[7]
    assert isinstance(last_stage, nn.Sequential)
    _set_stride(last_stage[0], stride)


def _set_stride(block: nn.Module, stride: int) -> None:
    """Set the stride of the first block of a stage, in its convolution and its shortcut."""
    assert isinstance(block, BasicBlock) and isinstance(block.downsample, nn.Sequential)
    for convolution in (block.conv1, block.downsample[0]):
        assert isinstance(convolution, nn.Conv2d)
        convolution.stride = (stride, stride)


def _per_channel(values: tuple[float, float, float]) -> torch.Tensor:
    return torch.tensor(values)[:, None, None]


def _torchvision_name(key: str) -> str:
    """torchvision's name of a learner's parameter.

    >>> _torchvision_name("0.4.0.conv1.weight"), _torchvision_name("1.2.bias")
    ('layer1.0.conv1.weight', 'fc.bias')
    """
    part, index, rest = key.split(".", 2)
    return f"fc.{rest}" if part == "1" else f"{_STAGE_OF_CHILD[int(index)]}.{rest}"
