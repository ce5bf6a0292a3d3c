"""Mean attribution map of the pictures of each label.

A single map shows one voice; the mean shows what is typical of a label.
"""

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from voxsight import display
from voxsight.answer.picture_model import BATCH, PictureModel
from voxsight.base import files
from voxsight.base.parallel.workers import ordered_map
from voxsight.base.progress import progress
from voxsight.corpora.utterance import LABELS
from voxsight.explanation.maps import enlarge
from voxsight.explanation.methods import GRAD_CAM, Explainer, Method
from voxsight.pictures import jpeg
from voxsight.pictures.dataset import Picture
from voxsight.pictures.recipe import Recipe

Sums = dict[str, tuple[np.ndarray, int]]  # sum and number of the maps of each label


def class_means(model: str | os.PathLike, pictures: Sequence[Picture], *,
                method: Method = GRAD_CAM, jobs: int | None = None,
                quiet: bool = False) -> dict[str, dict[str, Any]]:
    """Mean map of the pictures of each label, for that label.

    Each map is divided by its maximum first, so that every picture has the same weight.

    Parameters
    ----------
    model : str or os.PathLike
        Model folder.
    pictures : sequence of Picture
        Those without a label are ignored.
    method : Method
        Method that makes the maps.
    jobs : int, optional
        Worker processes (default: all cores).
    quiet : bool
        No progress bar.

    Returns
    -------
    dict of str to dict
        Per label ``n`` pictures of ``n_speakers``, ``mean_map`` [shape=(height, width)], and its
        profiles ``rows`` [shape=(height,)] and ``columns`` [shape=(width,)].

    Raises
    ------
    UsageError
        If the model cannot be loaded, or the method needs a package that is not installed.
    """
    method.check_installed()
    labelled = [picture for picture in pictures if picture.gender in LABELS]
    batches = [labelled[i: i + BATCH] for i in range(0, len(labelled), BATCH)]
    results = ordered_map(functools.partial(_summer, str(model), method), batches, jobs)
    totals: dict[str, Any] = dict.fromkeys(LABELS, 0)
    counts = dict.fromkeys(LABELS, 0)
    for sums in progress(results, len(batches), desc="class means", unit="batch", quiet=quiet):
        for label, (total, n) in sums.items():
            totals[label] = totals[label] + total
            counts[label] += n
    speakers = {label: {picture.speaker for picture in labelled if picture.gender == label}
                for label in LABELS}
    return {label: {"n": counts[label], "n_speakers": len(speakers[label]),
                    **_profiles(totals[label] / counts[label])}
            for label in LABELS if counts[label]}


def write_class_means(means: Mapping[str, Mapping[str, Any]], out: str | os.PathLike,
                      recipe: Recipe, metadata: Mapping[str, Any] | None = None, *,
                      method: Method = GRAD_CAM) -> None:
    """Write ``<label>_cams.json`` of each label and draw ``class_means.png``.

    Parameters
    ----------
    means : mapping of str to mapping
        As `class_means` returns them.
    out : str or os.PathLike
        Folder for the files.
    recipe : Recipe
        Of the pictures.
    metadata : mapping, optional
        Stored with each mean map, such as the command.
    method : Method
        Method that made the maps; stored and named in the title.
    """
    stored = {"method": str(method), **(metadata or {})}
    for label, mean in means.items():
        rounded = {key: np.round(value, 5).tolist() for key, value in mean.items()}
        files.write_json(Path(out) / f"{label}_cams.json", rounded | stored,
                         indent=None)
    display.save_class_means(Path(out) / "class_means.png", means, recipe, method.title)


def _summer(model: str, method: Method) -> Callable[[Sequence[Picture]], Sums]:
    return functools.partial(_sums, explainer=Explainer(PictureModel(model)), method=method)


def _sums(batch: Sequence[Picture], *, explainer: Explainer, method: Method) -> Sums:
    """Sum and number of the maps of each label; each map has a maximum of 1."""
    size = explainer.model.config.architecture.size
    pixels = np.stack([jpeg.decode(picture.path, size) for picture in batch])
    heat = explainer.maps(pixels, [picture.gender for picture in batch], method)
    heat = enlarge(heat / np.maximum(heat.max(axis=(1, 2), keepdims=True), 1e-7), size)
    sums = {}
    for label in LABELS:
        members = [i for i, picture in enumerate(batch) if picture.gender == label]
        sums[label] = (heat[members].sum(axis=0), len(members))
    return sums


def _profiles(mean_map: np.ndarray) -> dict[str, Any]:
    return {"mean_map": mean_map, "rows": mean_map.mean(axis=1), "columns": mean_map.mean(axis=0)}
