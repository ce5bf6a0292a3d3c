"""The picture network as one of the compared classifiers, trained on the same split."""

import functools
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from voxsight.answer.picture_model import PictureModel
from voxsight.base.parallel.processes import available_cores
from voxsight.base.parallel.workers import ordered_map
from voxsight.base.progress import progress
from voxsight.classifiers import Classifier, Examples, Options, probabilities, register
from voxsight.corpora.utterance import Utterance
from voxsight.errors import UsageError
from voxsight.network.folder import ATTRIBUTION_GRAPH, CARD, CONFIG, GRAPH, HISTORY, WEIGHTS
from voxsight.pictures.dataset import Picture, read_dataset
from voxsight.pictures.recipe import RECIPES

MASKED = 0.5  # fraction of the training pictures with a stretch of time and rows masked


@register
class PictureNetwork(Classifier):
    """A ResNet-34 on voxsight pictures, one for every second of speech.

    What it saves is an ordinary model folder.
    """

    name, inputs, about = "resnet34", "recording", "ResNet-34 on MFC pictures"
    epochs, lr = 12, 1e-3

    def fit(self, train: Examples, valid: Examples, *, seed: int = 42,
            log_dir: str | os.PathLike | None = None) -> list[dict[str, Any]]:
        """Make pictures of the recordings and train a network on them."""
        import torch

        from voxsight.network.learner import TrainConfig, fit, make_learner
        from voxsight.network.training import finish
        from voxsight.pictures.conversion import convert

        self.folder = Path(self.options.work) / "model"
        recipe, quiet = RECIPES["voxsight"], self.options.quiet
        dataset = Path(self.options.work) / "mfc_dataset"
        convert([*train.inputs, *valid.inputs], recipe, dataset, dataset.parent / "maps", root=".",
                altered_copies=self.options.augment, jobs=self.options.jobs, quiet=quiet)
        pictures, validating = _sides(dataset, {u.voice for u in valid.inputs})
        size = (recipe.height, recipe.width)
        config = TrainConfig(weights=self.options.weights, head_epochs=0, epochs=self.epochs,
                             lr=self.lr, augment=MASKED, seed=seed, size=size)
        torch.set_num_threads(self.options.jobs or available_cores())
        learn = make_learner(pictures, validating, size, config, log_dir=log_dir, quiet=quiet)
        history = fit(learn, config)
        finish(learn, recipe, pictures, validating, config, self.folder, history=history,
               argv=["voxsight", "compare"])
        return history

    def predict_proba(self, inputs: Sequence[Utterance]) -> np.ndarray:
        """Probabilities of the labels; a half each for recordings of digital silence."""
        opener = functools.partial(_predictor, str(self.folder))
        results = ordered_map(opener, [utterance.path for utterance in inputs],
                              self.options.jobs)
        p_female = progress(results, len(inputs), desc="answers", unit="recording",
                            quiet=self.options.quiet)
        return probabilities([0.5 if p is None else p for p in p_female])

    def save(self, folder: str | os.PathLike) -> list[str]:
        """Copy the model folder, unless it is there already; the names of its files."""
        names = [WEIGHTS, GRAPH, ATTRIBUTION_GRAPH, CONFIG, CARD, HISTORY]
        if Path(folder) != self.folder:
            for name in names:
                shutil.copyfile(self.folder / name, Path(folder) / name)
        return names

    @classmethod
    def load(cls, folder: str | os.PathLike, options: Options = Options()) -> "PictureNetwork":
        """A classifier as it was saved."""
        self = cls(options)
        self.folder = Path(folder)
        return self

    @property
    def parameters(self) -> int:
        """Numbers of the network, those of its normalisation included."""
        from voxsight.network.folder import load_weights

        return sum(tensor.size for tensor in load_weights(self.folder).values())


def _sides(dataset: Path, validating: set[str]) -> tuple[list[Picture], np.ndarray]:
    """Pictures of a dataset, and the indices of those that validate, which are unaltered."""
    pictures, _ = read_dataset(dataset)
    valid = [p for p in pictures if p.speaker in validating and not p.augmentation]
    train = [p for p in pictures if p.speaker not in validating]
    if not valid or not train:
        raise UsageError(f"{dataset}: found pictures of one side only, expected training and "
                         "validation; remove the folder and compare again")
    return train + valid, np.arange(len(valid)) + len(train)


def _predictor(folder: str) -> Callable[[str], float | None]:
    return functools.partial(_p_female, model=PictureModel(folder))


def _p_female(path: str, *, model: PictureModel) -> float | None:
    return model.predict(path).p_female
