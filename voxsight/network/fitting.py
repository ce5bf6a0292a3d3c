"""Training of a small network with one output, by fastai's Learner and its callbacks.

fastai's own parts do the work where they fit. Three of them do not:

- `SaveModelCallback` pickles the best weights into a file; `_BestWeights` keeps them in memory.
- `OptimWrapper` around torch's AdamW hands out copies of its settings, so that
  `ReduceLROnPlateau` would change nothing; fastai's Adam, which also decouples the weight decay,
  is given the constants of torch.
- `Recorder` smooths the training loss over batches; `_History` takes the mean of an epoch.
"""

import contextlib
import copy
import functools
import io
import math
import os
from collections.abc import Iterator

import numpy as np
import torch
from fastai.callback.core import Callback
from fastai.callback.tracker import EarlyStoppingCallback, ReduceLROnPlateau, TrackerCallback
from fastai.data.core import DataLoaders
from fastai.learner import AvgLoss, Learner, Recorder
from fastai.optimizer import Adam
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import DataLoader, Sampler, TensorDataset

from voxsight.errors import UsageError

VALID_BATCH = 256  # examples given to the network at once; bounds the memory, not the result
_ADAM = functools.partial(Adam, mom=0.9, sqr_mom=0.999, eps=1e-8)


def fit_network(network: nn.Module, train: tuple[np.ndarray, np.ndarray],
                valid: tuple[np.ndarray, np.ndarray], *, epochs: int, patience: int, batch: int,
                lr: float, weight_decay: float, seed: int,
                log_dir: str | os.PathLike | None = None,
                balanced: bool = True) -> list[dict[str, float]]:
    """Fit a network and leave it with its best weights.

    The optimiser is Adam with decoupled weight decay (Loshchilov and Hutter, "Decoupled weight
    decay regularization", 2019). The learning rate is halved whenever a third of the patience
    passes without a better validation loss.

    Parameters
    ----------
    network : torch.nn.Module
        Returns log-odds of female, shape (n,). It stays on the processor.
    train, valid : (np.ndarray [shape=(n, ...), float32], np.ndarray [shape=(n,), bool])
        Inputs of the network, and which of them are female.
    epochs : int
        Passes over the training examples, at most.
    patience : int
        Stop after so many epochs without a better validation loss.
    batch : int
        Fewest examples in a batch. A batch has up to twice as many, so that all are about as
        large as each other; fewer only if there are fewer examples.
    lr : float
        Learning rate to start from.
    weight_decay : float
        Per step, as a fraction of the learning rate.
    seed : int
        Seed of the order of the examples.
    log_dir : str or os.PathLike, optional
        Folder for TensorBoard's events.
    balanced : bool
        Weigh the examples so that both labels count the same.

    Returns
    -------
    list of dict
        A row per epoch: ``epoch``, ``lr``, ``train_loss`` and ``valid_loss``.

    Raises
    ------
    UsageError
        If the validation loss was not finite in any epoch.
    """
    ratio = _male_to_female(train[1]) if balanced else 1.0
    dls = _CpuLoaders(_loader(_weighted(*train, ratio), batch, seed),
                      _loader(_weighted(*valid, ratio), VALID_BATCH))
    history, best = _History(), _BestWeights()
    learn = Learner(dls, network, _loss, _ADAM, lr=lr, wd=weight_decay, wd_bn_bias=True,
                    cbs=[history, best, *_schedule(patience), *_tensorboard(log_dir)])
    # The callbacks print each decision, whatever the logger of the learner is.
    with learn.no_bar(), learn.no_logging(), contextlib.redirect_stdout(io.StringIO()):
        learn.fit(epochs)
    if best.weights is None:
        raise UsageError(f"learning rate {lr:g}: the validation loss was NaN or infinite in all "
                         f"{len(history.rows)} epochs, expected a finite loss; train with a "
                         f"smaller learning rate, such as {lr / 10:g}")
    return history.rows


def _schedule(patience: int) -> list[Callback]:
    return [ReduceLROnPlateau(patience=patience // 3, factor=2.0),
            EarlyStoppingCallback(patience=patience)]


def _tensorboard(log_dir: str | os.PathLike | None) -> list[Callback]:
    if log_dir is None:
        return []
    from fastai.callback.tensorboard import TensorBoardCallback

    return [TensorBoardCallback(str(log_dir), trace_model=False, log_preds=False)]


class _CpuLoaders(DataLoaders):
    """Loaders of torch, which know no device; fastai would take a GPU if there is one."""

    device, n_inp = torch.device("cpu"), 1


class _EvenBatches(Sampler):
    """Indices of batches, none much smaller than the others.

    A last batch of one example would have no variance for batch normalisation. With a seed the
    examples come in a new random order in every epoch.
    """

    def __init__(self, n_examples: int, batch: int, seed: int | None) -> None:
        self._n_examples, self._n_batches = n_examples, max(1, n_examples // batch)
        self._random = None if seed is None else torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return self._n_batches

    def __iter__(self) -> Iterator[torch.Tensor]:
        order = (torch.arange(self._n_examples) if self._random is None
                 else torch.randperm(self._n_examples, generator=self._random))
        return iter(order.tensor_split(self._n_batches))


def _loader(examples: TensorDataset, batch: int, seed: int | None = None) -> DataLoader:
    """A loader that takes each batch from the tensors at once."""
    return DataLoader(examples, batch_size=None, sampler=_EvenBatches(len(examples), batch, seed))


def _weighted(x: np.ndarray, is_female: np.ndarray, ratio: float) -> TensorDataset:
    """Inputs, labels, and weights whose mean is 1, so that a mean loss is a weighted mean."""
    labels = torch.as_tensor(np.asarray(is_female, np.float32))
    weights = torch.where(labels > 0.5, ratio, 1.0)
    return TensorDataset(torch.as_tensor(x), labels, weights / weights.mean())


def _male_to_female(is_female: np.ndarray) -> float:
    labels = torch.as_tensor(np.asarray(is_female, np.float32))
    return float((1 - labels).sum() / labels.sum())


def _loss(log_odds: torch.Tensor, is_female: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    losses = binary_cross_entropy_with_logits(log_odds, is_female, reduction="none")
    return (weights * losses).mean()


class _History(Callback):
    """Keeps a row per epoch."""

    order = Recorder.order + 1  # after the losses are known, before the rate is changed

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []
        self._mean_loss = AvgLoss()

    def before_train(self) -> None:
        self._mean_loss.reset()

    def after_batch(self) -> None:
        if self.training:
            self._mean_loss.accumulate(self.learn)

    def after_epoch(self) -> None:
        _, valid_loss = self.recorder.values[-1]
        self.rows.append({"epoch": self.epoch, "lr": self.opt.hypers[-1]["lr"],
                          "train_loss": float(self._mean_loss.value),
                          "valid_loss": float(valid_loss)})


class _BestWeights(TrackerCallback):
    """Keeps the weights of the best epoch in memory and loads them at the end."""

    weights: dict[str, torch.Tensor] | None = None

    def after_epoch(self) -> None:
        super().after_epoch()
        if self.new_best and math.isfinite(self.best):
            self.weights = copy.deepcopy(self.model.state_dict())

    def after_fit(self) -> None:
        super().after_fit()
        if self.weights is not None:
            self.model.load_state_dict(self.weights)
