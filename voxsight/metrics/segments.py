"""Compares the timeline of a conversation with who really spoke.

Conventions
-----------
A timeline is a list of labelled segments, the truth a list of stretches; both have starts and
ends in seconds from the beginning of the conversation. Both are compared in steps of 10 ms, so
figures are fractions of time, not of segments. Time in no stretch is a pause; time in no segment
was not detected as speech. No tolerance is applied around changes of speaker. Noise, music and
pauses are not speech.

Intervals are over the speakers of the conversation, as in `bootstrap`: they say what is to be
expected of other speakers. Speech of nobody in particular counts as a speaker's own.

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

from voxsight.metrics.bootstrap import DRAWS, bootstrap_weights, ratio_over_speakers
from voxsight.metrics.intervals import Figure, joined

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
                     stretches: Sequence[Stretch]) -> dict[str, Any]:
    """Compares a timeline with the truth.

    Parameters
    ----------
    segments : sequence of dict
        ``start_s``, ``end_s`` and ``label`` of each, as `answer.timeline.timeline` returns them.
    stretches : sequence of Stretch
        In time order.

    Returns
    -------
    dict
        With ``value``, ``low`` and ``high``, over speakers; None where there is no such time:
        ``label_accuracy``, fraction of the speech labelled female or male whose label is right;
        ``uncertain``, fraction of the detected speech that is labelled uncertain; ``missed``,
        fraction of speech in no segment, pauses within turns included; ``female_share``,
        fraction of the speech labelled female or male that is labelled female;
        ``true_female_share``, fraction of the same speech that is female; ``share_error``, the
        first less the second; ``detected_female_share``, fraction of the detected speech,
        uncertain or not, that is female.
        Numbers: ``noise_as_speech``, fraction of music, noise and pauses that lies in a segment,
        None if there is none; ``minutes``, duration; ``n_speakers``.
    """
    n_steps = int(stretches[-1].end_s / STEP_S) + 1
    truth, label = np.full(n_steps, "pause", "U9"), np.full(n_steps, "nothing", "U9")
    for stretch in stretches:
        truth[_steps(stretch.start_s, stretch.end_s)] = stretch.kind
    for segment in segments:
        label[_steps(float(segment["start_s"]), float(segment["end_s"]))] = segment["label"]
    member, n_turns = _speakers(stretches, n_steps)
    speech = member >= 0
    detected = speech & (label != "nothing")
    answered = detected & np.isin(label, ("female", "male"))
    said, female = answered & (label == "female"), truth == "female"
    n_speakers = int(member.max(initial=-1)) + 1
    weights = bootstrap_weights(n_speakers, DRAWS, seed=0)

    def share(part: np.ndarray, whole: np.ndarray, most: int | None = n_turns) -> Figure:
        return ratio_over_speakers(
            *(np.bincount(member[steps], minlength=n_speakers) for steps in (part & whole, whole)),
            most=most, weights=weights)

    taken_for = [share(steps, answered) for steps in (said & ~female, answered & ~said & female)]
    return {
        "label_accuracy": share(label == truth, answered),
        "uncertain": share(label == "uncertain", detected),
        "missed": share(~detected, speech),
        "female_share": share(said, answered, None),
        "true_female_share": share(female, answered, None),
        "share_error": joined(zip((1, -1), taken_for)),
        "detected_female_share": share(female, detected, None),
        "noise_as_speech": _mean((label != "nothing")[~speech]),
        "minutes": n_steps * STEP_S / 60, "n_speakers": n_speakers}


def _speakers(stretches: Sequence[Stretch], n_steps: int) -> tuple[np.ndarray, int]:
    """Number of who speaks at each step, -1 where nobody does; and how many turns there are."""
    member, numbers = np.full(n_steps, -1), dict[object, int]()
    turns = [stretch for stretch in stretches if stretch.kind in ("female", "male")]
    for turn in turns:
        name = turn.speaker or (turn.start_s, turn.end_s)
        member[_steps(turn.start_s, turn.end_s)] = numbers.setdefault(name, len(numbers))
    return member, len(turns)


def _mean(values: np.ndarray) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _steps(start_s: float, end_s: float) -> slice:
    return slice(round(start_s / STEP_S), round(end_s / STEP_S))
