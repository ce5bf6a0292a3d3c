"""Where the network looked: Grad-CAM, exact for a head that is linear after pooling."""

from collections import Counter

import numpy as np

from voxsight import mfc
from voxsight.checkpoint import LABELS
from voxsight.parallel import progress
from voxsight.prediction import BATCH
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


def class_means(classifier, pictures, *, quiet=False):
    """Mean Grad-CAM of the pictures of each label, for that label.

    Each map is divided by its maximum first, so that every picture counts alike.

    Parameters
    ----------
    classifier : prediction.PictureModel
    pictures : list of datasets.Picture
    quiet : bool
        no progress bar

    Returns
    -------
    dict of str to dict
        per label ``n``, ``mean_map`` [shape=(height, width)], and its profiles ``rows``
        [shape=(height,)] and ``columns`` [shape=(width,)]
    """
    size = classifier.config.architecture.size
    sums, counts = {label: np.zeros(size) for label in LABELS}, Counter()
    batches = [pictures[i: i + BATCH] for i in range(0, len(pictures), BATCH)]
    for batch in progress(batches, len(batches), desc="class means", unit="batch", quiet=quiet):
        _, maps = classifier.run(np.stack([mfc.decode(p.path, size) for p in batch]))
        for label in LABELS:
            own = [i for i, picture in enumerate(batch) if picture.gender == label]
            for heat in enlarge(grad_cam(maps[own], label), size):
                sums[label] += scaled(heat)
            counts[label] += len(own)
    return {label: _profiles(sums[label] / max(counts[label], 1), counts[label])
            for label in LABELS}


def _profiles(mean_map, n):
    return {"n": n, "mean_map": mean_map, "rows": mean_map.mean(axis=1),
            "columns": mean_map.mean(axis=0)}


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
