"""Compares the timeline of a conversation with who really spoke.

Conventions
-----------
A timeline is a list of labelled segments, the truth a list of stretches; both have starts and
ends in seconds from the beginning of the conversation. Both are compared in steps of 10 ms, so
figures are fractions of time, not of segments. Time in no stretch is a pause; time in no segment
was not detected as speech. No tolerance is applied around changes of speaker. Noise, music and
pauses are not speech.

As in the evaluation of diarisation [1]_, missed speech and false alarms (here ``missed`` and
``noise_as_speech``) are counted apart from wrong labels.

References
----------
.. [1] NIST, "The 2009 (RT-09) rich transcription meeting recognition evaluation plan", 2009
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

STEP_S = 0.01  # of the comparison in time


@dataclasses.dataclass(frozen=True)
class Stretch:
    """Part of a conversation in which somebody speaks or something else sounds.

    Attributes
    ----------
    start_s, end_s : float
        Seconds.
    kind : {"female", "male", "noise"}
        Label of the speaker, or noise or music. Pauses are no stretches.
    speaker : str
        Empty for noise.
    """

    start_s: float
    end_s: float
    kind: str
    speaker: str = ""


def timeline_figures(segments: Sequence[Mapping[str, Any]],
                     stretches: Sequence[Stretch]) -> dict[str, float]:
    """Compares a timeline with the truth.

    Parameters
    ----------
    segments : sequence of dict
        ``start_s``, ``end_s`` and ``label`` of each, as `answer.timeline.timeline` returns them.
    stretches : sequence of Stretch
        In time order.

    Returns
    -------
    dict of str to float
        ``label_accuracy``: fraction of the speech labelled female or male whose label is right.
        ``uncertain``: fraction of the detected speech that is labelled uncertain. ``missed``:
        fraction of speech in no segment, pauses within turns included. ``female_share``:
        fraction of the speech labelled female or male that is labelled female.
        ``true_female_share``: fraction of the detected speech that is female.
        ``noise_as_speech``: fraction of music, noise and pauses that lies in a segment.
        ``minutes``: duration.
    """
    n_steps = int(stretches[-1].end_s / STEP_S) + 1
    truth, label = np.full(n_steps, "pause", "U9"), np.full(n_steps, "nothing", "U9")
    for stretch in stretches:
        truth[_steps(stretch.start_s, stretch.end_s)] = stretch.kind
    for segment in segments:
        label[_steps(float(segment["start_s"]), float(segment["end_s"]))] = segment["label"]
    speech, detected = np.isin(truth, ("female", "male")), label != "nothing"
    answered = speech & np.isin(label, ("female", "male"))
    return {
        "label_accuracy": float(np.mean((label == truth)[answered])),
        "uncertain": float(np.mean((label == "uncertain")[speech & detected])),
        "missed": float(np.mean(~detected[speech])),
        "female_share": float(np.mean((label == "female")[answered])),
        "true_female_share": float(np.mean((truth == "female")[speech & detected])),
        "noise_as_speech": float(np.mean(detected[~speech])),
        "minutes": n_steps * STEP_S / 60}


def _steps(start_s: float, end_s: float) -> slice:
    return slice(round(start_s / STEP_S), round(end_s / STEP_S))
