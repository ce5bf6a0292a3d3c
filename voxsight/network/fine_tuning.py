"""Fine-tuning a ResNet on pictures with fastai: first the head, then everything."""

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from fastai.callback.core import Callback
from fastai.callback.progress import ProgressCallback
from fastai.learner import Learner
from fastai.torch_core import set_seed
from fastcore.basics import noop

from voxsight.errors import UsageError
from voxsight.network.distributed import asked_alone, is_first
from voxsight.network.learners import learner
from voxsight.network.resuming import Epochs
from voxsight.network.toolkit.blocks import loaders
from voxsight.network.toolkit.callbacks import FiniteLosses, ProgressBar, Teacher
from voxsight.pictures.dataset import Picture


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """Settings of a training; the flags of ``train_model.py`` have the same names.

    Attributes
    ----------
    arch : {"resnet34", "resnet18"}
    weights : str
        What to start from: ``imagenet``, ``none``, a safetensors file or a model folder.
    split : str
        Rule of `splits.split`.
    valid : float
        Fraction of the speakers held out for validation.
    seed : int
    head_epochs : int
        Epochs in which only the head is trained.
    epochs : int
        Epochs in which everything is trained, after those.
    lr : float or None
        Highest learning rate (None: 2e-3). Of given weights, earlier layers learn more slowly.
    size : (int, int) or None
        Height and width the network sees, pixels (None: those of the pictures).
    augment : float
        Fraction of the training pictures in which a time and a coefficient band are masked.
    batch : int
        Pictures in a batch.
    row_jitter : float
        Strength of a random gain and offset per coefficient, see `JitterRows`.
    teacher : str or None
        Encoder whose speaker embeddings are learnt beside the label.
    """

    arch: str = "resnet34"
    weights: str = "imagenet"
    split: str = "speaker"
    valid: float = 0.2
    seed: int = 42
    head_epochs: int = 2
    epochs: int = 1
    lr: float | None = None
    size: tuple[int, int] | None = None
    augment: float = 0.0
    batch: int = 64
    row_jitter: float = 0.0
    teacher: str | None = None

    def __post_init__(self) -> None:
        """Raise UsageError if nothing could be learnt with these settings."""
        if min(self.epochs, self.head_epochs) < 0 or not (self.lr is None or self.lr > 0):
            raise UsageError(f"found --epochs {self.epochs}, --head-epochs {self.head_epochs} and "
                             f"--lr {self.lr}, expected no negative epochs and a rate above 0")
        if not self.epochs + self.head_epochs and self.weights in ("imagenet", "none"):
            raise UsageError(f"found no epochs with --weights {self.weights}, expected some, since "
                             "its head knows no labels yet; give --epochs or --head-epochs")


def make_learner(pictures: Sequence[Picture], valid: np.ndarray, size: tuple[int, int],
                 config: TrainConfig, *, embeddings: np.ndarray | None = None,
                 log_dir: str | os.PathLike | None = None, quiet: bool = False) -> Learner:
    """The learner of a training: seeded, and silent on stdout, which is for results.

    Parameters
    ----------
    pictures : list of Picture [shape=(n,)]
    valid : np.ndarray [shape=(m,), int]
        Indices of the pictures that validate.
    size : (int, int)
        Height and width that the network sees, pixels.
    config : TrainConfig
    embeddings : np.ndarray [shape=(n, d), float32], optional
        A teacher's embedding of the voice behind each picture. The network then also learns to
        predict it, with further outputs that are not saved.
    log_dir : str or os.PathLike, optional
        Folder for TensorBoard's events.
    quiet : bool
        No progress bar.

    Returns
    -------
    fastai.learner.Learner
        Its model is ``[body, head]``; the head is average pooling and one linear layer.

    Raises
    ------
    UsageError
        If the weights cannot be downloaded or read.
    """
    set_seed(config.seed, reproducible=True)
    dls = loaders(pictures, valid, size, batch=config.batch, augment=config.augment,
                  row_jitter=config.row_jitter, embeddings=embeddings)
    teacher = [] if embeddings is None else [Teacher(embeddings.shape[1])]
    learn = learner(dls, config.arch, config.weights, quiet=quiet,
                    cbs=[*teacher, *_callbacks(log_dir, quiet)])
    learn.remove_cb(ProgressCallback)
    learn.logger = _silent
    return learn


def fit(learn: Learner, config: TrainConfig, epochs: Epochs | None = None) -> list[dict[str, Any]]:
    """Train the head with the body frozen, then everything.

    Parameters
    ----------
    learn : fastai.learner.Learner
    config : TrainConfig
    epochs : Epochs, optional
        Stores the state after each epoch, and knows which epochs are finished.

    Returns
    -------
    list of dict
        A row per epoch: ``epoch, phase, train_loss, valid_loss, accuracy``.

    Raises
    ------
    UsageError
        At the first epoch whose loss is NaN or infinite.
    """
    lr = config.lr or 2e-3
    # Pretrained filters change less the earlier they are. Without them all layers learn alike.
    rates = lr if config.weights == "none" else slice(lr / 100, lr / 2)
    epochs = epochs or Epochs(config.seed)
    losses = FiniteLosses()
    with learn.added_cbs([epochs, losses]):  # they would get in the way of lr_find and others
        if config.head_epochs:
            learn.freeze()
            _fit_phase(learn, epochs, "head", config.head_epochs, lr)
        if config.epochs and not losses.diverged:
            learn.unfreeze()
            _fit_phase(learn, epochs, "everything", config.epochs, rates)
    if losses.diverged:
        raise UsageError(f"--lr {lr:g}: the training diverged, found {losses.diverged}, expected "
                         f"finite losses; train with a smaller --lr, such as {lr / 10:g}")
    return epochs.rows


def log_odds(learn: Learner, paths: Sequence[str]) -> np.ndarray:
    """Log-odds of female of picture files.

    Parameters
    ----------
    learn : fastai.learner.Learner
    paths : sequence of str [shape=(n,)]

    Returns
    -------
    np.ndarray [shape=(n,), float32]
    """
    loader = asked_alone(learn.dls.test_dl(list(paths)))
    with learn.no_bar(), learn.no_logging():
        logits, _ = learn.get_preds(dl=loader, act=noop, reorder=False)
    return (logits[:, 0] - logits[:, 1]).numpy()


def _fit_phase(learn: Learner, epochs: Epochs, phase: str, count: int,
               rate: float | slice) -> None:
    """Train the epochs of a phase that are not finished yet."""
    finished = epochs.begin(phase)
    if finished < count:
        learn.fit_one_cycle(count, rate, start_epoch=finished)


def _callbacks(log_dir: str | os.PathLike | None, quiet: bool) -> list[Callback]:
    callbacks: list[Callback] = [ProgressBar(quiet or not is_first())]
    if log_dir is not None and is_first():
        from fastai.callback.tensorboard import TensorBoardCallback

        callbacks.append(TensorBoardCallback(str(log_dir), trace_model=False, log_preds=False))
    return callbacks


def _silent(*_: object) -> None:
    """Take the place of fastai's table on stdout, which is for results."""
