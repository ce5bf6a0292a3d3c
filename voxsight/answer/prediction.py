"""Predictions: what the model says of a recording, and of each window of it."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from voxsight.corpora.utterance import LABELS
from voxsight.sound.pitch import median_f0

UNCERTAIN, NO_SPEECH = "uncertain", "no_speech"
MIN_SOUND_S = 0.1  # of samples that are not zero; less is not enough for a probability
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
        Calibrated probability; None if the recording is silent or after an error.
    speech_s, duration_s : float or None
        Seconds.
    error : str
        Why there is no label.
    reason : str
        What makes the label uncertain, in words.
    """

    path: str
    label: str = ""
    p_female: float | None = None
    speech_s: float | None = None
    duration_s: float | None = None
    error: str = ""
    reason: str = ""

    def to_row(self) -> dict[str, Any]:
        """Values rounded for CSV and JSON."""
        def rounded(value: float | None, digits: int) -> float | None:
            return None if value is None else round(value, digits)

        return {"path": self.path, "label": self.label,
                "p_female": rounded(self.p_female, 4), "speech_s": rounded(self.speech_s, 2),
                "duration_s": rounded(self.duration_s, 3), "error": self.error,
                "reason": self.reason}


COLUMNS = ("path", "label", "p_female", "speech_s", "duration_s", "error")  # of the CSV


def label_of(p_female: float | None, spoke: bool, min_confidence: float) -> str:
    """Label for a probability, which may be None, and for whether somebody spoke.

    Examples
    --------
    >>> [label_of(p, True, 0.9) for p in (0.95, 0.6, 0.05)]
    ['female', 'uncertain', 'male']
    """
    if p_female is None or not spoke:
        return NO_SPEECH
    if max(p_female, 1 - p_female) < min_confidence:
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
