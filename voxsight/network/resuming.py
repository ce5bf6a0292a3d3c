"""Resume a training after its last finished epoch."""

import json
import os
import random
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from fastai.callback.core import Callback
from fastai.torch_core import set_seed

from voxsight.base import files
from voxsight.network.distributed import is_first

NAME = "unfinished.safetensors"
_MODEL, _OPTIMISER = "model.", "optimiser."


class Epochs(Callback):
    """Seeds every epoch, keeps its row of the history, and stores what the next one needs.

    Each epoch has a seed of its own. A resumed training therefore draws the same random numbers
    as one that was not interrupted, without a stored state of the generators. fastai's
    `SaveModelCallback` would pickle the state, and can only take up the weights.

    Parameters
    ----------
    seed : int
    folder : str or os.PathLike, optional
        Folder of the state, which is stored after each epoch (default: it is not stored).
    settings : str
        Names everything that affects the training. A stored state with other settings is not
        used.

    Attributes
    ----------
    rows : list of dict
        The history: ``epoch``, ``phase`` and the numbers of fastai's Recorder.
    """

    order = 90  # after Recorder, and after fastai has skipped the finished epochs

    def __init__(self, seed: int, folder: str | os.PathLike | None = None,
                 settings: str = "") -> None:
        self.seed, self.settings = seed, settings
        self.file = Path(folder) / NAME if folder is not None else None
        self.rows: list[dict[str, Any]] = []
        self.phase, self._is_training = "", False
        self._smooth_loss: tuple[int, float] | None = None
        self._stored = self._read()

    def begin(self, phase: str) -> int:
        """Enter a phase, after its parameters were frozen or unfrozen.

        Parameters
        ----------
        phase : str

        Returns
        -------
        int
            How many epochs of it are finished.
        """
        self.phase, self._smooth_loss = phase, None
        if self._stored is None:
            return 0
        metadata, tensors = self._stored
        finished = [row for row in metadata["history"] if row["phase"] == phase]
        self.rows += finished
        if metadata["phase"] == phase:
            self._restore(tensors)
            self._smooth_loss = metadata["smooth_loss"]
            self._stored = None
        return len(finished)

    def end(self) -> None:
        """Delete the state: the training is finished and its model written."""
        if self.file is not None:
            self.file.unlink(missing_ok=True)

    def before_fit(self) -> None:
        """Continue with the smoothed loss of the stopped run."""
        if self._smooth_loss is not None:
            count, value = self._smooth_loss
            smooth_loss = self.recorder.smooth_loss
            smooth_loss.count, smooth_loss.val = count, torch.tensor(value)

    def before_epoch(self) -> None:
        """Seed the random generators for this epoch."""
        self._is_training = True
        set_seed(self.seed + len(self.rows))
        # A loader that several processes share wraps the one that draws the order.
        loader = getattr(self.dls.train, "dl", self.dls.train)
        loader.rng = random.Random(self.seed + len(self.rows))

    def after_epoch(self) -> None:
        """Keep the row of this epoch, and store the state after it."""
        if not self._is_training:  # fastai also ends the epochs that it skipped
            return
        self._is_training = False
        names = self.recorder.metric_names[1:-1]
        values = map(float, self.recorder.values[-1])
        self.rows.append({"epoch": len(self.rows), "phase": self.phase} | dict(zip(names, values)))
        if self.file is not None and is_first():
            self._store(self.file)

    def _store(self, file: Path) -> None:
        from safetensors.torch import save_file

        smooth_loss = self.recorder.smooth_loss
        metadata = {"settings": self.settings, "phase": self.phase, "history": self.rows,
                    "smooth_loss": [smooth_loss.count, float(smooth_loss.val)]}
        # If several processes share the model, it is wrapped.
        model = self.model.module if hasattr(self.model, "module") else self.model
        tensors = {_MODEL + name: tensor.contiguous()
                   for name, tensor in model.state_dict().items()}
        for i, (_, _, state, _) in enumerate(self.opt.all_params()):
            tensors |= {f"{_OPTIMISER}{i}.{key}": torch.as_tensor(value).contiguous()
                        for key, value in state.items() if not isinstance(value, bool)}
        with files.replacing(file) as temporary:
            save_file(tensors, temporary, metadata={"about": json.dumps(metadata)})

    def _read(self) -> tuple[dict[str, Any], dict[str, torch.Tensor]] | None:
        """Metadata and tensors of the stored state; None if there is none that can be used."""
        if self.file is None or not self.file.is_file():
            return None
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self.file, "pt") as stored:
                metadata = json.loads(stored.metadata()["about"])
                if metadata["settings"] == self.settings:
                    names = list(stored.keys())
                    return metadata, {name: stored.get_tensor(name) for name in names}
                reason = "an unfinished training with other settings"
        except (SafetensorError, TypeError, KeyError, ValueError):
            reason = "no training that could be taken up"
        print(f"{self.file}: found {reason}, starting anew", file=sys.stderr)
        return None

    def _restore(self, tensors: Mapping[str, torch.Tensor]) -> None:
        self.learn.model.load_state_dict(_with_prefix(tensors, _MODEL))
        for i, (parameter, _, state, _) in enumerate(self.learn.opt.all_params()):
            state |= {key: tensor.to(parameter) if tensor.ndim else tensor.item()
                      for key, tensor in _with_prefix(tensors, f"{_OPTIMISER}{i}.").items()}


def _with_prefix(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """The tensors whose names start like this, under the rest of their names."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items()
            if name.startswith(prefix)}
