"""Predictions: what the model says of a recording, and of each window of it."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from voxsight.corpora.utterance import LABELS
from voxsight.sound.pitch import median_f0
from voxsight.sound.recording import Recording, incomplete

UNCERTAIN, NO_SPEECH = "uncertain", "no_speech"
MIN_SOUND_S = 0.1  # of samples that are not zero; less is not enough for a probability
NOT_A_NUMBER = ("found NaN as the model's answer, expected a probability; restore the model's "
                "folder or train it again")  # the error of a row
SHORT_S = 0.4
BETWEEN_HZ = (145.0, 200.0)  # medians of both men and women lie here


@dataclasses.dataclass(frozen=True)
class WindowPrediction:
    """The prediction for one window.

    Attributes
    ----------
    start_s, end_s : float
        What its picture shows, seconds; padding lies outside the recording.
    speech : tuple of (float, float)
        The speech that it stands for, seconds.
    log_odds : float
        Of female, before calibration.
    picture : np.ndarray [shape=(height, width, 3), uint8] or None
        None once it is no longer needed.
    samples : np.ndarray [shape=(n,), float32] or None
        At the recipe's rate.
    class_maps : np.ndarray [shape=(2, h, w)] or None
        Class maps of the network's run, female first.
    """

    start_s: float
    end_s: float
    speech: tuple[tuple[float, float], ...]
    log_odds: float
    picture: np.ndarray | None
    samples: np.ndarray | None
    class_maps: np.ndarray | None = None

    def without_arrays(self) -> "WindowPrediction":
        """The same without picture, samples and maps, which take most of the memory."""
        return dataclasses.replace(self, picture=None, samples=None, class_maps=None)


@dataclasses.dataclass(frozen=True)
class Prediction:
    """The prediction for one recording: a row of ``deploy_model.py``.

    Attributes
    ----------
    path : str
        As given; empty for samples in memory.
    label : str
        ``female``, ``male``, ``uncertain`` or ``no_speech``; empty after an error.
    p_female : float or None
        Calibrated probability; None if the recording is silent or after an error. It means
        nothing if the label is ``no_speech``.
    speech_s, duration_s : float or None
        Seconds.
    error : str
        Why there is no label.
    reason : str
        What makes the label uncertain, in words.
    heard_s : float or None
        Seconds that could be decoded; less than `duration_s` if a part is missing.
    missing : str
        What could not be heard, in words; empty if everything was.
    """

    path: str
    label: str = ""
    p_female: float | None = None
    speech_s: float | None = None
    duration_s: float | None = None
    error: str = ""
    reason: str = ""
    heard_s: float | None = None
    missing: str = ""

    def to_row(self) -> dict[str, Any]:
        """Values rounded for CSV and JSON."""
        def rounded(value: float | None, digits: int) -> float | None:
            return None if value is None else round(value, digits)

        return {"path": self.path, "label": self.label,
                "p_female": rounded(self.p_female, 4), "speech_s": rounded(self.speech_s, 2),
                "duration_s": rounded(self.duration_s, 3), "error": self.error,
                "heard_s": rounded(self.heard_s, 3), "missing": self.missing,
                "reason": self.reason}


COLUMNS = ("path", "label", "p_female", "speech_s", "duration_s", "error", "heard_s", "missing",
           "reason")  # of the CSV
PARTIAL = ("answer", "uncertain", "refuse")  # what to do with a recording that lacks a part


def of_what_was_heard(prediction: Prediction, recording: Recording, partial: str) -> Prediction:
    """A prediction with what is missing of its recording; that decides if it is too much.

    Parameters
    ----------
    prediction : Prediction
        For what was heard.
    recording : Recording
        Read to its end.
    partial : {"answer", "uncertain", "refuse"}
        What to do if less than `NEARLY_ALL` was heard: keep the label, call it uncertain, or
        give an error instead.

    Returns
    -------
    Prediction
    """
    missing = recording.missing
    prediction = dataclasses.replace(prediction, duration_s=recording.duration_s,
                                     heard_s=recording.heard_s, missing=missing)
    if recording.is_nearly_whole or partial == "answer":
        return prediction
    if partial == "refuse":
        return Prediction(prediction.path, error=incomplete(recording).reason, missing=missing)
    if prediction.label in LABELS:
        return dataclasses.replace(prediction, label=UNCERTAIN, reason=f"missing: {missing}")
    return prediction


def label_of(p_female: float | None, spoke: bool, min_confidence: float) -> str:
    """Label for a probability, which may be None, and for whether somebody spoke.

    NaN, of a model that is broken, is ``uncertain``.

    Examples
    --------
    >>> [label_of(p, True, 0.9) for p in (0.95, 0.6, 0.05, float("nan"))]
    ['female', 'uncertain', 'male', 'uncertain']
    """
    if p_female is None or not spoke:
        return NO_SPEECH
    if not max(p_female, 1 - p_female) >= min_confidence:  # so written, NaN is uncertain too
        return UNCERTAIN
    return LABELS[0] if p_female >= 0.5 else LABELS[1]


def why_uncertain(windows: Sequence[np.ndarray], rate: int, speech_s: float,
                  p_female: float) -> str:
    """What makes a label uncertain, in words.

    Parameters
    ----------
    windows : sequence of np.ndarray [shape=(n,)]
        Samples of the first windows.
    rate : int
        Hz.
    speech_s : float
        Seconds of speech in the recording.
    p_female : float
    """
    pitches = [f0 for samples in windows if (f0 := median_f0(samples, rate))]
    if speech_s < SHORT_S:
        return f"only {speech_s:.2f} s of speech"
    if not pitches:
        return "no pitch was found, as in a whisper or in noise"
    f0 = float(np.median(pitches))
    low, high = BETWEEN_HZ
    if low <= f0 <= high:
        return f"pitch {f0:.0f} Hz lies between the groups"
    usual = LABELS[0] if f0 > high else LABELS[1]
    if (p_female >= 0.5) == (usual == LABELS[0]):
        return f"pitch {f0:.0f} Hz speaks for {usual}, but {speech_s:.2f} s do not make it sure"
    return f"pitch {f0:.0f} Hz is more usual for {usual}, the rest of the voice is not"
