"""Figures of the answers of one model, as docs/benchmark_protocol.md defines them.

Conventions
-----------
An answer decides for its label if that is female or male, and else for the side of 0.5 on which
``p_female`` lies. Without either it decides for nothing and counts as wrong. The model abstains
where the label is neither female nor male. Confidence is the greater of ``p_female`` and its
complement, 1 if there is only a label, and below all others where there is nothing. Figures of
calibration are of the recordings that have a ``p_female``.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from voxsight.corpora.utterance import LABELS
from voxsight.evaluation.grouping import GROUPS
from voxsight.evaluation.labelled import LabelledPrediction
from voxsight.metrics.abstention import AREAS, abstention_figures, risk_coverage
from voxsight.metrics.figures import figures, reliability, reliability_interval, uar_gain
from voxsight.metrics.groups import band_order
from voxsight.metrics.intervals import mean_of_independent

Figure = Mapping[str, float | None]
OF_DECISIONS = ("uar", "accuracy", "recall", "recall_male", "coverage", "accuracy_answered")
OF_PROBABILITIES = ("auc", "ece", "ece_debiased", "brier")  # those that `figures` knows
MEANS = ("uar", "accuracy", "coverage", "accuracy_answered", "ece", "ece_debiased", "brier", "aurc",
         "e_aurc")
BY: dict[str, Callable[[LabelledPrediction], str]] = {
    "corpus": GROUPS["corpus"], "label": GROUPS["sex"], "pitch": GROUPS["pitch"],
    "duration": GROUPS["duration"]}
COVERAGES = np.arange(1, 101) / 100  # at which the risk is stored
_NONE: Figure = {"value": None, "low": None, "high": None}


def score(answers: Sequence[LabelledPrediction], seed: int) -> dict[str, Any]:
    """All figures of the answers of one model.

    Parameters
    ----------
    answers : list of LabelledPrediction
        At least one.
    seed : int
        Of the bootstrap over speakers.

    Returns
    -------
    dict
        Those of `figures_of` for all recordings; ``mean_over_corpora``; ``by``, a list of groups
        for each key of `BY`; ``risk_coverage`` and ``reliability``, the curves.
    """
    by = {name: _groups(answers, group, seed) for name, group in BY.items()}
    return {**figures_of(answers, seed), "mean_over_corpora": _means(by["corpus"]), "by": by,
            "risk_coverage": _curve(answers), "reliability": _reliability(answers)}


def figures_of(answers: Sequence[LabelledPrediction], seed: int) -> dict[str, Any]:
    """Figures of some answers, each with its interval over speakers.

    Parameters
    ----------
    answers : list of LabelledPrediction
        At least one.
    seed : int
        Of the bootstrap over speakers.

    Returns
    -------
    dict
        ``n``, ``n_speakers``, ``without_answer`` (neither label nor probability),
        ``without_probability``, the figures `OF_DECISIONS` and `OF_PROBABILITIES`, ``aurc`` and
        ``e_aurc``.
    """
    is_female, speakers = _truth(answers)
    decided = figures(is_female, decisions(answers), speakers,
                      answered=[answer.label in LABELS for answer in answers], seed=seed)
    known = [answer for answer in answers if answer.p_female is not None]
    result = {"n": decided["n"], "n_speakers": decided["n_speakers"],
              "without_answer": sum(not answer.label and answer.p_female is None
                                    for answer in answers),
              "without_probability": len(answers) - len(known)}
    result |= {name: decided[name] for name in OF_DECISIONS}
    return result | _calibration(known, seed) | _abstention(answers, decided["error_rate"], seed)


def decisions(answers: Sequence[LabelledPrediction]) -> np.ndarray:
    """1 where a model decides for female, 0 for male, and the wrong one where it does not.

    Parameters
    ----------
    answers : list of LabelledPrediction

    Returns
    -------
    np.ndarray [shape=(n,), float]
    """
    found = ((_decision(answer), answer.gender == "female") for answer in answers)
    return np.array([float(not is_female if decision is None else decision)
                     for decision, is_female in found])


def gain(first: Sequence[LabelledPrediction], second: Sequence[LabelledPrediction],
         seed: int) -> dict[str, float | None]:
    """Gain in UAR of one model over another, as a mean over corpora.

    Parameters
    ----------
    first, second : list of LabelledPrediction
        Answers to the same recordings, in the same order.
    seed : int
        Of the bootstrap, in which both models are given the same speakers.

    Returns
    -------
    dict
        ``value``, ``low`` and ``high`` of second less first; None if no corpus has both labels.
    """
    parts = defaultdict(list)
    for place, answer in enumerate(first):
        parts[answer.corpus].append(place)
    gains = []
    for places in parts.values():
        before, after = ([model[place] for place in places] for model in (first, second))
        is_female, speakers = _truth(before)
        gains.append(uar_gain(is_female, _leanings(before), _leanings(after), speakers, seed=seed))
    return mean_of_independent(gains)


def _truth(answers: Sequence[LabelledPrediction]) -> tuple[np.ndarray, list[str]]:
    return (np.array([answer.gender == "female" for answer in answers], bool),
            [answer.speaker for answer in answers])


def _probabilities(known: Sequence[LabelledPrediction]) -> np.ndarray:
    return np.array([answer.p_female for answer in known], float)


def _decision(answer: LabelledPrediction) -> bool | None:
    """Whether an answer is for female; None if it is for nothing."""
    if answer.label in LABELS:
        return answer.label == "female"
    return None if answer.p_female is None else answer.p_female >= 0.5


def _leanings(answers: Sequence[LabelledPrediction]) -> np.ndarray:
    """At least 0.5 where a model decides for female; alike only where it says the same."""
    decided = decisions(answers)
    p = [d if a.p_female is None else a.p_female for a, d in zip(answers, decided)]
    return 0.5 * decided + 0.49 * np.array(p, float)


def _confidence(answer: LabelledPrediction) -> float:
    if answer.p_female is not None:
        return max(answer.p_female, 1 - answer.p_female)
    return 1.0 if answer.label in LABELS else -np.inf


def _ranked(answers: Sequence[LabelledPrediction]) -> tuple[np.ndarray, np.ndarray]:
    """Whether each answer is right, and how confident it is."""
    return (decisions(answers) == _truth(answers)[0],
            np.array([_confidence(answer) for answer in answers]))


def _calibration(known: Sequence[LabelledPrediction], seed: int) -> dict[str, Any]:
    if not known:
        return dict.fromkeys(OF_PROBABILITIES, _NONE)
    is_female, speakers = _truth(known)
    found = figures(is_female, _probabilities(known), speakers, seed=seed)
    return {name: found[name] for name in OF_PROBABILITIES if name in found}


def _abstention(answers: Sequence[LabelledPrediction], error_rate: Figure,
                seed: int) -> dict[str, Any]:
    is_right, confidence = _ranked(answers)
    if is_right.all():  # then no order of the recordings is better than another
        return {name: {"value": 0.0, "low": 0.0, "high": error_rate["high"]} for name in AREAS}
    if not is_right.any():
        low = error_rate["low"] or 0.0
        return {"aurc": error_rate, "e_aurc": {"value": 0.0, "low": 0.0, "high": 1 - low}}
    return {**abstention_figures(is_right, confidence, _truth(answers)[1], seed=seed)}


def _groups(answers: Sequence[LabelledPrediction], group: Callable[[LabelledPrediction], str],
            seed: int) -> list[dict[str, Any]]:
    members = defaultdict(list)
    for answer in answers:
        members[group(answer)].append(answer)
    return [{"value": value, **figures_of(members[value], seed)}
            for value in sorted(members, key=band_order)]


def _means(corpora: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {name: mean_of_independent([corpus[name] for corpus in corpora])
            for name in MEANS if name in corpora[0]}


def _curve(answers: Sequence[LabelledPrediction]) -> dict[str, list[float]]:
    risk = risk_coverage(*_ranked(answers), COVERAGES)
    return {"coverage": COVERAGES.tolist(), "risk": np.round(risk, 6).tolist()}


def _reliability(answers: Sequence[LabelledPrediction]) -> dict[str, list[float]]:
    known = [answer for answer in answers if answer.p_female is not None]
    if not known:
        return {name: [] for name in ("predicted", "observed", "counts", "low", "high")}
    is_female, speakers = _truth(known)
    predicted, observed, counts = reliability(is_female, _probabilities(known))
    low, high = reliability_interval(is_female, _probabilities(known), speakers)
    return {"predicted": predicted.tolist(), "observed": observed.tolist(),
            "counts": counts.tolist(), "low": low.tolist(), "high": high.tolist()}
