"""The picture network, trained on the same split as the others."""

import functools
import shutil
from pathlib import Path

import numpy as np

from voxsight.checkpoint import CARD, CONFIG, EVIDENCE_GRAPH, GRAPH, HISTORY, WEIGHTS
from voxsight.classifiers import Classifier, Options, probabilities, register
from voxsight.errors import UsageError
from voxsight.parallel import available_cores, ordered_map, progress
from voxsight.prediction import PictureModel
from voxsight.recipes import RECIPES


@register
class PictureNetwork(Classifier):
    """A ResNet-34 on voxsight pictures, one for every second of speech.

    What it saves is an ordinary model folder.
    """

    name, inputs, about = "resnet34", "recording", "ResNet-34 on MFC pictures"
    epochs, lr = 12, 1e-3

    def fit(self, train, valid, *, seed=42, log_dir=None):
        import torch

        from voxsight.convert import convert
        from voxsight.learner import TrainConfig, fit, make_learner
        from voxsight.training import finish

        self.folder = Path(self.options.work) / "model"
        recipe, quiet = RECIPES["voxsight"], self.options.quiet
        pictures = Path(self.options.work) / "mfc_dataset"
        utterances = [*train.inputs, *valid.inputs]
        convert(utterances, recipe, pictures, pictures.parent / "maps", root=".",
                altered_copies=self.options.augment, jobs=self.options.jobs, quiet=quiet)
        kept, indices = _sides(pictures, {u.voice for u in valid.inputs})
        config = TrainConfig(weights=self.options.weights, head_epochs=0, epochs=self.epochs,
                             lr=self.lr, augment=0.5, seed=seed,
                             size=(recipe.height, recipe.width))
        torch.set_num_threads(self.options.jobs or available_cores())
        learn = make_learner(kept, indices, config.size, config, log_dir=log_dir, quiet=quiet)
        history = fit(learn, config)
        finish(learn, recipe, kept, indices, config, self.folder, history=history,
               argv=["voxsight", "compare"])
        return history

    def predict_proba(self, inputs):
        answers = ordered_map(functools.partial(_answerer, str(self.folder)),
                              [utterance.path for utterance in inputs], self.options.jobs)
        p_female = progress(answers, len(inputs), desc="answers", unit="recording",
                            quiet=self.options.quiet)
        return probabilities([0.5 if p is None else p for p in p_female])

    def save(self, folder):
        names = [WEIGHTS, GRAPH, EVIDENCE_GRAPH, CONFIG, CARD, HISTORY]
        for name in names if Path(folder) != self.folder else ():
            shutil.copyfile(self.folder / name, Path(folder) / name)
        return names

    @classmethod
    def load(cls, folder, options=Options()):
        self = cls(options)
        self.folder = Path(folder)
        return self

    @property
    def parameters(self):
        """Of the network and its normalisation."""
        from voxsight.checkpoint import load_weights

        return sum(tensor.size for tensor in load_weights(self.folder).values())


def _sides(folder, validating):
    """Pictures of a dataset, those of the validating speakers last and unaltered."""
    from voxsight.datasets import read_dataset

    pictures, _ = read_dataset(folder)
    valid = [p for p in pictures if p.speaker in validating and not p.augmentation]
    train = [p for p in pictures if p.speaker not in validating]
    if not valid or not train:
        raise UsageError(f"{folder}: found pictures of one side only, expected training and "
                         "validation; remove the folder and compare again")
    return train + valid, np.arange(len(valid)) + len(train)


def _answerer(folder):
    return functools.partial(_p_female, model=PictureModel(folder))


def _p_female(path, *, model):
    return model.answer(path).p_female
