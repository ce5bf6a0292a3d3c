"""Neural networks on features: dense, and convolutional in one and two dimensions."""

import abc
import math
import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from voxsight.base.files import replacing
from voxsight.classifiers import Classifier, Examples, Options, probabilities, register
from voxsight.features.acoustic import FeatureConfig

if TYPE_CHECKING:
    import torch
    from torch import nn

WEIGHTS = "network.safetensors"
_BATCH = 256  # recordings given to a fitted network at once


class NetworkClassifier(Classifier):
    """A network of PyTorch whose one output is the log-odds of female.

    Attributes
    ----------
    network : torch.nn.Sequential
        Standardisation of the inputs, then what `build` returns.
    """

    epochs, patience, batch, lr, weight_decay = 200, 15, 32, 1e-3, 1e-3

    network: "nn.Sequential"

    @abc.abstractmethod
    def build(self, shape: tuple[int, ...]) -> "nn.Module":
        """The network without its standardisation.

        Parameters
        ----------
        shape : tuple of int
            Shape of the input of one recording.

        Returns
        -------
        torch.nn.Module
        """

    def fit(self, train: Examples, valid: Examples, *, seed: int = 42,
            log_dir: str | os.PathLike | None = None) -> list[dict[str, Any]]:
        """Train with early stopping; see `fit_network`."""
        import torch

        from voxsight.network.fitting import fit_network

        torch.manual_seed(seed)
        x = self._array(train.inputs)
        self.network = _standardised(self.build(x.shape[1:]), x)
        return fit_network(
            self.network, (x, train.is_female), (self._array(valid.inputs), valid.is_female),
            epochs=self.epochs, patience=self.patience, batch=self.batch, lr=self.lr,
            weight_decay=self.weight_decay, seed=seed, log_dir=log_dir)

    def predict_proba(self, inputs: Sequence[Any]) -> np.ndarray:
        """Probabilities of the labels, shape (n, 2)."""
        import torch

        self.network.eval()
        with torch.no_grad():
            x = torch.from_numpy(self._array(inputs))
            log_odds = torch.cat([self.network(part) for part in x.split(_BATCH)])
        return probabilities(torch.sigmoid(log_odds.double()).numpy())

    def save(self, folder: Path) -> list[str]:
        """Write the weights into a folder; the name of their file."""
        from safetensors.torch import save_file

        state = {name: tensor.contiguous() for name, tensor in self.network.state_dict().items()}
        with replacing(folder / WEIGHTS) as temporary:
            save_file(state, temporary)
        return [WEIGHTS]

    @classmethod
    def load(cls, folder: Path, options: Options = Options()) -> Self:
        """A classifier as it was saved."""
        from safetensors.torch import load_file

        self, state = cls(options), load_file(folder / WEIGHTS)
        shape = tuple(state["0.mean"].shape)
        self.network = _standardised(self.build(shape), np.zeros((2, *shape), np.float32))
        self.network.load_state_dict(state)
        return self

    @property
    def parameters(self) -> int:
        """Parameters as Keras counts them, with running means and variances."""
        return sum(tensor.numel() for name, tensor in self.network[1].state_dict().items()
                   if not name.endswith("num_batches_tracked"))

    def _array(self, inputs: Sequence[Any]) -> np.ndarray:
        return np.asarray(inputs, np.float32)


class _OnFrames(NetworkClassifier):
    """A network on the cepstra of a fixed number of frames; missing frames are NaN."""

    inputs = "mfcc"
    fewest = 87  # frames of two seconds, as published; fewer do not fit through the layers

    def _array(self, inputs: Sequence[np.ndarray]) -> np.ndarray:
        frames = max(self.fewest, FeatureConfig(seconds=self.options.seconds).frames)
        padded = np.full((len(inputs), len(inputs[0]), frames), np.nan, np.float32)
        for row, mfcc in zip(padded, inputs):
            row[:, : mfcc.shape[1]] = mfcc
        return padded


@register
class MultilayerPerceptron(NetworkClassifier):
    """Two small dense layers on statistics of the cepstra."""

    name, about = "mlp", "a small neural network on MFCC statistics"

    def build(self, shape: tuple[int, ...]) -> "nn.Module":
        """The network without its standardisation."""
        return _dense([math.prod(shape), 64, 32], dropout=0.3)


@register
class DenseNetwork(NetworkClassifier):
    """Three dense layers on statistics of the spectrum."""

    name, inputs, about = "dnn", "statistics", "a dense network on spectral statistics"

    def build(self, shape: tuple[int, ...]) -> "nn.Module":
        """The network without its standardisation."""
        return _dense([math.prod(shape), 256, 128, 64], dropout=0.4)


@register
class Convolutional1d(_OnFrames):
    """Four convolutions along the cepstra of two seconds as one row of 3,480 numbers."""

    name, about = "cnn1d", "1-D convolutions over 40 MFCCs x 87 frames"

    def build(self, shape: tuple[int, ...]) -> "nn.Module":
        """The network without its standardisation; 449,425 parameters for (40, 87)."""
        from torch import nn

        length = math.prod(shape)
        layers: list[nn.Module] = [nn.Flatten(), nn.Unflatten(1, (1, -1))]
        for inputs, outputs in ((1, 16), (16, 8), (8, 16), (16, 8)):
            layers += [nn.ConstantPad1d((2, 3), 0.0), nn.Conv1d(inputs, outputs, 6), nn.ReLU(),
                       nn.MaxPool1d(2, ceil_mode=True)]
            length = math.ceil(length / 2)
        return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.5), nn.Linear(8 * length, 256),
                             nn.ReLU(), nn.Linear(256, 1), nn.Flatten(0))


@register
class Convolutional2d(_OnFrames):
    """Three convolutions over the cepstra of two seconds as a picture of 40 x 87."""

    name, about = "cnn2d", "2-D convolutions over 40 MFCCs x 87 frames"

    def build(self, shape: tuple[int, ...]) -> "nn.Module":
        """The network without its standardisation; 60,809 parameters for (40, 87)."""
        from torch import nn

        height, width = shape
        layers: list[nn.Module] = [nn.Unflatten(1, (1, -1))]
        for inputs, outputs, size in ((1, 16, 6), (16, 16, 6), (16, 8, 3)):
            layers += [nn.Conv2d(inputs, outputs, size), nn.ReLU(),
                       nn.MaxPool2d(2, ceil_mode=True), nn.BatchNorm2d(outputs)]
            height, width = (math.ceil((side - size + 1) / 2) for side in (height, width))
        return nn.Sequential(*layers, nn.Dropout(0.3), nn.Flatten(),
                             nn.Linear(8 * height * width, 256), nn.ReLU(), nn.Dropout(0.3),
                             nn.Linear(256, 1), nn.Flatten(0))


def _dense(widths: Sequence[int], dropout: float) -> "nn.Module":
    from torch import nn

    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear(widths[-1], 1), nn.Flatten(0))


def _standardised(network: "nn.Module", x: np.ndarray) -> "nn.Sequential":
    """The network preceded by a layer that removes the mean and spread of `x`.

    For frames, mean and spread are those of each coefficient over all frames. What is missing
    (NaN) becomes the mean.
    """
    import torch
    from torch import nn

    class Standardise(nn.Module):
        mean: torch.Tensor
        spread: torch.Tensor

        def __init__(self, mean: np.ndarray, spread: np.ndarray) -> None:
            super().__init__()
            self.register_buffer("mean", torch.from_numpy(mean))
            self.register_buffer("spread", torch.from_numpy(spread))

        def forward(self, values: "torch.Tensor") -> "torch.Tensor":
            return torch.nan_to_num((values - self.mean) / self.spread)

    recordings_and_frames = (0, *range(2, x.ndim))
    shape = x.shape[1:]
    mean = np.broadcast_to(np.nanmean(x, axis=recordings_and_frames, keepdims=True)[0], shape)
    std = np.broadcast_to(np.nanstd(x, axis=recordings_and_frames, keepdims=True)[0] + 1e-6, shape)
    return nn.Sequential(Standardise(mean.astype(np.float32), std.astype(np.float32)), network)
