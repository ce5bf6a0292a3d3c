"""Training shared by processes that ``torchrun`` has started, through Accelerate."""

import torch
from fastai.distributed import DistributedDL, DistributedTrainer
from fastai.torch_core import num_distrib, rank_distrib


def processes():
    """How many processes train together; 1 where none were started for that."""
    return max(1, num_distrib())


def is_first():
    """Whether this process writes what comes of it."""
    return rank_distrib() == 0


def share_training(learn):
    """Let each process take its share of every batch, and all average their gradients.

    Parameters
    ----------
    learn : fastai.learner.Learner
        the same in all processes; trained by one alone it is left as it is
    """
    if processes() > 1:
        on_gpu = torch.cuda.is_available()
        learn.add_cb(_Trainer(sync_bn=on_gpu, cpu=not on_gpu))  # torch has it for GPUs only


class _Loader(DistributedDL):
    def _broadcast(self, values, rank):
        # fastai's moves them to a GPU, which processes that talk through gloo may not have.
        values = torch.tensor(values, device=self.device)
        torch.distributed.broadcast(values, rank)
        return values.tolist()


class _Trainer(DistributedTrainer):
    def _wrap_dl(self, dl):
        return dl if isinstance(dl, _Loader) else _Loader(dl, device=self.learn.model.device)
