"""Training shared by the processes that ``torchrun`` started, by fastai and Accelerate."""

import torch
from fastai.data.load import DataLoader
from fastai.distributed import DistributedDL, DistributedTrainer
from fastai.learner import Learner
from fastai.torch_core import num_distrib, rank_distrib


def processes() -> int:
    """How many processes train together; 1 without ``torchrun``."""
    return max(1, num_distrib())


def is_first() -> bool:
    """True in the process (rank 0) that writes the results."""
    return rank_distrib() == 0


def share_training(learn: Learner) -> None:
    """Give each process its part of every batch, and average the gradients of all.

    Parameters
    ----------
    learn : fastai.learner.Learner
        The same in all processes. It is not changed if there is only one process.
    """
    if processes() > 1:
        on_gpu = torch.cuda.is_available()
        # torch synchronises batch normalisation on GPUs only.
        learn.add_cb(_Trainer(sync_bn=on_gpu, cpu=not on_gpu))


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
