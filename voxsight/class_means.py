"""Mean maps of the pictures of each label: what is typical, where one map shows one voice."""

import functools
from collections import Counter
from pathlib import Path

import numpy as np

from voxsight import files, mfc
from voxsight.attribution import Explainer, Method
from voxsight.checkpoint import LABELS
from voxsight.display import save_class_means
from voxsight.explanation import enlarge
from voxsight.parallel import ordered_map, progress
from voxsight.prediction import BATCH, PictureModel


def class_means(model, pictures, *, method=Method(), jobs=None, quiet=False):
    """Mean map of the pictures of each label, for that label.

    Each map is divided by its maximum first, so that every picture counts alike.

    Parameters
    ----------
    model : str or os.PathLike
        model folder
    pictures : list of datasets.Picture
    method : attribution.Method
    jobs : int, optional
        processes; the cores available by default
    quiet : bool
        no progress bar

    Returns
    -------
    dict of str to dict
        per label ``n``, ``mean_map`` [shape=(height, width)], and its profiles ``rows``
        [shape=(height,)] and ``columns`` [shape=(width,)]

    Raises
    ------
    UsageError
        if the model cannot be loaded
    """
    labelled = [p for p in pictures if p.gender in LABELS]
    batches = [labelled[i: i + BATCH] for i in range(0, len(labelled), BATCH)]
    results = ordered_map(functools.partial(_summer, str(model), method), batches, jobs)
    sums, counts = Counter(), Counter()
    for own in progress(results, len(batches), desc="class means", unit="batch", quiet=quiet):
        for label, (total, n) in own.items():
            sums[label] = sums[label] + total
            counts[label] += n
    return {label: _profiles(sums[label] / counts[label], counts[label])
            for label in LABELS if counts[label]}


def write_class_means(means, out, recipe, about=None):
    """Store mean maps and draw them.

    Writes ``<label>_cams.json``, with `about` in it, and ``class_means.png``.

    Parameters
    ----------
    means : dict
        as `class_means` gives it
    out : str or os.PathLike
    recipe : recipes.Recipe
    about : dict, optional
        such as the method and the command
    """
    for label, mean in means.items():
        rounded = {key: np.round(value, 5).tolist() for key, value in mean.items()}
        files.write_json(Path(out) / f"{label}_cams.json", rounded | (about or {}), indent=None)
    save_class_means(Path(out) / "class_means.png", means, recipe)


def _summer(model, method):
    return functools.partial(_sums, explainer=Explainer(PictureModel(model)),
                             method=method)


def _sums(batch, *, explainer, method):
    """Sum of the maps of each label, each of maximum 1, and how many they are."""
    size = explainer.model.config.architecture.size
    shown = np.stack([mfc.decode(p.path, size) for p in batch])
    heat = explainer.maps(shown, [p.gender for p in batch], method)
    heat = enlarge(heat / np.maximum(heat.max(axis=(1, 2), keepdims=True), 1e-7), size)
    own = {label: [i for i, p in enumerate(batch) if p.gender == label] for label in LABELS}
    return {label: (heat[places].sum(axis=0), len(places)) for label, places in own.items()}


def _profiles(mean_map, n):
    return {"n": n, "mean_map": mean_map, "rows": mean_map.mean(axis=1),
            "columns": mean_map.mean(axis=0)}
