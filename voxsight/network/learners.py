"""Learners as fastai's users know them: ``learner(dataloaders(FOLDER)).fine_tune(1)``."""

import os
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torchvision
from fastai.callback.core import Callback
from fastai.callback.schedule import fine_tune, fit_one_cycle, lr_find  # noqa: F401  of Learner
from fastai.data.core import DataLoaders
from fastai.data.transforms import Normalize
from fastai.learner import Learner
from fastai.metrics import accuracy
from fastai.vision.learner import vision_learner
from fastcore.basics import listify

from voxsight.corpora import splits
from voxsight.corpora.utterance import LABELS, UNLABELLED
from voxsight.errors import UsageError
from voxsight.network import ARCHITECTURES
from voxsight.network.architecture import linear_head, load_into, set_last_stride
from voxsight.network.folder import Architecture
from voxsight.network.toolkit.blocks import loaders
from voxsight.network.toolkit.callbacks import History, Teacher, faster
from voxsight.network.toolkit.losses import LabelLoss
from voxsight.network.weights import initial_weights
from voxsight.pictures.dataset import (
    altered_copies_of,
    in_one_list,
    read_dataset,
    split_pictures,
)


def dataloaders(folder: str | os.PathLike, *, split: str = "speaker", valid: float = 0.2,
                seed: int = 42, size: tuple[int, int] | None = None, batch: int = 64,
                augment: float = 0.0, row_jitter: float = 0.0) -> DataLoaders:
    """fastai's loaders of a folder of pictures, no speaker on both sides.

    Parameters
    ----------
    folder : str or os.PathLike
        As ``preprocess_wavs.py`` writes it. Pictures without a label are left out.
    split, valid, seed
        As `rule`, `valid` and `seed` of `splits.split`.
    size : (int, int), optional
        Height and width that the network sees, pixels (default: those of the pictures).
    batch : int
        Pictures in a batch.
    augment, row_jitter : float
        As of `TrainConfig`.

    Returns
    -------
    fastai.data.core.DataLoaders
        Its items are `Picture`, its labels ``female`` and ``male``.

    Raises
    ------
    UsageError
        If the folder or the split cannot be used.
    """
    pictures, recipe = read_dataset(folder)
    splits.check_labels([p.speaker for p in pictures], [p.gender for p in pictures], "pictures")
    labelled = [p for p in pictures if p.gender != UNLABELLED]
    training, validating = split_pictures(labelled, split, valid, seed)
    dls = loaders(*in_one_list(training, validating), size, batch=batch, augment=augment,
                  row_jitter=row_jitter, recipe=recipe)
    # For `save_learner`:
    dls.recipe, sources = recipe, {p.source for p in validating}
    dls.altered = altered_copies_of(labelled, sources)
    dls.settings = {"split": split, "valid": valid, "seed": seed, "size": size, "batch": batch,
                    "augment": augment, "row_jitter": row_jitter}
    return dls


def learner(dls: DataLoaders, arch: str | Callable[..., Any] = "resnet34",
            weights: str | os.PathLike | None = "imagenet", *,
            cbs: Callback | Iterable[Callback] = (), quiet: bool = False,
            **kwargs: Any) -> Learner:
    """fastai's ``vision_learner`` with this project's network, loss and labels.

    Parameters
    ----------
    dls : fastai.data.core.DataLoaders
        Of `dataloaders`, or of a `DataBlock` with `MFCBlock` or fastai's ``ImageBlock``, and
        `LabelBlock` or fastai's ``CategoryBlock``. ImageNet's normalisation is added to it if it
        has none.
    arch : {"resnet34", "resnet18"}
        Or torchvision's function of this name.
    weights : str, os.PathLike or None
        What to start from: ``imagenet``, ``none``, a safetensors file or a model folder.
    cbs : Callback or iterable of Callback
        With a `Teacher` the network has its further outputs.
    quiet : bool
        No progress bar of a download.
    **kwargs
        Go to ``vision_learner``.

    Returns
    -------
    fastai.learner.Learner
        Its model is ``[body, head]``; the head is average pooling and one linear layer, for which
        class maps are exact.

    Raises
    ------
    UsageError
        If the labels are others, or the weights cannot be downloaded or read.
    """
    arch = getattr(arch, "__name__", arch)
    weights = "none" if weights is None else weights
    if arch not in ARCHITECTURES:
        raise UsageError(f"found the architecture {arch!r}, expected one of "
                         f"{', '.join(ARCHITECTURES)}")
    females = _fraction_of_females(dls)
    if not any(isinstance(step, Normalize) for step in dls.after_batch.fs):
        # fastai's vision_learner does so only if it loads the weights itself.
        dls.add_tfms([Normalize.from_stats(Architecture.mean, Architecture.std)], "after_batch")
    cbs = listify(cbs)
    outputs = len(LABELS) + sum(cb.size for cb in cbs if isinstance(cb, Teacher))
    settings: dict[str, Any] = {"metrics": [accuracy], "loss_func": LabelLoss(females)} | kwargs
    learn = vision_learner(
        dls, getattr(torchvision.models, arch), normalize=False, n_out=outputs, pretrained=False,
        custom_head=linear_head(outputs), cbs=[*faster(), History(), *cbs], **settings)
    set_last_stride(learn.model[0], Architecture.last_stride)
    if weights != "none":
        load_into(learn.model, initial_weights(weights, arch, quiet=quiet))
    learn.weights = os.fspath(weights)
    return learn


def _fraction_of_females(dls: DataLoaders) -> float:
    """Of the training targets, those without a label left out."""
    if list(dls.vocab) != list(LABELS):
        raise UsageError(f"found the labels {', '.join(map(str, dls.vocab))}, expected "
                         f"{', '.join(LABELS)} in this order; name them with LabelBlock or "
                         f"CategoryBlock(vocab={list(LABELS)})")
    males = np.array([float(target.flatten()[0]) for target in dls.train_ds.tls[1]], np.float32)
    females = float(np.nanmean(1 - males)) if np.isfinite(males).any() else 0.0
    if females in (0.0, 1.0):
        raise UsageError("found training pictures of one label only, expected female and male; "
                         "split them otherwise")
    return females
