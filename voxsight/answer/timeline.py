"""Who speaks when in a long recording; each window is supported by its neighbours.

A chain of two states, the label of whoever speaks, is put over the windows: from one window to
the next the voice seldom changes while somebody goes on speaking; after a long pause both labels
are equally likely.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from voxsight.answer.picture_model import PictureModel
from voxsight.answer.prediction import WindowPrediction
from voxsight.corpora.utterance import LABELS

CHANGE_WITHIN_SPEECH = 0.02  # probability of a change of voice from one window to the next
PAUSE_S = 3.0  # a pause in which half of what is known about the voice is forgotten
MAX_GAP_S = 0.5  # longer pauses separate segments
VOICE_S, VOICE_SHARE = 1.0, 0.15  # of labelled time; less than both is no second voice
MAX_LOG_ODDS = 60.0  # beyond it the probability no longer changes, and exp() may overflow


def timeline(windows: Sequence[WindowPrediction], model: PictureModel) -> list[dict[str, Any]]:
    """Who speaks when: neighbouring windows of one label, joined over short gaps.

    Parameters
    ----------
    windows : list of WindowPrediction
        Those of one recording, in time order.
    model : PictureModel
        The model that they come from.

    Returns
    -------
    list of dict
        ``start_s, end_s, label, p_female`` of each segment of speech, in time order.
    """
    windows = [window for window in windows if window.speech]
    if not windows:
        return []
    calibration = model.config.calibration
    log_odds = calibration.calibrated_log_odds([window.log_odds for window in windows])
    pauses = [after.speech[0][0] - before.speech[-1][1] for before, after in pairwise(windows)]
    segments: list[dict[str, Any]] = []
    probabilities: list[float] = []  # of the windows in the last segment
    for window, p_female in zip(windows, smoothed(log_odds, pauses)):
        label = model.label(p_female)
        for start_s, end_s in window.speech:
            last = segments[-1] if segments else None
            if last and last["label"] == label and start_s - last["end_s"] <= MAX_GAP_S:
                last["end_s"] = round(end_s, 3)
                probabilities.append(p_female)
            else:
                segments.append({"start_s": round(start_s, 3), "end_s": round(end_s, 3),
                                 "label": label})
                probabilities = [p_female]
            segments[-1]["p_female"] = round(float(np.mean(probabilities)), 4)
    return segments


def two_voices(segments: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The two voices of a timeline, if both labels have at least `VOICE_S` and `VOICE_SHARE`.

    Parameters
    ----------
    segments : sequence of mapping
        As `timeline` returns them.

    Returns
    -------
    list of dict
        ``label`` and ``seconds`` of each, the shorter one first; empty if there is one voice.

    Examples
    --------
    >>> two_voices([{"start_s": 0.0, "end_s": 4.0, "label": "female"},
    ...             {"start_s": 4.5, "end_s": 6.0, "label": "male"}])
    [{'label': 'male', 'seconds': 1.5}, {'label': 'female', 'seconds': 4.0}]
    """
    seconds = {label: round(sum(segment["end_s"] - segment["start_s"] for segment in segments
                                if segment["label"] == label), 2) for label in LABELS}
    if min(seconds.values()) < max(VOICE_S, VOICE_SHARE * sum(seconds.values())):
        return []
    return [{"label": label, "seconds": seconds[label]} for label in sorted(LABELS,
                                                                          key=seconds.__getitem__)]


def smoothed(log_odds: Sequence[float] | np.ndarray,
             pauses: Sequence[float] | np.ndarray) -> list[float]:
    """Probability of female at each window, given all windows.

    The forward-backward algorithm (Rabiner, "A tutorial on hidden Markov models and selected
    applications in speech recognition", 1989) for two states that differ in nothing but the
    label.

    Parameters
    ----------
    log_odds : sequence of float [shape=(n,)]
        Calibrated log-odds of female, of each window alone.
    pauses : sequence of float [shape=(n - 1,)]
        Pause between the speech of a window and that of the next, seconds.

    Returns
    -------
    list of float [shape=(n,)]

    Examples
    --------
    >>> [round(p, 2) for p in smoothed([3.0, -0.5, 3.0], [0.0, 0.0])]
    [0.99, 0.99, 0.99]
    """
    change = 0.5 - (0.5 - CHANGE_WITHIN_SPEECH) * 2 ** (-np.maximum(pauses, 0.0) / PAUSE_S)
    before = _carried(log_odds, change)
    after = _carried(log_odds[::-1], change[::-1])[::-1]
    return _probability(np.array(before) + log_odds + after).tolist()


def _carried(log_odds: Sequence[float] | np.ndarray, change: np.ndarray) -> list[float]:
    """Log-odds that the windows before each window give it."""
    carried = [0.0]
    for value, p_change in zip(log_odds, change):
        p = _probability(carried[-1] + value)
        p = p * (1 - p_change) + (1 - p) * p_change
        carried.append(float(np.log(p / (1 - p))))
    return carried


def _probability(log_odds: Any) -> Any:
    return 1 / (1 + np.exp(-np.clip(log_odds, -MAX_LOG_ODDS, MAX_LOG_ODDS)))
