"""Where the network looked: signed evidence turned into maps of a picture's size."""

import numpy as np

from voxsight.checkpoint import LABELS
from voxsight.resizing import resize_matrix


def grad_cam(maps):
    """Grad-CAM of the last feature maps for the log-odds of female, with its sign.

    With a linear head after global average pooling the gradient of a logit with respect
    to a feature map is the head's weight over the number of cells, so that Grad-CAM
    (Selvaraju et al., 2017) is the class map over that number. Of two logits only the
    difference matters to the answer.

    Parameters
    ----------
    maps : np.ndarray [shape=(n, 2, h, w)]
        class maps, female first

    Returns
    -------
    np.ndarray [shape=(n, h, w)]
        positive where the picture speaks for female; comparable between windows
    """
    return (maps[:, 0] - maps[:, 1]) / (maps.shape[-2] * maps.shape[-1])


def speaking_for(label, evidence):
    """What speaks for a label in signed evidence, an array of any shape; not negative.

    Examples
    --------
    >>> speaking_for("male", np.array([2.0, -3.0])).tolist()
    [0.0, 3.0]
    """
    return np.maximum(evidence if label == LABELS[0] else -evidence, 0)


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
    """Maps divided by their common maximum, in [0, 1]; zeros stay zeros.

    Examples
    --------
    >>> scaled(np.array([[1.0, 4.0]])).tolist()
    [[0.25, 1.0]]
    """
    return heat / max(float(heat.max()), 1e-7)
