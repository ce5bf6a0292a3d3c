"""Fine-tuning a ResNet on pictures with fastai: first the head, then everything."""

import dataclasses
import functools
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torchvision
from fastai.callback.core import Callback
from fastai.callback.progress import ProgressCallback
from fastai.callback.schedule import fit_one_cycle  # noqa: F401  a method of Learner
from fastai.data.block import DataBlock, TransformBlock
from fastai.data.core import DataLoaders
from fastai.data.transforms import IndexSplitter, IntToFloatTensor, Normalize
from fastai.learner import Learner
from fastai.torch_core import TensorImage, set_seed
from fastai.vision.learner import vision_learner
from torch.nn.functional import cosine_similarity, log_softmax

from voxsight.corpora.utterance import LABELS
from voxsight.errors import UsageError
from voxsight.network.architecture import (
    initial_weights,
    linear_head,
    load_into,
    set_last_stride,
)
from voxsight.network.callbacks import Bfloat16, FiniteLosses, ProgressBar
from voxsight.network.distributed import is_first, processes
from voxsight.network.folder import Architecture
from voxsight.network.resuming import Epochs
from voxsight.network.transforms import JitterRows, MaskBands
from voxsight.pictures import jpeg
from voxsight.pictures.dataset import Picture

_BATCH = 64  # pictures given to a trained network at once


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
    """fastai learner over picture files.

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
    targets = np.array([[p.target] for p in pictures], np.float32)
    if embeddings is not None:
        targets = np.hstack([targets, embeddings])
    outputs = len(LABELS) + targets.shape[1] - 1
    learn = vision_learner(
        _loaders(pictures, targets, valid, size, config),
        getattr(torchvision.models, config.arch), normalize=False, n_out=outputs,
        pretrained=False, custom_head=linear_head(outputs), metrics=[accuracy],
        loss_func=_Loss(np.delete(targets[:, 0], valid)), cbs=_callbacks(log_dir, quiet))
    learn.remove_cb(ProgressCallback)
    learn.logger = _silent
    set_last_stride(learn.model[0], Architecture.last_stride)
    if config.weights != "none":
        load_into(learn.model, initial_weights(config.weights, config.arch))
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
    learn.add_cbs([epochs, losses])
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


def log_odds(learn: Learner, paths: Sequence[str], size: tuple[int, int]) -> np.ndarray:
    """Log-odds of female of picture files.

    Parameters
    ----------
    learn : fastai.learner.Learner
    paths : sequence of str [shape=(n,)]
    size : (int, int)
        Height and width that the network sees, pixels.

    Returns
    -------
    np.ndarray [shape=(n,), float32]
    """
    mean, std = (torch.tensor(values)[:, None, None]
                 for values in (Architecture.mean, Architecture.std))
    device, batches = next(learn.model.parameters()).device, []
    learn.model.eval()
    with torch.no_grad():
        for start in range(0, len(paths), _BATCH):
            pictures = torch.stack([_load(path, size) for path in paths[start: start + _BATCH]])
            x = torch.as_tensor((pictures / 255 - mean) / std).to(
                device, memory_format=torch.channels_last)
            batches.append(learn.model(x)[:, : len(LABELS)].float().cpu())
    logits = torch.cat(batches)
    return (logits[:, 0] - logits[:, 1]).numpy()


def accuracy(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Fraction of the pictures whose more probable label is right."""
    return ((outputs[:, 0] > outputs[:, 1]) == (targets[:, 0] > 0.5)).float().mean()


class _Loss:
    """Cross-entropy with the label, plus the cosine distance to the teacher's embedding.

    Both labels have the same weight, however few speakers one of them has. A picture without a
    label (NaN) has only the distance to the teacher.
    """

    teacher_weight = 1.0

    def __init__(self, training_targets: np.ndarray) -> None:
        females = float(np.nanmean(training_targets))
        self.weight = torch.tensor([0.5 / females, 0.5 / (1 - females)])

    def __call__(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        targets = torch.as_tensor(targets)  # without fastai's subclasses of tensors
        p_female, weight = targets[:, :1], self.weight.to(outputs.device)
        weighted = torch.cat([p_female, 1 - p_female], 1).nan_to_num(0.0) * weight
        log_p = log_softmax(torch.as_tensor(outputs[:, : len(LABELS)]), 1)
        loss = -(weighted * log_p).sum() / weighted.sum().clamp(min=1e-6)
        if targets.shape[1] > 1:
            similarity = cosine_similarity(outputs[:, len(LABELS):], targets[:, 1:])
            loss = loss + self.teacher_weight * (1 - similarity).mean()
        return loss


def _loaders(pictures: Sequence[Picture], targets: np.ndarray, valid: np.ndarray,
             size: tuple[int, int], config: TrainConfig) -> DataLoaders:
    picture_block = TransformBlock(type_tfms=functools.partial(_load, size=size),
                                   batch_tfms=[IntToFloatTensor()])
    block = DataBlock(
        blocks=(picture_block, TransformBlock()), get_x=lambda i: pictures[i].path,
        get_y=lambda i: torch.from_numpy(targets[i]), splitter=IndexSplitter(valid),
        batch_tfms=[Normalize.from_stats(Architecture.mean, Architecture.std),
                    JitterRows(config.row_jitter), MaskBands(config.augment)])
    # fastai drops a training batch that is not full, so that it must not be the only one.
    batch = max(1, min(config.batch, len(pictures) - len(valid)) // processes())
    return block.dataloaders(range(len(pictures)), bs=batch, num_workers=0)


def _fit_phase(learn: Learner, epochs: Epochs, phase: str, count: int,
               rate: float | slice) -> None:
    """Train the epochs of a phase that are not finished yet."""
    finished = epochs.begin(phase)
    if finished < count:
        learn.fit_one_cycle(count, rate, start_epoch=finished)


def _callbacks(log_dir: str | os.PathLike | None, quiet: bool) -> list[Callback]:
    callbacks = [ProgressBar(quiet or not is_first()), Bfloat16()]
    if log_dir is not None and is_first():
        from fastai.callback.tensorboard import TensorBoardCallback

        callbacks.append(TensorBoardCallback(str(log_dir), trace_model=False, log_preds=False))
    return callbacks


def _load(path: str, size: tuple[int, int]) -> TensorImage:
    return TensorImage(torch.from_numpy(jpeg.decode(path, size).copy()).permute(2, 0, 1))


def _silent(*_: object) -> None:
    """Take the place of fastai's table on stdout, which is for results."""
