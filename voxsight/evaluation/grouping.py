"""Figures of labelled predictions: of all recordings, and of groups of them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from voxsight.base.texts import listed
from voxsight.corpora.splits import voices_met
from voxsight.corpora.utterance import plausible_age
from voxsight.errors import UsageError
from voxsight.evaluation import GROUP_NAMES
from voxsight.evaluation.labelled import LabelledPrediction
from voxsight.metrics.figures import figures
from voxsight.metrics.groups import (
    AGE_BANDS,
    DURATION_BANDS_S,
    PITCH_BANDS_HZ,
    UNKNOWN,
    band,
    band_order,
    unusual_pitch,
)
from voxsight.network.folder import ClassifierConfig, ModelConfig

GROUP_FIGURES = ("accuracy", "uar", "coverage", "accuracy_answered")


def _by_corpus(prediction: LabelledPrediction) -> str:
    return prediction.corpus or UNKNOWN


def _by_sex(prediction: LabelledPrediction) -> str:
    return prediction.gender


def _by_age(prediction: LabelledPrediction) -> str:
    return band(plausible_age(prediction.age), AGE_BANDS)


def _by_accent(prediction: LabelledPrediction) -> str:
    return prediction.accent or UNKNOWN


def _by_pitch(prediction: LabelledPrediction) -> str:
    return band(prediction.f0_hz, PITCH_BANDS_HZ)


def _by_pitch_and_sex(prediction: LabelledPrediction) -> str:
    return f"{prediction.gender}, {_by_pitch(prediction)}"


def _by_unusual_pitch(prediction: LabelledPrediction) -> str:
    return unusual_pitch(prediction.gender, prediction.f0_hz)


def _by_duration(prediction: LabelledPrediction) -> str:
    return band(prediction.duration_s, DURATION_BANDS_S)


def _by_speaker(prediction: LabelledPrediction) -> str:
    return prediction.speaker


# The function that gives the group of a prediction, for each way to divide them.
GROUPS: dict[str, Callable[[LabelledPrediction], str]] = dict(zip(GROUP_NAMES, (
    _by_corpus, _by_sex, _by_age, _by_accent, _by_pitch, _by_pitch_and_sex, _by_unusual_pitch,
    _by_duration, _by_speaker), strict=True))


def check_groups(names: Sequence[str]) -> Sequence[str]:
    """The names themselves, if all of them are keys of `GROUPS`.

    Parameters
    ----------
    names : sequence of str

    Returns
    -------
    sequence of str

    Raises
    ------
    UsageError
        If one of them is not.
    """
    unknown = [name for name in names if name not in GROUPS]
    if unknown:
        raise UsageError(f"--by {unknown[0]}: expected some of {', '.join(GROUPS)}")
    return names


def overall_figures(predictions: Iterable[LabelledPrediction], **options: Any) -> dict[str, Any]:
    """Figures of predictions, without recordings that have no probability.

    Parameters
    ----------
    predictions : iterable of LabelledPrediction
    **options
        ``draws`` and ``seed`` of `metrics.figures.figures`.

    Returns
    -------
    dict
        As `metrics.figures.figures` returns it, with ``coverage`` and ``accuracy_answered``.
    """
    known = [p for p in predictions if p.p_female is not None]
    if not known:
        defined = figures([True], [0.5], ["-"], answered=[True], draws=1)
        nothing = dict.fromkeys(("value", "low", "high"))
        return {name: nothing if isinstance(figure, dict) else 0
                for name, figure in defined.items()}
    return figures(np.array([p.gender == "female" for p in known], bool),
                   np.array([p.p_female for p in known], float), [p.speaker for p in known],
                   answered=[p.label in ("female", "male") for p in known], **options)


def group_figures(predictions: Iterable[LabelledPrediction],
                  by: Iterable[str]) -> list[dict[str, Any]]:
    """Figures of groups of recordings.

    Parameters
    ----------
    predictions : iterable of LabelledPrediction
    by : iterable of str
        Keys of `GROUPS`.

    Returns
    -------
    list of dict
        ``group, value, n, n_speakers`` and, each with ``_low`` and ``_high``, ``accuracy,
        uar, coverage, accuracy_answered``.
    """
    known = [p for p in predictions if p.p_female is not None]
    rows = []
    for group in by:
        members = defaultdict(list)
        for prediction in known:
            members[GROUPS[group](prediction)].append(prediction)
        rows += [_group_row(group, value, members[value])
                 for value in sorted(members, key=band_order)]
    return rows


def leak_report(predictions: Iterable[LabelledPrediction],
                config: ModelConfig | ClassifierConfig) -> str:
    """How many of the assessed speakers the model was trained on, in words.

    They are recognised by their names and by their recordings; see `splits.voices_met`.

    Parameters
    ----------
    predictions : iterable of LabelledPrediction
    config : ModelConfig or ClassifierConfig
        Of the model.

    Returns
    -------
    str
        Such as ``speakers shared with training 0 of 60``.
    """
    trained_on = config.training.get("speakers_trained_on")
    if trained_on is None:
        return "the model does not say which speakers it was trained on"
    recordings: dict[str, list[str]] = defaultdict(list)
    for prediction in predictions:
        recordings[prediction.speaker].append(prediction.path)
    known, doubtful, corpora = voices_met(recordings, trained_on,
                                          config.training.get("recordings_trained_on", ""))
    shared, n_speakers = len(known), len(recordings)
    if doubtful:
        return (f"speakers shared with training unknown, {shared} to {shared + len(doubtful)} of "
                f"{n_speakers}: {len(doubtful)} have names that were trained on in a corpus of "
                f"another name ({listed(sorted(corpora))}), so this does not tell how the model "
                "does on new voices")
    warning = ": does not tell how the model does on new voices" if shared else ""
    return f"speakers shared with training {shared} of {n_speakers}{warning}"


def _group_row(group: str, value: str, members: Sequence[LabelledPrediction]) -> dict[str, Any]:
    result = overall_figures(members)
    row = {"group": group, "value": value, "n": result["n"], "n_speakers": result["n_speakers"]}
    for name in GROUP_FIGURES:
        row |= {name: result[name]["value"], f"{name}_low": result[name]["low"],
                f"{name}_high": result[name]["high"]}
    return row
