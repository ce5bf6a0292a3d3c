"""A classifier of acoustic features or embeddings, ready to answer."""

import os

import numpy as np

from voxsight.answer.picture_model import WindowSink
from voxsight.answer.prediction import (
    MIN_SOUND_S,
    NOT_A_NUMBER,
    UNCERTAIN,
    Prediction,
    label_of,
    of_what_was_heard,
)
from voxsight.classifiers import Options, find
from voxsight.encoders import find_encoder
from voxsight.errors import RecordingError, UsageError
from voxsight.features.acoustic import VERSION, FeatureConfig, describe
from voxsight.network.folder import ClassifierConfig, ModelFolder
from voxsight.sound.excerpts import CLOSE_S, Excerpt, speech_only
from voxsight.sound.recording import Recording

OLDEST = 2  # version of the features of models that do not say it


class FeatureModel:
    """A classifier that looks at features of the first seconds of speech, ready to answer.

    Parameters
    ----------
    model : ModelFolder, str or os.PathLike
        A folder as ``compare_classifiers.py`` writes it.
    min_confidence : float, optional
        Below it the label is ``uncertain`` (default: the confidence that the model promises).
    partial : str
        As for `PictureModel`.

    Attributes
    ----------
    folder : ModelFolder
    config : ClassifierConfig
    min_confidence : float

    Raises
    ------
    UsageError
        If it cannot be loaded.
    """

    def __init__(self, model: ModelFolder | str | os.PathLike, *,
                 min_confidence: float | None = None, partial: str = UNCERTAIN) -> None:
        self.folder, self._partial = ModelFolder.of(model), partial
        self.folder.check_files()
        assert isinstance(self.folder.config, ClassifierConfig)  # `open_model` looked
        self.config = self.folder.config
        self.min_confidence = (self.config.calibration.min_confidence if min_confidence is None
                               else min_confidence)
        self._features = self._checked_features()
        try:
            self._classifier = find(self.config.classifier).load(
                self.folder.path, Options(seconds=self._features.seconds))
        except (OSError, ValueError, KeyError) as error:
            raise UsageError(f"{self.folder.name}: could not be loaded ({error}), expected the "
                             f"classifier {self.config.classifier}; restore the folder") from error
        self._encoder = None
        if self._classifier.inputs == "embedding":
            self._encoder = find_encoder(self._classifier.encoder,
                                         **self.config.training.get("encoder", {}))

    def predict(self, source: Recording | str | os.PathLike,
                keep: WindowSink | None = None) -> Prediction:
        """Prediction for one recording, as `PictureModel.predict`; `keep` is given nothing."""
        path = source.path if isinstance(source, Recording) else str(source)
        try:
            recording = source if isinstance(source, Recording) else Recording(source)
            excerpt = self._excerpt(recording)
        except RecordingError as error:
            return Prediction(path, error=error.reason)
        p_female = None
        if excerpt.nonzero_s >= MIN_SOUND_S:
            p_female = float(self.config.calibration.p_female(self._log_odds(excerpt.samples)))
            if np.isnan(p_female):
                return Prediction(path, error=NOT_A_NUMBER)
        label = label_of(p_female, excerpt.speech_s > 0, self.min_confidence)
        return of_what_was_heard(Prediction(path, label, p_female, excerpt.speech_s), recording,
                                 self._partial)

    def _excerpt(self, recording: Recording) -> Excerpt:
        if self._encoder:
            return speech_only(recording)
        return speech_only(recording, self._features.seconds, CLOSE_S)

    def _checked_features(self) -> FeatureConfig:
        """What the classifier was trained on; raises if that is computed otherwise now."""
        config, found = self.config, self.config.features.get("version", OLDEST)
        if find(config.classifier).inputs == "embedding":  # which says of itself what it heard
            return FeatureConfig()
        if found != VERSION:
            raise UsageError(
                f"{self.folder.name}: found features of version {found}, expected version "
                f"{VERSION}, which this release computes, of speech alone; train it again with "
                f"scripts/compare_classifiers.py --only {config.classifier}")
        return FeatureConfig(**config.features)

    def _log_odds(self, samples: np.ndarray) -> float:
        kind = self._classifier.inputs
        if self._encoder:
            value = self._encoder.embed(samples)
        else:
            value = samples if kind == "samples" else describe(samples, self._features,
                                                               (kind,))[kind]
        return float(self._classifier.log_odds([value])[0])
