"""Models that recognise known speakers."""

import copy
import dataclasses
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from voxsight.encoders.chunks import Chunk
from voxsight.errors import UsageError
from voxsight.metrics.verification import unit_length

if TYPE_CHECKING:
    from sklearn.mixture import GaussianMixture
    from sklearn.pipeline import Pipeline

RULES = ("chunk", "recording", "chapter")
MODELS = ("mixtures", "network", "centroid")
TEST_FRACTION = 0.25
RELEVANCE = 16.0  # frames at which a speaker's own mean weighs as much as the background's
COMPONENTS = 32  # of the mixture of all speakers, if there are enough frames
FRAMES_PER_COMPONENT = 50
HIDDEN = 128  # units


@dataclasses.dataclass(frozen=True)
class Pieces:
    """Chunks of speech with their vectors.

    Attributes
    ----------
    chunks : list of Chunk [shape=(n,)]
        What is known of each chunk.
    values : np.ndarray [shape=(n, d)]
        A vector per chunk.
    frames : list of np.ndarray [shape=(frames, p)]
        Vectors within each chunk; only the vector of the chunk if there is nothing finer.
    """

    chunks: list[Chunk]
    values: np.ndarray
    frames: list[np.ndarray]

    @property
    def speakers(self) -> np.ndarray:
        """Speaker of each chunk, shape (n,)."""
        return np.array([chunk.speaker for chunk in self.chunks])

    @property
    def paths(self) -> np.ndarray:
        """Recording of each chunk, shape (n,)."""
        return np.array([chunk.path for chunk in self.chunks])

    def part(self, indices: Sequence[int] | np.ndarray) -> "Pieces":
        """The chunks at some indices."""
        return Pieces([self.chunks[i] for i in indices], self.values[indices],
                      [self.frames[i] for i in indices])


def split_pieces(pieces: Pieces, rule: str, seed: int = 42) -> tuple[np.ndarray, np.ndarray]:
    """Training and test chunks of every speaker.

    Parameters
    ----------
    pieces : Pieces
        Chunks of all speakers.
    rule : {"chunk", "recording", "chapter"}
        What is never divided between the two sides: a chunk, a recording, or a chapter of a
        book. With ``chunk``, chunks of one recording lie on both sides, so that the results
        are too good.
    seed : int
        Of the random choice.

    Returns
    -------
    train, test : np.ndarray [int]
        Indices. Speakers with one recording, or one chapter, are only trained on.

    Raises
    ------
    UsageError
        If no speaker has two of what is never divided.
    """
    rng = np.random.default_rng(seed)
    units = np.array([_unit(chunk, rule) for chunk in pieces.chunks])
    speakers = pieces.speakers
    is_test = np.zeros(len(units), bool)
    for speaker in sorted(set(speakers)):
        of_speaker = np.unique(units[speakers == speaker])
        count = min(max(1, round(TEST_FRACTION * len(of_speaker))), len(of_speaker) - 1)
        is_test |= np.isin(units, rng.permutation(of_speaker)[:count])
    if not is_test.any():
        raise UsageError(f"split by {rule}: found no speaker with two of them, expected two at "
                         "least to test on one; name more recordings")
    return np.flatnonzero(~is_test), np.flatnonzero(is_test)


def _unit(chunk: Chunk, rule: str) -> str:
    """Name of what a rule never divides."""
    if rule == "chunk":
        return f"{chunk.path}#{chunk.number}"
    return chunk.path if rule == "recording" else chunk.chapter or chunk.path


class SpeakerModel(Protocol):
    """A model of known speakers.

    Attributes
    ----------
    names : np.ndarray of str [shape=(speakers,)]
        The speakers, once the model is fitted.
    """

    names: np.ndarray

    def fit(self, pieces: Pieces, seed: int = 42) -> "SpeakerModel":
        """Learn the speakers of some chunks.

        Parameters
        ----------
        pieces : Pieces
            Chunks to train on.
        seed : int
            Of the random numbers.

        Returns
        -------
        SpeakerModel
            Itself.
        """

    def scores(self, pieces: Pieces) -> np.ndarray:
        """Score each chunk for each speaker.

        Parameters
        ----------
        pieces : Pieces
            Chunks to recognise.

        Returns
        -------
        np.ndarray [shape=(n, speakers)]
            Higher is likelier; only comparable between the speakers of one chunk.
        """


class CentroidModel:
    """Cosine of a chunk to the mean of a speaker's chunks."""

    names: np.ndarray

    def fit(self, pieces: Pieces, seed: int = 42) -> "CentroidModel":
        """Learn the speakers of some chunks; see `SpeakerModel.fit`."""
        self.names = np.unique(pieces.speakers)
        vectors, speakers = unit_length(pieces.values), pieces.speakers
        self._centroids = unit_length(np.array([vectors[speakers == name].mean(axis=0)
                                                for name in self.names]))
        return self

    def scores(self, pieces: Pieces) -> np.ndarray:
        """Cosine for each chunk and speaker, shape (n, speakers)."""
        return unit_length(pieces.values) @ self._centroids.T


class NetworkModel:
    """A neural network of one hidden layer."""

    names: np.ndarray

    def fit(self, pieces: Pieces, seed: int = 42) -> "NetworkModel":
        """Learn the speakers of some chunks; see `SpeakerModel.fit`."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPClassifier
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        network = MLPClassifier((HIDDEN,), alpha=1e-2, max_iter=300, random_state=seed)
        self._model: Pipeline = make_pipeline(StandardScaler(), network)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # stopping early does no harm
            self._model.fit(pieces.values, pieces.speakers)
        self.names = self._model.classes_
        return self

    def scores(self, pieces: Pieces) -> np.ndarray:
        """Log-probability of each speaker for each chunk, shape (n, speakers)."""
        return np.log(np.maximum(self._model.predict_proba(pieces.values), 1e-12))


class MixtureModel:
    """A Gaussian mixture per speaker, adapted from a mixture of all speakers.

    Means and weights are adapted (Reynolds, Quatieri and Dunn, "Speaker verification using
    adapted Gaussian mixture models", 2000).
    """

    names: np.ndarray

    def fit(self, pieces: Pieces, seed: int = 42) -> "MixtureModel":
        """Learn the speakers of some chunks; see `SpeakerModel.fit`."""
        from sklearn.mixture import GaussianMixture

        pooled = np.concatenate(pieces.frames)
        self._centre, self._spread = pooled.mean(axis=0), pooled.std(axis=0) + 1e-6
        pooled = self._scaled(pooled)
        self._background = GaussianMixture(
            max(1, min(COMPONENTS, len(pooled) // FRAMES_PER_COMPONENT)), covariance_type="diag",
            reg_covar=1e-2, random_state=seed).fit(pooled)
        self.names = np.unique(pieces.speakers)
        self._adapted = [self._adapt(self._frames_of(pieces, name)) for name in self.names]
        return self

    def scores(self, pieces: Pieces) -> np.ndarray:
        """Mean log-likelihood ratio to the mixture of all speakers, shape (n, speakers)."""
        rows = []
        for frames in pieces.frames:
            scaled = self._scaled(frames)
            background = self._background.score_samples(scaled)
            rows.append([np.mean(mixture.score_samples(scaled) - background)
                         for mixture in self._adapted])
        return np.array(rows)

    def _scaled(self, frames: np.ndarray) -> np.ndarray:
        return (frames - self._centre) / self._spread

    def _frames_of(self, pieces: Pieces, name: str) -> np.ndarray:
        """Scaled frames of one speaker."""
        return np.concatenate([self._scaled(frames) for frames, speaker
                               in zip(pieces.frames, pieces.speakers) if speaker == name])

    def _adapt(self, frames: np.ndarray) -> "GaussianMixture":
        responsibilities = self._background.predict_proba(frames)
        counts = responsibilities.sum(axis=0)[:, None]
        means = responsibilities.T @ frames / np.maximum(counts, 1e-9)
        # With one vector per chunk a speaker has few vectors, which still have to count.
        relevance = min(RELEVANCE, len(frames) / 10)
        weight = counts / (counts + relevance)
        adapted = copy.copy(self._background)
        adapted.means_ = weight * means + (1 - weight) * self._background.means_
        weights = weight * counts / len(frames) + (1 - weight) * adapted.weights_[:, None]
        adapted.weights_ = weights[:, 0] / weights.sum()
        return adapted


_MODELS: dict[str, type[SpeakerModel]] = {"mixtures": MixtureModel, "network": NetworkModel,
                                          "centroid": CentroidModel}


def fit_model(name: str, pieces: Pieces, seed: int = 42) -> SpeakerModel:
    """A fitted model.

    Parameters
    ----------
    name : {"mixtures", "network", "centroid"}
        Kind of model.
    pieces : Pieces
        Chunks to train on.
    seed : int
        Of the random numbers.

    Returns
    -------
    SpeakerModel
    """
    return _MODELS[name]().fit(pieces, seed)
