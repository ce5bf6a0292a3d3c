"""A training that was stopped goes on where its last finished epoch ended."""

import json
import random
import sys
from pathlib import Path

import torch
from fastai.callback.core import Callback
from fastai.torch_core import set_seed

from voxsight import files
from voxsight.data_parallel import is_first

NAME = "unfinished.safetensors"
_MODEL, _OPTIMISER = "model.", "optimiser."


class Epochs(Callback):
    """Seeds every epoch, keeps its row of the history, stores what the next one needs.

    Each epoch draws from a seed of its own, so that no state of random generators has to
    be stored for a resumed training to draw the same.

    Parameters
    ----------
    seed : int
    folder : path, optional
        where the state is stored after each epoch; without it nothing is
    settings : str
        names everything that shapes the training; a stored state of others is left alone

    Attributes
    ----------
    rows : list of dict
        the history: ``epoch, phase`` and, as numbers, what fastai's Recorder has
    """

    order = 90  # after Recorder, and after fastai has skipped what was done before

    def __init__(self, seed, folder=None, settings=""):
        self.seed, self.settings = seed, settings
        self.file = Path(folder) / NAME if folder is not None else None
        self.rows, self.phase, self._going, self._smooth = [], "", False, None
        self._stored = self._read()

    def begin(self, phase):
        """Enter a phase, its parameters frozen or not; how many epochs of it are done."""
        self.phase, self._smooth = phase, None
        if self._stored is None:
            return 0
        about, tensors = self._stored
        done = [row for row in about["history"] if row["phase"] == phase]
        self.rows += done
        if about["phase"] == phase:
            self._restore(tensors)
            self._smooth = about["smooth_loss"]
            self._stored = None
        return len(done)

    def end(self):
        """Forget the state: the training is finished and its model written."""
        if self.file is not None:
            self.file.unlink(missing_ok=True)

    def before_fit(self):
        """Take up the smoothed loss of the run before."""
        if self._smooth is not None:
            smooth = self.recorder.smooth_loss
            smooth.count, smooth.val = self._smooth[0], torch.tensor(self._smooth[1])

    def before_epoch(self):
        """Draw as an uninterrupted run would in this epoch."""
        self._going = True
        set_seed(self.seed + len(self.rows))
        loader = getattr(self.dls.train, "dl", self.dls.train)  # of one that several share
        loader.rng = random.Random(self.seed + len(self.rows))

    def after_epoch(self):
        """Keep the row of this epoch, and the state after it."""
        if not self._going:  # fastai also ends the epochs that it skipped
            return
        self._going = False
        names = self.recorder.metric_names[1:-1]
        values = map(float, self.recorder.values[-1])
        self.rows.append({"epoch": len(self.rows), "phase": self.phase} | dict(zip(names, values)))
        if self.file is not None and is_first():
            self._store()

    def _store(self):
        from safetensors.torch import save_file

        smooth = self.recorder.smooth_loss
        about = {"settings": self.settings, "phase": self.phase, "history": self.rows,
                 "smooth_loss": [smooth.count, float(smooth.val)]}
        model = getattr(self.model, "module", self.model)  # of one that several share
        tensors = {_MODEL + name: t.contiguous() for name, t in model.state_dict().items()}
        for i, (_, _, state, _) in enumerate(self.opt.all_params()):
            tensors |= {f"{_OPTIMISER}{i}.{key}": torch.as_tensor(value).contiguous()
                        for key, value in state.items() if not isinstance(value, bool)}
        with files.replacing(self.file) as temporary:
            save_file(tensors, temporary, metadata={"about": json.dumps(about)})

    def _read(self):
        if self.file is None or not self.file.is_file():
            return None
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self.file, "pt") as stored:
                about = json.loads(stored.metadata()["about"])
                if about["settings"] == self.settings:
                    names = list(stored.keys())
                    return about, {name: stored.get_tensor(name) for name in names}
                found = "an unfinished training with other settings"
        except (SafetensorError, TypeError, KeyError, ValueError):
            found = "no training that could be taken up"
        print(f"{self.file}: found {found}, starting anew", file=sys.stderr)
        return None

    def _restore(self, tensors):
        self.learn.model.load_state_dict({name.removeprefix(_MODEL): tensor for name, tensor
                                          in tensors.items() if name.startswith(_MODEL)})
        for i, (own, _, state, _) in enumerate(self.learn.opt.all_params()):
            prefix = f"{_OPTIMISER}{i}."
            state |= {name.removeprefix(prefix): tensor.to(own) if tensor.ndim else tensor.item()
                      for name, tensor in tensors.items() if name.startswith(prefix)}
