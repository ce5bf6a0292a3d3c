"""Any audio-classification model of Hugging Face, as it is or fine-tuned."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import soxr

from voxsight.classifiers import Classifier, Examples, Options, probabilities, register
from voxsight.encoders.hub import name_and_revision, pinned
from voxsight.errors import UsageError
from voxsight.sound.excerpts import RATE

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers import PreTrainedModel

FOLDER = "hugging_face"
WORDS = {"female": ("female", "f", "woman", "women"), "male": ("male", "m", "man", "men")}


@register
class HuggingFace(Classifier):
    """An `AutoModelForAudioClassification` by name, NAME@REVISION or folder.

    Weights are read from safetensors only, and no code that comes with a model is run.
    """

    name, inputs, about = "hf", "samples", "a Hugging Face audio-classification model"
    epochs, patience, batch, lr = 8, 3, 8, 3e-5

    model: "PreTrainedModel"
    extractor: Any  # the classes of transformers have no common type that can be called
    columns: tuple[int, int]  # of the model's output: female, male

    def fit(self, train: Examples, valid: Examples, *, seed: int = 42,
            log_dir: str | os.PathLike | None = None) -> list[dict[str, Any]]:
        """Load the model and, where asked for, fine-tune it with a new head."""
        source = self.options.hf
        if not source:
            raise UsageError("hf: found no model named, expected --hf NAME of a model of "
                             "huggingface.co or --hf FOLDER of a downloaded one")
        self._open(source, new_head=self.options.hf_fine_tune)
        if not self.options.hf_fine_tune:
            return []
        import torch

        from voxsight.network.fitting import fit_network

        torch.manual_seed(seed)
        network = _as_log_odds(self.model, self.columns)
        sides = [(self._prepared(side.inputs), side.is_female) for side in (train, valid)]
        return fit_network(network, *sides, epochs=self.epochs, patience=self.patience,
                           batch=self.batch, lr=self.lr, weight_decay=0.01, seed=seed,
                           log_dir=log_dir)

    def predict_proba(self, inputs: Sequence[Any]) -> np.ndarray:
        """Probabilities of the labels, shape (n, 2)."""
        import torch

        prepared = torch.from_numpy(self._prepared(inputs))
        network = _as_log_odds(self.model, self.columns).eval()
        with torch.no_grad():
            log_odds = torch.cat([network(part) for part in prepared.split(self.batch)])
        return probabilities(torch.sigmoid(log_odds.double()).numpy())

    def save(self, folder: Path) -> list[str]:
        """Write the model into a folder of its own there; the names of the files."""
        self.model.save_pretrained(folder / FOLDER, safe_serialization=True)
        self.extractor.save_pretrained(folder / FOLDER)
        return sorted(f"{FOLDER}/{path.name}" for path in (folder / FOLDER).iterdir())

    @classmethod
    def load(cls, folder: Path, options: Options = Options()) -> Self:
        """A classifier as it was saved."""
        self = cls(options)
        self._open(Path(folder) / FOLDER)
        return self

    @property
    def origin(self) -> str:
        """The model that was named, with the commit of the hub that was fetched."""
        return pinned(self.options.hf, "config.json")

    @property
    def parameters(self) -> int:
        """Parameters of the model, its head included."""
        return self.model.num_parameters()

    def _open(self, source: str | os.PathLike, new_head: bool = False) -> None:
        """Load model and feature extractor; a new head has the labels female and male."""
        from transformers import AutoFeatureExtractor, AutoModelForAudioClassification

        options: dict[str, Any] = {"use_safetensors": True, "trust_remote_code": False}
        if new_head:
            options |= {"id2label": {0: "female", 1: "male"},
                        "label2id": {"female": 0, "male": 1}, "ignore_mismatched_sizes": True}
        try:
            name, revision = name_and_revision(source)
            self.extractor = AutoFeatureExtractor.from_pretrained(name, trust_remote_code=False,
                                                                  **revision)
            self.model = AutoModelForAudioClassification.from_pretrained(name, **options,
                                                                         **revision)
        except (OSError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise UsageError(f"--hf {source}: could not be loaded ({reason}), expected a model "
                             "with weights as safetensors; download its folder where there is a "
                             "network (huggingface-cli download NAME --local-dir FOLDER) and "
                             "name that") from error
        labels = self.model.config.id2label
        assert labels is not None
        self.columns = _columns(labels, source)

    def _prepared(self, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """Inputs of the model, from samples that are brought to one length."""
        rate, prepared = self.extractor.sampling_rate, []
        for samples in inputs:
            resampled = soxr.resample(samples, RATE, rate)
            # A recording that is too short is repeated, not padded with silence.
            excerpt = np.resize(resampled, int(self.options.seconds * rate))
            values = self.extractor(excerpt, sampling_rate=rate, return_tensors="np")
            prepared.append(values[self.model.main_input_name][0])
        return np.stack(prepared).astype(np.float32)


def _columns(id2label: Mapping[Any, str], source: str | os.PathLike) -> tuple[int, int]:
    """Columns of a model's output that stand for female and for male."""
    columns = {}
    for column, model_label in id2label.items():
        for label, words in WORDS.items():
            if str(model_label).strip().lower() in words:
                columns[label] = int(column)
    if len(columns) < 2:
        raise UsageError(f"--hf {source}: found labels {', '.join(map(str, id2label.values()))}, "
                         "expected female and male; add --hf-fine-tune to train a new head")
    return columns["female"], columns["male"]


def _as_log_odds(model: "PreTrainedModel", columns: tuple[int, int]) -> "nn.Module":
    """The model as a network whose one output is the log-odds of female."""
    from torch import nn

    class LogOdds(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, prepared: "torch.Tensor") -> "torch.Tensor":
            logits = self.model(**{model.main_input_name: prepared}).logits
            female, male = columns
            return logits[:, female] - logits[:, male]

    return LogOdds()
