"""Which part of a picture speaks for a label: the methods that heat maps can be made by."""

import dataclasses

import numpy as np

from voxsight.checkpoint import LABELS
from voxsight.errors import UsageError
from voxsight.explanation import grad_cam, speaking_for

CAMS = {"gradcam": "GradCAM", "hirescam": "HiResCAM", "layercam": "LayerCAM"}
OCCLUSIONS = ("occlusion-rows", "occlusion-frames")
NAMES = (*CAMS, *OCCLUSIONS)
LAYERS = ("layer1", "layer2", "layer3", "layer4")
_AT_ONCE = 64  # occluded pictures given to the network


@dataclasses.dataclass(frozen=True)
class Method:
    """A way to make maps.

    Attributes
    ----------
    name : str
        one of `NAMES`: Grad-CAM (Selvaraju et al., 2017), HiResCAM (Draelos and Carin,
        2020), LayerCAM (Jiang et al., 2021), or occlusion (Zeiler and Fergus, 2014) of one
        row, a coefficient or band, or of one frame at a time
    layer : str
        stage of the network whose feature maps are weighed; nothing to occlusion
    """

    name: str = "gradcam"
    layer: str = "layer4"

    def __post_init__(self):
        if self.name not in NAMES:
            raise UsageError(f"--method {self.name}: expected one of {', '.join(NAMES)}")
        if self.layer not in LAYERS:
            raise UsageError(f"--layer {self.layer}: expected one of {', '.join(LAYERS)}")

    def __str__(self):
        return f"{self.name} {self.layer}" if self.name in CAMS else self.name



SHIPPED = Method("hirescam", "layer1")  # what docs/explanations.md found to hold best
GRAPHS = (Method(), SHIPPED)  # those that the graphs of a model folder give, without torch
_LOG_ODDS = {LABELS[0]: lambda logits: logits[0] - logits[1],
             LABELS[1]: lambda logits: logits[1] - logits[0]}


class Explainer:
    """Makes maps of a picture model's pictures.

    Parameters
    ----------
    model : prediction.PictureModel
        torch loads its weights for methods that need gradients
    network : network.Network, optional
        asked instead of the model
    """

    def __init__(self, model, network=None):
        self.model = model
        self._network, self._graphs = network, GRAPHS if network is None else ()

    @property
    def network(self):
        """The model as a torch module, loaded when first asked for."""
        if self._network is None:
            from voxsight.network import load_network

            self._network = load_network(self.model.folder, self.model.config.architecture)
        return self._network

    def log_odds(self, pictures):
        """Calibrated log-odds of female, shape (n,)."""
        return self.model.config.calibration.evidence(self._raw_log_odds(pictures))

    def _raw_log_odds(self, pictures):
        parts = [self._logits(pictures[i: i + _AT_ONCE])
                 for i in range(0, len(pictures), _AT_ONCE)]
        logits = np.concatenate(parts).astype(float)
        return logits[:, 0] - logits[:, 1]

    def _logits(self, pictures):
        if self._graphs:
            return self.model.run(pictures)[0]
        import torch

        from voxsight.network import as_batch

        with torch.inference_mode():
            return self.network(as_batch(pictures)).numpy()

    def p_label(self, label):
        """The function from pictures to the calibrated probability of a label."""
        def p_label(pictures):
            p_female = self.model.config.calibration.p_female(self._raw_log_odds(pictures))
            return p_female if label == LABELS[0] else 1 - p_female

        return p_label

    def maps(self, pictures, labels, method=Method()):
        """Evidence for a label over each picture, as coarse as the method gives it.

        Parameters
        ----------
        pictures : np.ndarray [shape=(n, height, width, 3), uint8]
        labels : sequence of {"female", "male"} [shape=(n,)]
        method : Method

        Returns
        -------
        np.ndarray [shape=(n, h, w)]
            not negative
        """
        if method.name in OCCLUSIONS:
            return self._occluded(pictures, labels, method)
        if method not in self._graphs:
            return cam_maps(self.network, pictures, labels, method)
        if method == Method():
            signed = grad_cam(self.model.run(pictures)[1])
        else:
            signed = self.model.evidence(pictures)
        return np.stack([speaking_for(label, own) for own, label in zip(signed, labels)])

    def _occluded(self, pictures, labels, method):
        rows = self.model.config.recipe.n_mfcc
        drops = []
        for picture, label in zip(pictures, labels):
            if method.name == "occlusion-rows":
                drops.append(self.occlusion(picture, label, rows, axis=0)[:, None])
            else:
                frames = self.model.config.recipe.frames
                drops.append(self.occlusion(picture, label, frames, axis=1)[None, :])
        return np.maximum(drops, 0)

    def occlusion(self, picture, label, bands, axis):
        """What hiding each band of a picture takes from the evidence for a label.

        Parameters
        ----------
        picture : np.ndarray [shape=(height, width, 3), uint8]
        label : {"female", "male"}
        bands : int
            how many the picture is cut into
        axis : int
            0 for bands of rows, 1 for bands of columns

        Returns
        -------
        np.ndarray [shape=(bands,)]
            in log-odds; negative where the band spoke against the label
        """
        edges = np.linspace(0, picture.shape[axis], bands + 1).round().astype(int)
        hidden = np.repeat(picture[None], bands + 1, axis=0)
        fill = mean_colour(picture)
        for copy, start, end in zip(hidden, edges[:-1], edges[1:]):
            (copy if axis == 0 else copy.swapaxes(0, 1))[start:end] = fill
        evidence = self.log_odds(hidden)
        sign = 1 if label == LABELS[0] else -1
        return sign * (evidence[-1] - evidence[:-1])


def cam_maps(network, pictures, labels, method):
    """Maps that need gradients, by pytorch-grad-cam, before it scales them.

    Parameters
    ----------
    network : network.Network
    pictures, labels
        as `Explainer.maps` takes them
    method : Method
        a class activation map

    Returns
    -------
    np.ndarray [shape=(n, h, w)]
        not negative
    """
    import pytorch_grad_cam

    from voxsight.network import as_batch

    layer = getattr(network.resnet, method.layer)[-1]
    targets = [_LOG_ODDS[label] for label in labels]
    with getattr(pytorch_grad_cam, CAMS[method.name])(network, [layer]) as cam:
        batch = as_batch(pictures)
        cam(batch, targets)
        hooks = cam.activations_and_grads
        raw = cam.get_cam_image(batch, layer, targets, hooks.activations[0].numpy(),
                                hooks.gradients[0].numpy(), False)
    return np.maximum(raw, 0)


def mean_colour(picture):
    """What stands for nothing in a picture: the mean of each channel, shape (3,), uint8."""
    return picture.reshape(-1, picture.shape[-1]).mean(axis=0).round().astype(np.uint8)
