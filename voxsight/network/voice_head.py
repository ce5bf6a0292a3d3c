"""A linear classifier on voice embeddings, stored in the folder of a picture network.

The voice encoder is also the teacher of the picture network: functions at the end of this
module prepare its embeddings for the training, and fit the classifier beside the network.
"""

import dataclasses
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from voxsight.base.checksums import read_checksummed_json, write_checksummed_json
from voxsight.base.files import replacing
from voxsight.corpora.utterance import UNLABELLED
from voxsight.errors import UsageError
from voxsight.metrics.calibration import Calibration, fit_calibration
from voxsight.network.folder import check_finite

if TYPE_CHECKING:
    from voxsight.pictures.dataset import Picture

HEAD_WEIGHTS, HEAD_CONFIG = "{encoder}.safetensors", "{encoder}.json"
VOICE_WEIGHT = 0.7  # of a new voice head in the fused log-odds


@dataclasses.dataclass(frozen=True)
class VoiceHead:
    """Log-odds of female that are linear in a speaker embedding.

    Attributes
    ----------
    encoder : str
        Key of `ENCODERS`.
    weights : np.ndarray [shape=(d,), float32]
    bias : float
    calibration : Calibration
        Of the fused log-odds of picture network and voice head.
    share : float
        Of the voice head in them; the picture network has the rest.
    """

    encoder: str
    weights: np.ndarray
    bias: float
    calibration: Calibration
    share: float = VOICE_WEIGHT

    def log_odds(self, embeddings: ArrayLike) -> np.ndarray:
        """Log-odds of female of embeddings, shape (..., d)."""
        return np.asarray(embeddings) @ self.weights + self.bias

    def fused(self, picture_log_odds: ArrayLike, voice_log_odds: ArrayLike) -> np.ndarray:
        """Weighted mean of the log-odds of the picture network and of the voice head.

        Parameters
        ----------
        picture_log_odds : float or array
            Calibrated log-odds of the picture network.
        voice_log_odds : float or array
            Log-odds of the voice head.

        Returns
        -------
        np.ndarray
        """
        return ((1 - self.share) * np.asarray(picture_log_odds)
                + self.share * np.asarray(voice_log_odds))


def fit_voice_head(encoder: str, embeddings: np.ndarray, is_female: ArrayLike,
                   speakers: Sequence[str], *, intercept: bool = True) -> VoiceHead:
    """Logistic regression on the embeddings of recordings.

    Parameters
    ----------
    encoder : str
        Key of `ENCODERS`.
    embeddings : np.ndarray [shape=(n, d)]
    is_female : array of bool [shape=(n,)]
    speakers : sequence of str [shape=(n,)]
        Each has the same weight, however many recordings there are.
    intercept : bool
        Without it the bias is 0.

    Returns
    -------
    VoiceHead
        Not calibrated yet.
    """
    from sklearn.linear_model import LogisticRegression

    names, index, counts = np.unique(speakers, return_inverse=True, return_counts=True)
    model = LogisticRegression(C=10.0 * len(speakers) / len(names), class_weight="balanced",
                               max_iter=2000, fit_intercept=intercept)
    model.fit(embeddings, is_female, sample_weight=1 / counts[index])
    bias = float(model.intercept_[0]) if intercept else 0.0
    return VoiceHead(encoder, model.coef_[0].astype(np.float32), bias, Calibration())


def save_voice_head(folder: str | os.PathLike, head: VoiceHead) -> None:
    """Write a voice head into the folder of the model it belongs to.

    Parameters
    ----------
    folder : str or os.PathLike
    head : VoiceHead

    Raises
    ------
    UsageError
        If a weight is not finite.
    """
    from safetensors.numpy import save_file

    name = HEAD_WEIGHTS.format(encoder=head.encoder)
    tensors = {"weight": np.asarray(head.weights, np.float32),
               "bias": np.array([head.bias], np.float32)}
    check_finite(tensors, Path(folder) / name, "; look at the embeddings it was fitted to")
    with replacing(Path(folder) / name) as temporary:
        save_file(tensors, temporary)
    config = {"encoder": head.encoder, "share": head.share,
              "calibration": dataclasses.asdict(head.calibration)}
    write_checksummed_json(Path(folder) / HEAD_CONFIG.format(encoder=head.encoder), config, (name,))


def load_voice_head(folder: str | os.PathLike, encoder: str) -> VoiceHead:
    """The voice head for an encoder in a model's folder.

    Parameters
    ----------
    folder : str or os.PathLike
    encoder : str
        Key of `ENCODERS`.

    Returns
    -------
    VoiceHead

    Raises
    ------
    UsageError
        If the model was trained without it, or one of its files was changed or cut.
    """
    from safetensors.numpy import load_file

    weights_file = Path(folder) / HEAD_WEIGHTS.format(encoder=encoder)
    if not weights_file.is_file():
        raise UsageError(f"{folder}+{encoder}: found no {weights_file.name}, expected the voice "
                         "classifier of this model; name the model alone, or train it with "
                         f"--teacher {encoder}")
    config_file = Path(folder) / HEAD_CONFIG.format(encoder=encoder)
    try:
        config = read_checksummed_json(config_file, files_too=True)
        calibration, share = Calibration(**config["calibration"]), float(config["share"])
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise UsageError(f"{config_file}: not the config of this voice classifier ({error}); "
                         "restore the folder or train again") from error
    tensors = load_file(weights_file)
    return VoiceHead(encoder, tensors["weight"], float(tensors["bias"][0]), calibration, share)


def centred_embeddings(embeddings: np.ndarray, pictures: Sequence["Picture"],
                       valid: np.ndarray) -> np.ndarray:
    """Embeddings relative to the midpoint between the labels.

    What all voices have in common is removed, so that the network learns how they differ.

    Parameters
    ----------
    embeddings : np.ndarray [shape=(n, d), float32]
        Of the voice in each picture.
    pictures : sequence of Picture [shape=(n,)]
    valid : np.ndarray [shape=(m,), int]
        Indices of the pictures that validate; they do not affect the midpoint.

    Returns
    -------
    np.ndarray [shape=(n, d), float32]
    """
    targets = np.array([p.target for p in pictures])
    targets[valid] = np.nan
    return embeddings - (embeddings[targets == 1].mean(axis=0)
                         + embeddings[targets == 0].mean(axis=0)) / 2


def direction_of_female(embeddings: np.ndarray, pictures: Sequence["Picture"], valid: np.ndarray,
                        encoder: str) -> np.ndarray:
    """Direction among centred embeddings that separates the labels of the training voices.

    A label head trained on pictures memorises the few hundred speakers. The teacher was trained
    on thousands, and the network learns to map voices to where the teacher puts them.

    Parameters
    ----------
    embeddings : np.ndarray [shape=(n, d), float32]
        As `centred_embeddings` returns them.
    pictures, valid
        As for `centred_embeddings`.
    encoder : str
        Key of `ENCODERS`.

    Returns
    -------
    np.ndarray [shape=(d,), float32]
        Towards female.
    """
    indices = _clean_training_indices(pictures, valid)
    lengths = np.linalg.norm(embeddings[indices], axis=1, keepdims=True)
    head = fit_voice_head(encoder, embeddings[indices] / lengths,
                          [pictures[i].gender == "female" for i in indices],
                          [pictures[i].speaker for i in indices], intercept=False)
    return head.weights


def fit_calibrated_voice_head(pictures: Sequence["Picture"], valid: np.ndarray,
                              picture_log_odds: ArrayLike, is_female: ArrayLike, encoder: str, *,
                              quiet: bool = False) -> VoiceHead:
    """Voice head of the training recordings, calibrated on those that validate.

    Parameters
    ----------
    pictures : sequence of Picture [shape=(n,)]
    valid : np.ndarray [shape=(m,), int]
        Indices of the pictures that validate.
    picture_log_odds : array [shape=(k,)]
        Calibrated log-odds of the picture network for the validation recordings.
    is_female : array of bool [shape=(k,)]
        Their labels.
    encoder : str
        Key of `ENCODERS`.
    quiet : bool
        No progress bar.

    Returns
    -------
    VoiceHead
    """
    from voxsight.encoders.embeddings import embed_recordings

    training = _recordings(pictures[i] for i in _clean_training_indices(pictures, valid))
    validating = _recordings(pictures[i] for i in valid)
    embeddings = embed_recordings([p.source for p in training], encoder, quiet=quiet)
    head = fit_voice_head(encoder, embeddings, [p.gender == "female" for p in training],
                          [p.speaker for p in training])
    voice_log_odds = head.log_odds(
        embed_recordings([p.source for p in validating], encoder, quiet=quiet))
    fused = head.fused(picture_log_odds, voice_log_odds)
    return dataclasses.replace(head, calibration=fit_calibration(
        fused, is_female, [p.speaker for p in validating]))


def _clean_training_indices(pictures: Sequence["Picture"], valid: np.ndarray) -> list[int]:
    """Pictures with a label, not altered, of recordings that do not validate."""
    held_out = {pictures[i].source for i in valid}
    return [i for i, p in enumerate(pictures) if not p.augmentation and p.gender != UNLABELLED
            and p.source not in held_out]


def _recordings(pictures: Iterable["Picture"]) -> list["Picture"]:
    """One picture of each recording."""
    return list({(p.source, p.speaker, p.gender): p for p in pictures}.values())
