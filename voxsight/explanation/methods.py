"""Methods that make attribution maps: which part of a picture speaks for a label.

A map is made in one of three ways:

1. By a graph of the model folder, without torch, for the two methods of `GRAPH_METHODS`.
2. By pytorch-grad-cam from the gradients of the network (`cam_maps`), for every other class
   activation map.
3. By occlusion (`Explainer.occlusion`): a band of the picture is hidden, and the log-odds fall
   by what the band contributed.
"""

import dataclasses
import importlib.util
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from voxsight.answer.picture_model import PictureModel
from voxsight.answer.prediction import WindowPrediction
from voxsight.corpora.utterance import LABELS
from voxsight.errors import UsageError
from voxsight.explanation import CAMS, DEFAULT_LAYERS, LAYERS, METHODS, OCCLUSIONS
from voxsight.explanation.maps import grad_cam, speaking_for

if TYPE_CHECKING:
    from voxsight.network.architecture import Network

_BATCH = 64  # pictures given to the network at once

_TITLES = {"gradcam": "Grad-CAM", "hirescam": "HiResCAM", "layercam": "LayerCAM",
           "occlusion-rows": "Occlusion of rows", "occlusion-frames": "Occlusion of frames"}

Probability = Callable[[np.ndarray], np.ndarray]  # pictures to the probability of a label


@dataclasses.dataclass(frozen=True)
class Method:
    """A method that makes attribution maps.

    Attributes
    ----------
    name : str
        One of `METHODS`: Grad-CAM (Selvaraju et al., 2017), HiResCAM (Draelos and Carin, 2020),
        LayerCAM (Jiang et al., 2021), or occlusion (Zeiler and Fergus, 2014) of one row, which
        is a coefficient or band, or of one frame at a time.
    layer : str
        One of `LAYERS`: stage of the network whose feature maps are weighted. Occlusion ignores
        it.

    Raises
    ------
    UsageError
        If there is no such method or layer.

    Examples
    --------
    >>> str(Method("hirescam", "layer1")), str(Method("occlusion-rows"))
    ('hirescam layer1', 'occlusion-rows')
    """

    name: str = "gradcam"
    layer: str = "layer4"

    def __post_init__(self) -> None:
        if self.name not in METHODS:
            raise UsageError(f"--method {self.name}: expected one of {', '.join(METHODS)}")
        if self.layer not in LAYERS:
            raise UsageError(f"--layer {self.layer}: expected one of {', '.join(LAYERS)}")

    @classmethod
    def named(cls, name: str, layer: str | None = None) -> "Method":
        """A method at a layer, by default at the one that serves it best."""
        return cls(name, layer or DEFAULT_LAYERS.get(name, LAYERS[-1]))

    @property
    def title(self) -> str:
        """Name for people, with the layer, such as ``HiResCAM, layer1``."""
        if self.name in CAMS:
            return f"{_TITLES[self.name]}, {self.layer}"
        return _TITLES[self.name]

    def check_installed(self) -> None:
        """Raise UsageError if the method needs a package that is not installed."""
        if self.name in OCCLUSIONS or self in GRAPH_METHODS:
            return
        without = " or ".join(f"--method {method.name} --layer {method.layer}"
                              for method in GRAPH_METHODS)
        check_installed(f"--method {self.name} --layer {self.layer}",
                        f", or choose {without} or occlusion, which need no more than this")

    def __str__(self) -> str:
        return f"{self.name} {self.layer}" if self.name in CAMS else self.name


GRAD_CAM = Method()
SHIPPED = Method("hirescam", "layer1")  # the most faithful method in docs/explanations.md
GRAPH_METHODS = (GRAD_CAM, SHIPPED)


class Explainer:
    """Makes attribution maps of the pictures of a picture model.

    Parameters
    ----------
    model : PictureModel
        The model. Its weights are loaded into torch for methods that need gradients.
    network : Network, optional
        Network that is explained instead of the model's own, such as a randomised one.

    Attributes
    ----------
    model : PictureModel
    """

    def __init__(self, model: PictureModel, network: "Network | None" = None) -> None:
        self.model, self._network = model, network
        # The graphs of the folder belong to the model's own network.
        self._graph_methods = GRAPH_METHODS if network is None else ()

    @property
    def network(self) -> "Network":
        """The network as a torch module, loaded when it is first used."""
        if self._network is None:
            from voxsight.network.architecture import load_network

            self._network = load_network(self.model.folder.path, self.model.config.architecture)
        return self._network

    def log_odds(self, pictures: np.ndarray) -> np.ndarray:
        """Calibrated log-odds of female.

        Parameters
        ----------
        pictures : np.ndarray [shape=(n, height, width, 3), uint8]

        Returns
        -------
        np.ndarray [shape=(n,)]
        """
        return self.model.config.calibration.calibrated_log_odds(self._raw_log_odds(pictures))

    def p_label(self, label: str) -> Probability:
        """The function from pictures to the calibrated probability of a label.

        Parameters
        ----------
        label : {"female", "male"}

        Returns
        -------
        callable
            Pictures [shape=(n, height, width, 3), uint8] to probabilities [shape=(n,)].
        """
        def probability(pictures: np.ndarray) -> np.ndarray:
            p_female = self.model.config.calibration.p_female(self._raw_log_odds(pictures))
            return p_female if label == LABELS[0] else 1 - p_female

        return probability

    def maps(self, pictures: np.ndarray, labels: Sequence[str],
             method: Method = GRAD_CAM) -> np.ndarray:
        """Attribution map of each picture for a label, in the resolution of the method.

        Parameters
        ----------
        pictures : np.ndarray [shape=(n, height, width, 3), uint8]
        labels : sequence of {"female", "male"} [shape=(n,)]
        method : Method

        Returns
        -------
        np.ndarray [shape=(n, h, w)]
            Not negative.
        """
        if method.name in OCCLUSIONS:
            return self._occlusion_maps(pictures, labels, method)
        if method in self._graph_methods:
            return self._graph_maps(pictures, labels, method)
        return cam_maps(self.network, pictures, labels, method)

    def window_maps(self, windows: Sequence[WindowPrediction], label: str,
                    method: Method = GRAD_CAM) -> np.ndarray:
        """Attribution maps of windows for one label, as `maps` returns them.

        Grad-CAM uses the class maps that the network gave with the predictions.

        Parameters
        ----------
        windows : sequence of WindowPrediction [shape=(n,)]
            With their pictures.
        label : {"female", "male"}
        method : Method

        Returns
        -------
        np.ndarray [shape=(n, h, w)]
            Not negative.
        """
        class_maps = [window.class_maps for window in windows if window.class_maps is not None]
        if (method == GRAD_CAM and method in self._graph_methods
                and len(class_maps) == len(windows)):
            return speaking_for(label, grad_cam(np.stack(class_maps)))
        pictures = np.stack([window.picture for window in windows if window.picture is not None])
        return self.maps(pictures, [label] * len(windows), method)

    def occlusion(self, picture: np.ndarray, label: str, bands: int, axis: int) -> np.ndarray:
        """By how much the log-odds of a label fall when a band of a picture is hidden.

        Parameters
        ----------
        picture : np.ndarray [shape=(height, width, 3), uint8]
        label : {"female", "male"}
        bands : int
            Number of bands that the picture is cut into.
        axis : int
            0 for bands of rows, 1 for bands of columns.

        Returns
        -------
        np.ndarray [shape=(bands,)]
            In calibrated log-odds; negative where the band speaks against the label.
        """
        edges = np.linspace(0, picture.shape[axis], bands + 1).round().astype(int)
        versions = np.repeat(picture[None], bands + 1, axis=0)  # the last one stays whole
        hidden = mean_colour(picture)
        for version, start, end in zip(versions, edges[:-1], edges[1:]):
            if axis == 0:
                version[start:end] = hidden
            else:
                version[:, start:end] = hidden
        log_odds = self.log_odds(versions)
        sign = 1 if label == LABELS[0] else -1
        return sign * (log_odds[-1] - log_odds[:-1])

    def _occlusion_maps(self, pictures: np.ndarray, labels: Sequence[str],
                        method: Method) -> np.ndarray:
        recipe = self.model.config.recipe
        if method.name == "occlusion-rows":
            drops = [self.occlusion(picture, label, recipe.n_mfcc, axis=0)[:, None]
                     for picture, label in zip(pictures, labels)]
        else:
            drops = [self.occlusion(picture, label, recipe.frames, axis=1)[None, :]
                     for picture, label in zip(pictures, labels)]
        return np.maximum(drops, 0)

    def _graph_maps(self, pictures: np.ndarray, labels: Sequence[str],
                    method: Method) -> np.ndarray:
        if method == GRAD_CAM:
            signed_maps = grad_cam(self.model.run(pictures)[1])
        else:
            signed_maps = self.model.attribution_maps(pictures)
        return np.stack([speaking_for(label, signed_map)
                         for signed_map, label in zip(signed_maps, labels)])

    def _raw_log_odds(self, pictures: np.ndarray) -> np.ndarray:
        """Log-odds of female before calibration, shape (n,)."""
        batches = [self._logits(pictures[i: i + _BATCH])
                   for i in range(0, len(pictures), _BATCH)]
        logits = np.concatenate(batches).astype(float)
        return logits[:, 0] - logits[:, 1]

    def _logits(self, pictures: np.ndarray) -> np.ndarray:
        if self._graph_methods:
            return self.model.run(pictures)[0]
        import torch

        from voxsight.network.architecture import as_batch

        with torch.inference_mode():
            return self.network(as_batch(pictures)).numpy()


def cam_maps(network: "Network", pictures: np.ndarray, labels: Sequence[str],
             method: Method) -> np.ndarray:
    """Class activation maps by pytorch-grad-cam, before it scales them.

    Parameters
    ----------
    network : Network
    pictures : np.ndarray [shape=(n, height, width, 3), uint8]
    labels : sequence of {"female", "male"} [shape=(n,)]
    method : Method
        One of `CAMS`, at any layer.

    Returns
    -------
    np.ndarray [shape=(n, h, w)]
        Not negative.
    """
    import pytorch_grad_cam

    from voxsight.network.architecture import as_batch

    layer = getattr(network.resnet, method.layer)[-1]
    targets = [_female_log_odds if label == LABELS[0] else _male_log_odds for label in labels]
    with getattr(pytorch_grad_cam, CAMS[method.name])(network, [layer]) as cam:
        batch = as_batch(pictures)
        cam(batch, targets)
        hooks = cam.activations_and_grads
        raw = cam.get_cam_image(batch, layer, targets, hooks.activations[0].numpy(),
                                hooks.gradients[0].numpy(), False)
    return np.maximum(raw, 0)


def check_installed(flags: str, otherwise: str = "") -> None:
    """Raise UsageError if torch or pytorch-grad-cam is missing, before anything is computed.

    Parameters
    ----------
    flags : str
        What needs them.
    otherwise : str
        End of the message: what to do without them.
    """
    for package in ("torch", "pytorch_grad_cam"):
        if importlib.util.find_spec(package) is None:
            raise UsageError(f"{flags}: found no package {package}, expected it for the gradients "
                             f"of the network; run: pip install 'voxsight[train,explain]'"
                             f"{otherwise}")


def mean_colour(picture: np.ndarray) -> np.ndarray:
    """Mean of each channel, which hides a part of a picture.

    Parameters
    ----------
    picture : np.ndarray [shape=(height, width, 3), uint8]

    Returns
    -------
    np.ndarray [shape=(3,), uint8]
    """
    return picture.reshape(-1, picture.shape[-1]).mean(axis=0).round().astype(np.uint8)


def _female_log_odds(logits: Any) -> Any:
    return logits[0] - logits[1]


def _male_log_odds(logits: Any) -> Any:
    return logits[1] - logits[0]
