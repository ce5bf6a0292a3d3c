"""Answers from Python: for files, for sound in memory, or for many of both."""

import dataclasses
import functools
import os
from collections.abc import Iterable
from typing import Any, overload

from voxsight.answer.opening import Model, open_model
from voxsight.answer.prediction import UNCERTAIN, Prediction
from voxsight.answer.sources import Source, is_many, name_of, opened
from voxsight.errors import RecordingError


@overload
def classify(recordings: Source, *, model: str | os.PathLike = ...,  # type: ignore[overload-overlap]
             min_confidence: float | None = ..., partial: str = ...) -> Prediction: ...
@overload
def classify(recordings: Iterable[Source], *, model: str | os.PathLike = ...,
             min_confidence: float | None = ...,
             partial: str = ...) -> list[Prediction]: ...
def classify(recordings: Any, *, model: str | os.PathLike = "models/default",
             min_confidence: float | None = None,
             partial: str = UNCERTAIN) -> Prediction | list[Prediction]:
    """Say how speech corpora would label the voices in recordings, and how sure that is.

    Parameters
    ----------
    recordings : a recording, or an iterable of recordings
        A recording is a path; a `Recording`; a file object that is open for reading bytes, or
        the bytes of a sound file; samples and their sampling rate in Hz as a tuple in either
        order, where the number is the rate; or, as in data sets of Hugging Face, a decoder of
        torchcodec, or a dictionary with ``array`` and ``sampling_rate``, with ``bytes`` or with
        ``path``. Samples are NumPy arrays, tensors or lists of shape (n,), (n, channels) or
        (channels, n): the longer side is time. They are floats in [-1, 1] or int16.
    model : str or os.PathLike
        Model folder; loaded once.
    min_confidence : float, optional
        From 0 to 1. Below it a label is ``uncertain`` (default: the confidence that the model
        promises).
    partial : {"uncertain", "answer", "refuse"}
        What to say of a recording of which less than nine tenths could be decoded.

    Returns
    -------
    Prediction or list of Prediction
        ``label``, ``p_female``, ``speech_s``, ``duration_s``; if a recording cannot be read,
        ``error`` says why; if a part of it could not be decoded, ``missing`` says so. ``path``
        is the caller's: the path, the name of a file object, the ``path`` of a dictionary, and
        otherwise empty. A list if recordings were given in a list, a tuple, a generator or
        another iterable.

    Raises
    ------
    UsageError
        If the model cannot be loaded.
    TypeError
        If something is no recording.
    ValueError
        If samples are of no such shape or type, the rate is below 1, a file object is closed,
        `min_confidence` is not from 0 to 1, or `partial` is unknown.

    Examples
    --------
    >>> prediction = classify("my_wavs/rms_morning.wav")
    >>> prediction.label, round(prediction.speech_s, 2)
    ('male', 2.27)
    """
    loaded = _loaded(str(model), min_confidence, partial)
    if is_many(recordings):
        return [_predicted(loaded, recording) for recording in recordings]
    return _predicted(loaded, recordings)


@functools.lru_cache(maxsize=4)
def _loaded(model: str, min_confidence: float | None, partial: str) -> Model:
    return open_model(model, min_confidence=min_confidence, partial=partial)


def _predicted(model: Model, source: Source) -> Prediction:
    name = name_of(source)
    try:
        with opened(source) as recording:
            return dataclasses.replace(model.predict(recording), path=name)
    except RecordingError as error:
        return Prediction(name, error=error.reason)
