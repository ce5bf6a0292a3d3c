"""Any saved model, ready to answer: the picture network or another classifier."""

from voxsight.checkpoint import ClassifierConfig, find_model, load_config, split_model
from voxsight.classifiers import Options, find
from voxsight.embeddings import find_encoder, hear_speech
from voxsight.errors import RecordingError, UsageError
from voxsight.features import FeatureConfig, describe, hear
from voxsight.prediction import MIN_SOUND_S, PictureModel, Prediction, label_of


def open_model(model, *, min_confidence=None, alone=False):
    """The model of a folder.

    Parameters
    ----------
    model : str or os.PathLike
        folder as ``train_model.py`` or ``compare_classifiers.py`` writes it, or
        ``FOLDER+ENCODER``
    min_confidence, alone
        as for `prediction.PictureModel`

    Returns
    -------
    prediction.PictureModel or FeatureModel

    Raises
    ------
    UsageError
        if the folder holds no model that can be loaded
    """
    config = load_config(model)
    if isinstance(config, ClassifierConfig):
        if encoder := split_model(model)[1]:
            raise UsageError(f"{model}: found the classifier {config.classifier}, which has no "
                             f"second opinion; leave +{encoder} away, or name a model that was "
                             "trained with --teacher")
        return FeatureModel(model, min_confidence=min_confidence)
    return PictureModel(model, min_confidence=min_confidence, alone=alone)


def check_shows_pictures(config, model):
    """Raise UsageError unless a config is that of a picture network."""
    if isinstance(config, ClassifierConfig):
        raise UsageError(f"{model}: found the classifier {config.classifier}, expected a picture "
                         "network, which alone makes pictures, heat maps and timelines; name "
                         "another model, such as models/default")


class FeatureModel:
    """A classifier that looks at features of the first seconds, ready to answer.

    Parameters
    ----------
    model : str or os.PathLike
        folder as ``compare_classifiers.py`` writes it
    min_confidence : float, optional
        below it the answer is ``uncertain``; by default what the model promises

    Raises
    ------
    UsageError
        if it cannot be loaded
    """

    def __init__(self, model, *, min_confidence=None):
        self.config = load_config(model, files_too=True)
        self.min_confidence = (self.config.calibration.min_confidence if min_confidence is None
                               else min_confidence)
        self._features = FeatureConfig(**self.config.features)
        try:
            self._classifier = find(self.config.classifier).load(
                find_model(model), Options(seconds=self._features.seconds))
        except (OSError, ValueError, KeyError) as error:
            raise UsageError(f"{model}: could not be loaded ({error}), expected the classifier "
                             f"{self.config.classifier}; restore the folder") from error
        self._encoder = None
        if self._classifier.inputs == "embedding":
            self._encoder = find_encoder(self._classifier.encoder,
                                         **self.config.training.get("encoder", {}))

    def answer(self, path, keep=None):
        """Answer for one recording, as `prediction.PictureModel.answer`; `keep` gets nothing."""
        try:
            heard = hear_speech(path) if self._encoder else hear(path, self._features.seconds)
        except RecordingError as error:
            return Prediction(str(path), error=error.reason)
        p_female = None
        if heard.nonzero_s >= MIN_SOUND_S:
            p_female = float(self.config.calibration.p_female(self._log_odds(heard.samples)))
        label = label_of(p_female, heard.speech_s > 0, self.min_confidence)
        return Prediction(str(path), label, p_female, heard.speech_s, heard.duration_s)

    def _log_odds(self, samples):
        kind = self._classifier.inputs
        if self._encoder:
            value = self._encoder.embed(samples)
        else:
            value = samples if kind == "samples" else describe(samples, self._features)[kind]
        return self._classifier.log_odds([value])[0]
