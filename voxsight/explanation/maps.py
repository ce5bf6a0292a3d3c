"""Attribution maps: their sign, scale and size."""

import numpy as np

from voxsight.corpora.utterance import LABELS
from voxsight.pictures.resizing import resize_matrix


def grad_cam(class_maps: np.ndarray) -> np.ndarray:
    """Grad-CAM of the last feature maps for the log-odds of female, with its sign.

    With a linear head after global average pooling the gradient of a logit with respect to a
    feature map is the head's weight over the number of cells. Grad-CAM (Selvaraju et al.,
    "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", 2017)
    is therefore the class map over that number. Only the difference of the two logits matters
    to the prediction.

    Parameters
    ----------
    class_maps : np.ndarray [shape=(n, 2, h, w)]
        Class maps of the network, female first.

    Returns
    -------
    np.ndarray [shape=(n, h, w)]
        Positive where the picture speaks for female; comparable between windows.

    Examples
    --------
    >>> grad_cam(np.array([[[[4.0, 0.0]], [[0.0, 2.0]]]])).tolist()
    [[[2.0, -1.0]]]
    """
    n_cells = class_maps.shape[-2] * class_maps.shape[-1]
    return (class_maps[:, 0] - class_maps[:, 1]) / n_cells


def speaking_for(label: str, signed_map: np.ndarray) -> np.ndarray:
    """The part of a signed map that speaks for a label.

    Parameters
    ----------
    label : {"female", "male"}
        The label.
    signed_map : np.ndarray
        Positive for female, of any shape.

    Returns
    -------
    np.ndarray
        Of the same shape, not negative.

    Examples
    --------
    >>> speaking_for("male", np.array([2.0, -3.0])).tolist()
    [0.0, 3.0]
    """
    return np.maximum(signed_map if label == LABELS[0] else -signed_map, 0)


def enlarge(heat: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Maps enlarged to the size of their pictures, linearly between cell centres.

    Parameters
    ----------
    heat : np.ndarray [shape=(n, h, w)]
        Maps.
    size : (int, int)
        Height and width of the pictures, pixels.

    Returns
    -------
    np.ndarray [shape=(n, height, width)]
    """
    rows = resize_matrix(heat.shape[1], size[0], "clamp")
    columns = resize_matrix(heat.shape[2], size[1], "clamp")
    return rows @ heat @ columns.T


def scaled(heat: np.ndarray) -> np.ndarray:
    """Maps divided by their common maximum.

    Parameters
    ----------
    heat : np.ndarray [shape=(n, h, w)]
        Maps that are not negative.

    Returns
    -------
    np.ndarray [shape=(n, h, w)]
        In [0, 1]; maps of zeros stay zeros.

    Examples
    --------
    >>> scaled(np.array([[1.0, 4.0]])).tolist()
    [[0.25, 1.0]]
    """
    return heat / max(float(heat.max()), 1e-7)
