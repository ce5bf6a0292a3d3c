"""Any audio-classification model of Hugging Face, as it is or fine-tuned."""

from pathlib import Path

import numpy as np
import soxr

from voxsight.classifiers import Classifier, Options, probabilities, register
from voxsight.errors import UsageError
from voxsight.features import HEARD_RATE

FOLDER = "hugging_face"
WORDS = {"female": ("female", "f", "woman", "women"), "male": ("male", "m", "man", "men")}


@register
class HuggingFace(Classifier):
    """An `AutoModelForAudioClassification` by name or folder, safetensors only."""

    name, inputs, about = "hf", "samples", "a Hugging Face audio-classification model"
    epochs, patience, batch, lr = 8, 3, 8, 3e-5

    def fit(self, train, valid, *, seed=42, log_dir=None):
        import torch

        from voxsight.fitting import fit_network

        source = self.options.hf
        if not source:
            raise UsageError("hf: found no model named, expected --hf NAME of a model of "
                             "huggingface.co or --hf FOLDER of a downloaded one")
        self._open(source, new_head=self.options.hf_fine_tune)
        if not self.options.hf_fine_tune:
            return []
        torch.manual_seed(seed)
        sides = [(self._prepared(side.inputs), side.is_female) for side in (train, valid)]
        return fit_network(_LogOdds(self.model, self.columns), *sides, epochs=self.epochs,
                           patience=self.patience, batch=self.batch, lr=self.lr,
                           weight_decay=0.01, seed=seed, log_dir=log_dir)

    def predict_proba(self, inputs):
        import torch

        network, prepared = _LogOdds(self.model, self.columns), self._prepared(inputs)
        network.eval()
        with torch.no_grad():
            evidence = [network(part) for part in torch.from_numpy(prepared).split(self.batch)]
        return probabilities(torch.sigmoid(torch.cat(evidence).double()).numpy())

    def save(self, folder):
        self.model.save_pretrained(folder / FOLDER, safe_serialization=True)
        self.extractor.save_pretrained(folder / FOLDER)
        return sorted(f"{FOLDER}/{path.name}" for path in (folder / FOLDER).iterdir())

    @classmethod
    def load(cls, folder, options=Options()):
        self = cls(options)
        self._open(Path(folder) / FOLDER)
        return self

    @property
    def parameters(self):
        """Of the network behind the encoder's name."""
        return self.model.num_parameters()

    def _open(self, source, new_head=False):
        from transformers import AutoFeatureExtractor, AutoModelForAudioClassification

        options = {"use_safetensors": True, "trust_remote_code": False}
        if new_head:
            options |= {"id2label": {0: "female", 1: "male"},
                        "label2id": {"female": 0, "male": 1}, "ignore_mismatched_sizes": True}
        try:
            self.extractor = AutoFeatureExtractor.from_pretrained(source)
            self.model = AutoModelForAudioClassification.from_pretrained(source, **options)
        except (OSError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise UsageError(f"--hf {source}: could not be loaded ({reason}), expected a model "
                             "with weights as safetensors; download its folder where there is a "
                             "network (huggingface-cli download NAME --local-dir FOLDER) and "
                             "name that") from error
        self.columns = _columns(self.model.config.id2label, source)

    def _prepared(self, inputs):
        """What the model is given of samples: of one length, prepared its own way."""
        rate, prepared = self.extractor.sampling_rate, []
        for samples in inputs:
            samples = soxr.resample(samples, HEARD_RATE, rate)
            samples = np.resize(samples, int(self.options.seconds * rate))  # repeated, not padded
            values = self.extractor(samples, sampling_rate=rate, return_tensors="np")
            prepared.append(values[self.model.main_input_name][0])
        return np.stack(prepared).astype(np.float32)


def _columns(id2label, source):
    """Columns of a model's output that stand for female and for male."""
    found = {}
    for column, label in id2label.items():
        for ours, words in WORDS.items():
            if str(label).strip().lower() in words:
                found[ours] = int(column)
    if len(found) < 2:
        raise UsageError(f"--hf {source}: found labels {', '.join(map(str, id2label.values()))}, "
                         "expected female and male; add --hf-fine-tune to train a new head")
    return found["female"], found["male"]


def _LogOdds(model, columns):
    """The model as a network whose one output is the log-odds of female."""
    from torch import nn

    class LogOdds(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, prepared):
            logits = self.model(**{model.main_input_name: prepared}).logits
            return logits[:, columns[0]] - logits[:, columns[1]]

    return LogOdds()
