"""Where the network looked: Grad-CAM, exact for a head that is linear after pooling."""

import numpy as np

from voxsight.checkpoint import LABELS
from voxsight.resizing import resize_matrix


def grad_cam(maps, label):
    """Grad-CAM of the last feature maps for a label.

    With a linear head after global average pooling the gradient of a logit with respect
    to a feature map is the head's weight over the number of cells, so that Grad-CAM
    (Selvaraju et al., 2017) is the positive part of the class map over that number.

    Parameters
    ----------
    maps : np.ndarray [shape=(n, 2, h, w)]
        class maps, female first
    label : {"female", "male"}

    Returns
    -------
    np.ndarray [shape=(n, h, w)]
        evidence for the label, not negative; comparable between windows
    """
    cells = maps.shape[-2] * maps.shape[-1]
    return np.maximum(maps[:, LABELS.index(label)] / cells, 0)


def enlarge(heat, size):
    """Maps enlarged to the pixels of their pictures, linearly between cell centres.

    Parameters
    ----------
    heat : np.ndarray [shape=(n, h, w)]
    size : (int, int)
        height and width, pixels

    Returns
    -------
    np.ndarray [shape=(n, height, width)]
    """
    rows = resize_matrix(heat.shape[1], size[0], "clamp")
    columns = resize_matrix(heat.shape[2], size[1], "clamp")
    return rows @ heat @ columns.T


def scaled(heat):
    """Maps divided by their common maximum, in [0, 1]; zeros stay zeros."""
    return heat / max(float(heat.max()), 1e-7)
