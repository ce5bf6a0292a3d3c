"""Answers from Python: for a file, samples in memory, or many of both."""

import functools
import os
from typing import overload

from numpy.typing import ArrayLike

from voxsight.answer.opening import Model, open_model
from voxsight.answer.prediction import Prediction
from voxsight.errors import RecordingError
from voxsight.sound.recording import Recording

Source = str | os.PathLike | Recording | tuple[ArrayLike, float]


@overload
def classify(recordings: list, *, model: str | os.PathLike = ...,
             min_confidence: float | None = ...) -> list[Prediction]: ...
@overload
def classify(recordings: Source, *, model: str | os.PathLike = ...,
             min_confidence: float | None = ...) -> Prediction: ...
def classify(recordings: Source | list[Source], *, model: str | os.PathLike = "models/default",
             min_confidence: float | None = None) -> Prediction | list[Prediction]:
    """Say how speech corpora would label the voices in recordings, and how sure that is.

    Parameters
    ----------
    recordings : str, os.PathLike, Recording, (samples, rate), or list of these
        Files, or samples of shape (n,) or (n, channels), float in [-1, 1] or int16, with their
        sampling rate in Hz.
    model : str or os.PathLike
        Model folder; loaded once.
    min_confidence : float, optional
        Below it a label is ``uncertain`` (default: the confidence that the model promises).

    Returns
    -------
    Prediction or list of Prediction
        ``label``, ``p_female``, ``speech_s``, ``duration_s``; if a recording cannot be read,
        ``error`` says why. A list if a list was given.

    Raises
    ------
    UsageError
        If the model cannot be loaded.
    ValueError
        If samples are not of such a shape, or the rate is below 1.

    Examples
    --------
    >>> prediction = classify("my_wavs/rms_morning.wav")
    >>> prediction.label, round(prediction.speech_s, 2)
    ('male', 2.27)
    """
    opened = _opened(str(model), min_confidence)
    if isinstance(recordings, list):
        return [_predicted(opened, recording) for recording in recordings]
    return _predicted(opened, recordings)


@functools.lru_cache(maxsize=4)
def _opened(model: str, min_confidence: float | None) -> Model:
    return open_model(model, min_confidence=min_confidence)


def _predicted(model: Model, source: Source) -> Prediction:
    if isinstance(source, str | os.PathLike | Recording):
        return model.predict(source)
    try:
        recording = Recording.of(*source)
    except RecordingError as error:
        return Prediction("", error=error.reason)
    return model.predict(recording)
