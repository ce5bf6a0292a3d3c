"""The picture network of a model folder as a torch module, for what needs gradients."""

import torch
import torchvision
from torch import nn

from voxsight.checkpoint import LABELS, load_weights

STAGES = ("conv1", "layer1", "layer2", "layer3", "layer4", "fc")


class Network(nn.Module):
    """torchvision's ResNet behind the normalisation that its graph begins with.

    Parameters
    ----------
    architecture : checkpoint.Architecture

    Attributes
    ----------
    resnet : torchvision.models.ResNet
    """

    def __init__(self, architecture):
        super().__init__()
        self.resnet = getattr(torchvision.models, architecture.name)(num_classes=len(LABELS))
        first = self.resnet.layer4[0]
        first.conv1.stride = first.downsample[0].stride = (architecture.last_stride,) * 2
        for name in ("mean", "std"):
            values = torch.tensor(getattr(architecture, name))[:, None, None]
            self.register_buffer(name, values)

    def forward(self, pictures):
        """Logits, shape (n, 2), of pictures in [0, 255], shape (n, 3, height, width)."""
        return self.resnet((pictures / 255 - self.mean) / self.std)


def load_network(folder, architecture):
    """Network with the weights of a model folder, ready to answer.

    Parameters
    ----------
    folder : str or os.PathLike
    architecture : checkpoint.Architecture
        of the folder's config

    Returns
    -------
    Network

    Raises
    ------
    UsageError
        if the folder holds no weights
    """
    network = Network(architecture)
    state = {name: torch.from_numpy(values) for name, values in load_weights(folder).items()}
    network.resnet.load_state_dict(state, strict=False)  # batch counters are not stored
    return network.eval()


def as_batch(pictures):
    """Pictures, shape (n, height, width, 3), as the network takes them."""
    return torch.tensor(pictures, dtype=torch.float32).permute(0, 3, 1, 2)
