"""Answers from Python: a recording, an array, or many of them."""

import functools
import os
import tempfile

import numpy as np
import soundfile

from voxsight.models import open_model


def classify(recordings, *, model="models/default", min_confidence=None):
    """Say how the voices in recordings would be labelled, and how sure that is.

    Parameters
    ----------
    recordings : str, os.PathLike, (samples, rate), or list of these
        files, or samples of shape (n,) or (n, channels), float in [-1, 1] or int16, with their
        sampling rate in Hz
    model : str or os.PathLike
        model folder; loaded once
    min_confidence : float, optional
        below it an answer is ``uncertain``; by default what the model promises

    Returns
    -------
    prediction.Prediction or list of prediction.Prediction
        ``label``, ``p_female``, ``speech_s``, ``duration_s``; for a recording that cannot be
        read ``error`` says why. A list where a list was given.

    Raises
    ------
    UsageError
        if the model cannot be loaded
    ValueError
        if samples are not of such a shape, or the rate is not a number from 1 on
    """
    answerer = _loaded(str(model), min_confidence)
    if isinstance(recordings, list):
        return [_answer(answerer, recording) for recording in recordings]
    return _answer(answerer, recordings)


@functools.lru_cache(maxsize=4)
def _loaded(model, min_confidence):
    return open_model(model, min_confidence=min_confidence)


def _answer(answerer, recording):
    if isinstance(recording, str | os.PathLike):
        return answerer.answer(os.fspath(recording))
    samples, rate = _checked(*recording)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "samples.wav")
        kind = "PCM_16" if samples.dtype == np.int16 else "FLOAT"
        soundfile.write(path, samples, rate, subtype=kind)
        return answerer.answer(path)


def _checked(samples, rate):
    samples = np.asarray(samples)
    if samples.dtype != np.int16:
        samples = samples.astype(np.float32)
    if samples.ndim not in (1, 2) or not samples.size:
        raise ValueError(f"found samples of shape {samples.shape}, expected (n,) or (n, channels) "
                         "with n > 0; transpose an array of channels first")
    if not rate >= 1:
        raise ValueError(f"found a rate of {rate}, expected Hz from 1 on")
    return samples, int(rate)
