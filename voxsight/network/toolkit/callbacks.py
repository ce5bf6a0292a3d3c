"""fastai callbacks: a teacher, bfloat16, a progress bar, an end to trainings that diverge."""

import math
from typing import Any

import torch
from fastai.callback.channelslast import ChannelsLast
from fastai.callback.core import Callback, CancelFitException
from fastai.callback.fp16 import AMPMode, MixedPrecision
from fastcore.foundation import L
from torch.nn.functional import cosine_similarity

from voxsight.base.progress import progress
from voxsight.corpora.utterance import LABELS
from voxsight.errors import UsageError


class ProgressBar(Callback):
    """One bar per phase; see `progress`.

    Parameters
    ----------
    quiet : bool
        No progress bar.
    """

    order = 60  # after Recorder, which has the losses

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self.bar: Any = None

    def before_train(self) -> None:
        """Open the bar; not before, since fastai also calls a fit what trains nothing."""
        if self.bar is None:
            batches = self.n_epoch * len(self.dls.train)
            self.bar = progress(None, batches, desc="training", unit="batch", quiet=self.quiet)

    def after_batch(self) -> None:
        """Count a training batch."""
        if self.training:
            self.bar.update()

    def after_epoch(self) -> None:
        """Show the figures of this epoch."""
        names, log = self.recorder.metric_names, self.recorder.log
        if self.bar is None or len(log) < len(names):  # a resumed training skips epochs
            return
        figures = dict(zip(names[1:], log[1:]))
        self.bar.set_postfix({name: f"{figure:.4f}" for name, figure in figures.items()
                              if name != "time"})

    def after_fit(self) -> None:
        """Close the bar."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None


class History(Callback):
    """Keeps a row of every epoch that trained, whatever method of the learner was called.

    Attributes
    ----------
    rows : list of dict
        ``epoch``, ``phase`` (``head`` while the body is frozen, then ``everything``) and the
        numbers of fastai's Recorder.
    """

    order = 61  # after Recorder

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self._is_training = False

    def before_train(self) -> None:
        """Note that this epoch trains; fastai also ends epochs that do not."""
        self._is_training = not hasattr(self.learn, "lr_finder")

    def after_epoch(self) -> None:
        """Keep the row of this epoch."""
        if self._is_training:
            self._is_training = False
            phase = "head" if self.opt.frozen_idx else "everything"
            numbers = {name: float(value) for name, value in zip(
                self.recorder.metric_names[1:-1], self.recorder.values[-1]) if value is not None}
            self.rows.append({"epoch": len(self.rows), "phase": phase} | numbers)


class FiniteLosses(Callback):
    """Stops a training at the first epoch whose loss is NaN or infinite: it learns no more.

    Attributes
    ----------
    diverged : str
        What was found, once it has stopped a training.
    """

    order = 70  # after Recorder, and before the state of the epoch is stored
    diverged = ""

    def after_epoch(self) -> None:
        """Stop unless both losses of this epoch are finite."""
        names, log = self.recorder.metric_names, self.recorder.log
        if len(log) < len(names):  # an epoch that a resumed training skips
            return
        train, valid = (log[names.index(name)] for name in ("train_loss", "valid_loss"))
        if not (math.isfinite(train) and math.isfinite(valid)):
            self.diverged = (f"training loss {train:g} and validation loss {valid:g} in epoch "
                             f"{self.epoch + 1}")
            raise CancelFitException  # fastai would put words before those of another error


class Teacher(Callback):
    """Has the network also say a teacher's embedding of the voice, with outputs of its own.

    Its targets are those of a `LabelBlock` with embeddings. The cosine distance to them is added
    to the loss; everything else of fastai sees the labels alone.

    Parameters
    ----------
    size : int
        Numbers of an embedding, and so of further outputs.
    weight : float
        Of the distance in the loss.
    """

    order = MixedPrecision.order + 1  # outputs are in single precision then

    def __init__(self, size: int, weight: float = 1.0) -> None:
        self.size, self.weight = size, weight
        self.heard: torch.Tensor | None = None

    def before_batch(self) -> None:
        """Take the embeddings out of the targets."""
        self.heard = None
        if self.yb:  # pictures to be answered have no targets
            if self.yb[0].ndim != 2:
                raise UsageError("Teacher: found targets without embeddings, expected those of "
                                 "LabelBlock(embeddings={path: embedding}); make loaders with it")
            self.heard = self.yb[0][:, 1:]
            self.learn.yb = (self.yb[0][:, 0],)

    def after_pred(self) -> None:
        """Take the further outputs out of the predictions."""
        self.said = self.pred[:, len(LABELS):]
        self.learn.pred = self.pred[:, : len(LABELS)]

    def after_loss(self) -> None:
        """Add the distance to the loss."""
        if self.heard is None:
            return
        distances = self.weight * (1 - cosine_similarity(self.said, self.heard))
        is_reduced = getattr(self.learn.loss_func, "reduction", "mean") != "none"
        self.learn.loss_grad = self.loss_grad + (distances.mean() if is_reduced else distances)
        self.learn.loss = self.loss_grad.clone()


class Bfloat16(MixedPrecision):
    """fastai's mixed precision in bfloat16, on processors too. Three things differ from it.

    - fastai computes in reduced precision on CUDA only, whatever the device of the network.
    - It enters autocast before a batch and leaves it after the loss, so that an exception or an
      interrupted notebook cell between them leaves it entered, and with it a cache of weights
      that go out of date. Here a ``with`` block around the network's own work leaves it.
    - Answers (`get_preds`, `predict`) are computed in single precision, as a model folder gives
      them.
    """

    def __init__(self) -> None:
        super().__init__(AMPMode.BF16)

    def before_fit(self) -> None:
        """Prepare autocast for the device of the network."""
        device = next(self.model.parameters()).device.type
        self.autocast = torch.autocast(device, torch.bfloat16)
        # As fastai has it: bfloat16 has the range of single precision, and nothing is scaled.
        self.learn.scaler, self.scales = torch.GradScaler(device, enabled=False), L()

    def before_batch(self) -> None:
        """Have the network enter autocast for its next answer, and leave it."""
        self.model.__dict__.pop("forward", None)  # of a batch that never reached the network
        if hasattr(self.learn, "gather_preds"):
            return
        model, forward, autocast = self.model, self.model.forward, self.autocast

        def forward_once(*inputs: torch.Tensor) -> torch.Tensor:
            del model.forward
            with autocast:
                return forward(*inputs)

        model.forward = forward_once

    def after_loss(self) -> None:
        """Do nothing: autocast was left when the network had answered."""


def faster() -> list[Callback]:
    """fastai's channels-last layout and, where the hardware has it, bfloat16: 1.8 times as fast.

    Returns
    -------
    list of fastai.callback.core.Callback
    """
    return [ChannelsLast(), *([Bfloat16()] if _has_bfloat16() else [])]


def _has_bfloat16() -> bool:
    """Whether the GPU, or else the processor, computes with bfloat16 faster than without."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported()
    # oneDNN, which torch computes with on processors, needs AVX-512 for it.
    return torch.backends.cpu.get_cpu_capability().startswith(("AVX512", "AVX10"))
