"""Opens any model folder."""

import os

from voxsight.answer.feature_model import FeatureModel
from voxsight.answer.picture_model import PictureModel
from voxsight.answer.prediction import PARTIAL, UNCERTAIN
from voxsight.errors import UsageError
from voxsight.network.folder import ClassifierConfig, ModelFolder

Model = PictureModel | FeatureModel


def open_model(model: ModelFolder | str | os.PathLike, *, min_confidence: float | None = None,
               alone: bool = False, partial: str = UNCERTAIN) -> Model:
    """The model of a folder, ready to answer.

    Parameters
    ----------
    model : ModelFolder, str or os.PathLike
        A folder as ``train_model.py`` or ``compare_classifiers.py`` writes it, or
        ``FOLDER+ENCODER``.
    min_confidence : float, optional
        Below it the label is ``uncertain`` (default: the confidence that the model promises).
    alone, partial : bool, str
        As for `PictureModel`.

    Returns
    -------
    PictureModel or FeatureModel
        Both have ``predict(recording)``.

    Raises
    ------
    UsageError
        If the folder holds no model that can be loaded.
    ValueError
        If `min_confidence` is not from 0 to 1, or `partial` is unknown.

    Examples
    --------
    >>> open_model("models/default").predict("my_wavs/slt_fox.wav").label
    'female'
    """
    if min_confidence is not None and not 0 <= min_confidence <= 1:
        raise ValueError(f"found min_confidence={min_confidence}, expected a number from 0 to 1")
    if partial not in PARTIAL:
        raise ValueError(f"found partial={partial!r}, expected one of {', '.join(PARTIAL)}")
    folder = ModelFolder.of(model)
    if not isinstance(folder.config, ClassifierConfig):
        return PictureModel(folder, min_confidence=min_confidence, alone=alone,
                            partial=partial)
    if folder.encoder:
        raise UsageError(f"{folder.name}: the classifier {folder.config.classifier} cannot be "
                         f"combined with a voice encoder; omit +{folder.encoder}, or name a model "
                         "that was trained with --teacher")
    return FeatureModel(folder, min_confidence=min_confidence, partial=partial)
