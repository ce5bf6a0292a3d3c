"""The picture network as one of the compared classifiers, trained on the same split."""

import functools
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
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
from voxsight.pictures.dataset import Picture, in_one_list, is_assessable, read_dataset
from voxsight.pictures.recipe import RECIPES

PLAN_CHARACTERS = 12  # of its digest, in the name of its folder
MASKED = 0.5  # fraction of the training pictures with a stretch of time and rows masked


@register
class PictureNetwork(Classifier):
    """A ResNet-34 on voxsight pictures, one for every second of speech.

    What it saves is an ordinary model folder.
    """

    name, inputs, about = "resnet34", "recording", "ResNet-34 on MFC pictures"
    epochs, lr = 12, 1e-3

    _trained_on: list[str]

    def fit(self, train: Examples, valid: Examples, *, seed: int = 42,
            log_dir: str | os.PathLike | None = None) -> list[dict[str, Any]]:
        """Make pictures of the recordings and train a network on them."""
        import torch

        from voxsight.network.fine_tuning import TrainConfig, fit, make_learner
        from voxsight.network.training import finish

        self.folder = Path(self.options.work) / "model"
        recipe, quiet = RECIPES["voxsight"], self.options.quiet
        training, validating = self._pictures(train.inputs, valid.inputs)
        self._trained_on = [p.speaker for p in training]
        pictures, valid_indices = in_one_list(training, validating)
        size = (recipe.height, recipe.width)
        config = TrainConfig(weights=self.options.weights, head_epochs=0, epochs=self.epochs,
                             lr=self.lr, augment=MASKED, seed=seed, size=size)
        torch.set_num_threads(self.options.jobs or available_cores())
        learn = make_learner(pictures, valid_indices, size, config, log_dir=log_dir, quiet=quiet)
        history = fit(learn, config)
        finish(learn, recipe, pictures, valid_indices, config, self.folder, history=history,
               argv=["voxsight", "compare"])
        return history

    def speakers_of(self, examples: Examples) -> list[str]:
        """Speakers of the pictures that `fit` has trained on."""
        return self._trained_on

    def _pictures(self, train: Sequence[Utterance], valid: Sequence[Utterance]
                  ) -> tuple[list[Picture], list[Picture]]:
        """Pictures of the recordings of both sides, and of no others.

        Each plan has a folder of its own: who trains in one of them may be tested in another.
        """
        from voxsight.pictures.conversion import convert

        place = Path(self.options.work) / f"pictures_{self.options.plan[:PLAN_CHARACTERS]}"
        sides = [{os.path.abspath(utterance.path) for utterance in side} for side in (train, valid)]
        convert([*train, *valid], RECIPES["voxsight"], place / "mfc_dataset", place / "maps",
                root=_common_folder(set.union(*sides)), altered_copies=self.options.augment,
                plan=self.options.plan, jobs=self.options.jobs, quiet=self.options.quiet)
        pictures, _ = read_dataset(place)
        training = [p for p in pictures if p.source in sides[0] - sides[1]]
        validating = [p for p in pictures if p.source in sides[1] and is_assessable(p)]
        if not training or not validating:
            raise UsageError(f"{place}: found pictures of one side only, expected training and "
                             "validation; name more recordings that can be decoded")
        return training, validating

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


def _common_folder(paths: Iterable[str]) -> str:
    """The folder that holds all files; random choices must not depend on the current folder."""
    return os.path.commonpath([os.path.dirname(path) for path in paths])


def _predictor(folder: str) -> Callable[[str], float | None]:
    return functools.partial(_p_female, model=PictureModel(folder))


def _p_female(path: str, *, model: PictureModel) -> float | None:
    return model.predict(path).p_female
