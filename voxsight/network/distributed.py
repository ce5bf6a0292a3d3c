"""Training shared by the processes that ``torchrun`` started, by fastai and Accelerate."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from fastai.data.load import DataLoader
from fastai.distributed import DistributedDL, DistributedTrainer
from fastai.learner import Learner
from fastai.torch_core import num_distrib, rank_distrib, to_detach


def processes() -> int:
    """How many processes train together; 1 without ``torchrun``."""
    return max(1, num_distrib())


def is_first() -> bool:
    """True in the process (rank 0) that writes the results."""
    return rank_distrib() == 0


@contextlib.contextmanager
def shared_training(learn: Learner) -> Iterator[None]:
    """Give each process its part of every batch, and average the gradients of all.

    What one process does with the learner afterwards, it does alone.

    Parameters
    ----------
    learn : fastai.learner.Learner
        The same in all processes. It is not changed if there is only one process.

    Yields
    ------
    None
    """
    if processes() == 1:
        yield
        return
    on_gpu = torch.cuda.is_available()
    # torch synchronises batch normalisation on GPUs only.
    with learn.added_cbs([_Trainer(sync_bn=on_gpu, cpu=not on_gpu)]):
        yield


def asked_alone(loader: DataLoader) -> DataLoader:
    """Have the answers to a loader's pictures stay in this process.

    fastai gathers those of all processes, and waits forever for one that does not ask.

    Parameters
    ----------
    loader : fastai.data.load.DataLoader

    Returns
    -------
    fastai.data.load.DataLoader
        The same.
    """
    loader.to_detach = _detached
    return loader


def _detached(batch: Any, cpu: bool = True, gather: bool = True) -> Any:
    return to_detach(batch, cpu, gather=False)


class _Loader(DistributedDL):
    """fastai's loader, which here also works for processes without a GPU."""

    def _broadcast(self, values: list[int], rank: int) -> list[int]:
        # fastai's method moves the values to a GPU. Processes that use gloo may have none.
        tensor = torch.tensor(values, device=self.device)
        torch.distributed.broadcast(tensor, rank)
        return tensor.tolist()


class _Trainer(DistributedTrainer):
    """fastai's trainer, with the loader above."""

    def _wrap_dl(self, dl: DataLoader) -> _Loader:
        return dl if isinstance(dl, _Loader) else _Loader(dl, device=self.learn.model.device)
