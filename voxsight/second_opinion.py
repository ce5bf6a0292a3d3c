"""A second opinion: a speaker encoder listens beside the network that looks."""

import dataclasses
from pathlib import Path

import numpy as np
import soxr

from voxsight.calibration import Calibration
from voxsight.embeddings import RATE
from voxsight.errors import UsageError
from voxsight.files import read_sealed_json, replacing, write_sealed_json

WEIGHTS, CONFIG = "{encoder}.safetensors", "{encoder}.json"
SHARE = 0.7  # of the second opinion in the evidence; the rest is the picture network's


@dataclasses.dataclass(frozen=True)
class LinearOpinion:
    """Log-odds of female that are linear in a speaker embedding.

    Attributes
    ----------
    encoder : str
        key of `embeddings.ENCODERS`
    weights : np.ndarray [shape=(d,)]
    bias : float
    calibration : Calibration
        of the evidence of both together
    """

    encoder: str
    weights: np.ndarray
    bias: float
    calibration: Calibration

    def log_odds(self, embeddings):
        """Log-odds of female of embeddings, shape (..., d)."""
        return np.asarray(embeddings) @ self.weights + self.bias


class SecondOpinion:
    """An encoder and what is made of its embeddings, ready to be asked.

    Parameters
    ----------
    encoder : embeddings.Resemblyzer or another of `embeddings.ENCODERS`
    opinion : LinearOpinion
    """

    def __init__(self, encoder, opinion):
        self._encoder, self._opinion = encoder, opinion
        self.calibration = opinion.calibration

    def p_female(self, evidence, speech, rate):
        """Calibrated probability from both.

        Parameters
        ----------
        evidence : float
            calibrated log-odds of the picture network
        speech : np.ndarray [shape=(n,), float32]
            without pauses
        rate : int
            Hz

        Returns
        -------
        float
        """
        if rate != RATE:
            speech = soxr.resample(speech, rate, RATE)
        heard = self._opinion.log_odds(self._encoder.embed(speech))
        return float(self.calibration.p_female(together(evidence, heard)))


def fit_opinion(encoder, embeddings, is_female, speakers, *, intercept=True):
    """Logistic regression on the embeddings of recordings.

    Parameters
    ----------
    encoder : str
    embeddings : np.ndarray [shape=(n, d)]
    is_female : array of bool [shape=(n,)]
    speakers : sequence of str [shape=(n,)]
        each weighs the same, however many recordings there are
    intercept : bool
        without it the bias is 0

    Returns
    -------
    LinearOpinion
    """
    from sklearn.linear_model import LogisticRegression

    names, index, counts = np.unique(speakers, return_inverse=True, return_counts=True)
    model = LogisticRegression(C=10.0 * len(speakers) / len(names), class_weight="balanced",
                               max_iter=2000, fit_intercept=intercept)
    model.fit(embeddings, is_female, sample_weight=1 / counts[index])
    bias = float(model.intercept_[0]) if intercept else 0.0
    return LinearOpinion(encoder, model.coef_[0].astype(np.float32), bias, Calibration())


def together(picture, embedding):
    """Evidence of both, from the log-odds of each."""
    return (1 - SHARE) * np.asarray(picture) + SHARE * np.asarray(embedding)


def save_opinion(folder, opinion):
    """Write an opinion into the folder of the model it belongs to."""
    from safetensors.numpy import save_file

    with replacing(Path(folder) / WEIGHTS.format(encoder=opinion.encoder)) as temporary:
        save_file({"weight": np.asarray(opinion.weights, np.float32),
                   "bias": np.array([opinion.bias], np.float32)}, temporary)
    name = WEIGHTS.format(encoder=opinion.encoder)
    write_sealed_json(Path(folder) / CONFIG.format(encoder=opinion.encoder),
                      {"encoder": opinion.encoder, "share": SHARE,
                       "calibration": dataclasses.asdict(opinion.calibration)}, (name,))


def load_opinion(folder, encoder):
    """The opinion of an encoder in a model's folder.

    Raises
    ------
    UsageError
        if the model was trained without, or a file of it was changed or cut
    """
    from safetensors.numpy import load_file

    path = Path(folder) / WEIGHTS.format(encoder=encoder)
    if not path.is_file():
        raise UsageError(f"{folder}+{encoder}: found no {path.name}, expected the second opinion "
                         "of this model; name the model alone, or train it with --teacher "
                         f"{encoder}")
    about = Path(folder) / CONFIG.format(encoder=encoder)
    try:
        calibration = Calibration(**read_sealed_json(about, files_too=True)["calibration"])
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise UsageError(f"{about}: not of this second opinion ({error}); restore the folder or "
                         "train again") from error
    tensors = load_file(path)
    return LinearOpinion(encoder, tensors["weight"], float(tensors["bias"][0]), calibration)
