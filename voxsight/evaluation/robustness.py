"""Robustness of a model to telephone, noise, rooms, codecs and unusual ways to speak."""

import dataclasses
import functools
import os
import zlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from voxsight.answer.opening import Model, open_model
from voxsight.answer.prediction import NO_SPEECH
from voxsight.base import files
from voxsight.base.parallel.workers import ordered_map
from voxsight.base.progress import progress
from voxsight.base.tables import as_text, interval, markdown_table
from voxsight.corpora.utterance import Utterance
from voxsight.errors import RecordingError
from voxsight.evaluation.assessment import (
    assess_recording,
    lost_prediction,
    unread_prediction,
)
from voxsight.evaluation.conditions import (
    CONDITIONS,
    DEGRADED,
    Noises,
    trained_on,
    under_condition,
)
from voxsight.evaluation.grouping import overall_figures
from voxsight.evaluation.labelled import COLUMNS, LabelledPrediction
from voxsight.metrics.bootstrap import mean_over_speakers
from voxsight.metrics.intervals import mean_of_independent
from voxsight.network.folder import ModelFolder
from voxsight.sound.folders import sound_files
from voxsight.sound.recording import Recording

AS_RECORDED = "as recorded"
NEAR = 0.1  # of p_female; a prediction that changes by less counts as unchanged
_IN_TRAINING = """\
*In training* says whether the altered copies of `--augment` hold something like the condition, by
other means or settings; a model that was trained on such copies has met that kind before. *Mean
UAR* gives every corpus the same weight. *No speech* and *within 0.1* give every speaker the same
weight. Intervals are 95 %, over speakers.
"""


def measure_robustness(utterances: Sequence[Utterance], model: ModelFolder | str | os.PathLike, *,
                       noise: str | os.PathLike | None = None,
                       conditions: Sequence[str] = tuple(CONDITIONS), jobs: int | None = None,
                       quiet: bool = False) -> dict[str, list[LabelledPrediction]]:
    """Predictions for recordings as they are and under every condition.

    Parameters
    ----------
    utterances : list of Utterance
    model : ModelFolder, str or os.PathLike
        A model folder.
    noise : str or os.PathLike, optional
        Folder with recordings of noise.
    conditions : sequence of str
        Keys of `CONDITIONS`.
    jobs : int, optional
        Worker processes (default: all cores).
    quiet : bool
        No progress bar.

    Returns
    -------
    dict of str to list of LabelledPrediction
        For each condition, in the order of the utterances; the first key is `AS_RECORDED`.

    Raises
    ------
    UsageError
        If the model cannot be loaded, or a condition needs noise and there is none.
    """
    folder, names = ModelFolder.of(model), tuple(conditions)
    folder.check_files()  # here, so that no worker has to
    opener = functools.partial(_measurer, folder, noise, names)
    results = ordered_map(opener, utterances, jobs,
                          lambda lost: [lost_prediction(lost)] * (1 + len(names)))
    rows = progress(results, len(utterances), desc="recordings", unit="recording", quiet=quiet)
    return dict(zip((AS_RECORDED, *names), map(list, zip(*rows))))


def robustness_figures(predictions: Mapping[str, Sequence[LabelledPrediction]]
                       ) -> dict[str, dict[str, Any]]:
    """Figures of each condition.

    Parameters
    ----------
    predictions : dict of str to list of LabelledPrediction
        As `measure_robustness` returns them.

    Returns
    -------
    dict
        For each condition ``trained_on`` (as `conditions.trained_on` says it; None for the
        recordings as they are), ``figures`` of all recordings, ``uar`` of each corpus and their
        ``mean_uar``, ``refused`` (fraction labelled no_speech) and ``near`` (fraction whose
        p_female lies within `NEAR` of that of the recording as it is). In the last two every
        speaker has the same weight. All but ``trained_on`` have intervals over speakers.
    """
    return {condition: {"trained_on": trained_on(condition) if condition in CONDITIONS else None}
            | _condition_figures(altered, predictions[AS_RECORDED])
            for condition, altered in predictions.items()}


def write_robustness(predictions: Mapping[str, Sequence[LabelledPrediction]],
                     out: str | os.PathLike, command: str) -> dict[str, dict[str, Any]]:
    """Write figures and predictions.

    ``robustness.json`` and, as a table, ``robustness.md`` hold the figures; ``predictions.csv``
    holds the predictions for the recordings as they are, from which ``evaluate`` makes its
    report.

    Parameters
    ----------
    predictions : dict of str to list of LabelledPrediction
        As `measure_robustness` returns them.
    out : str or os.PathLike
        Folder to write to.
    command : str
        The command that was run.

    Returns
    -------
    dict
        As `robustness_figures` returns it.
    """
    conditions = robustness_figures(predictions)
    stored = {"command": command, "conditions": conditions}
    files.write_json(Path(out) / "robustness.json", stored)
    files.write_text(Path(out) / "robustness.md", robustness_page(stored))
    files.write_csv(Path(out) / "predictions.csv", COLUMNS,
                    map(dataclasses.asdict, predictions[AS_RECORDED]))
    return conditions


def robustness_page(stored: Mapping[str, Any]) -> str:
    """The page ``robustness.md``: the command and its table.

    Parameters
    ----------
    stored : dict
        Contents of ``robustness.json``.

    Returns
    -------
    str
    """
    return f"Made with\n\n    {stored['command']}\n\n{robustness_table(stored['conditions'])}"


def robustness_table(conditions: Mapping[str, Mapping[str, Any]]) -> str:
    """Figures of each condition as a Markdown table.

    Parameters
    ----------
    conditions : dict
        As `robustness_figures` returns them.

    Returns
    -------
    str
    """
    corpora = list(conditions[AS_RECORDED]["uar"])
    head = ["condition", "in training", *corpora, "mean UAR", "ECE", "answer rate",
            "accuracy of the answers given", "no speech", f"within {NEAR} of as recorded"]
    rows = []
    for name, row in conditions.items():
        figures = row["figures"]
        shown = [*(row["uar"][corpus] for corpus in corpora), row["mean_uar"], figures["ece"],
                 figures["coverage"], figures["accuracy_answered"], row["refused"], row["near"]]
        rows.append([name, row["trained_on"] or "-", *map(interval, shown)])
    return "\n".join([*markdown_table(head, rows), "",
                      f"Mean UAR over the degraded: {_mean_over_degraded(conditions)}", "",
                      _IN_TRAINING])


def _mean_over_degraded(conditions: Mapping[str, Mapping[str, Any]]) -> str:
    """Without an interval: the conditions share their speakers, so their errors go together."""
    values = [row["mean_uar"]["value"] for name, row in conditions.items() if name in DEGRADED]
    known = [value for value in values if value is not None]
    return as_text(float(np.mean(known)) if known else None, 3)


def _condition_figures(altered: Sequence[LabelledPrediction],
                       as_recorded: Sequence[LabelledPrediction]) -> dict[str, Any]:
    by_corpus = defaultdict(list)
    for prediction in altered:
        by_corpus[prediction.corpus].append(prediction)
    uar = {corpus: overall_figures(part)["uar"] for corpus, part in by_corpus.items()}
    speakers = [prediction.speaker for prediction in altered]
    refused = [prediction.label == NO_SPEECH for prediction in altered]
    near = [np.nan if a.p_female is None or b.p_female is None
            else abs(a.p_female - b.p_female) <= NEAR for a, b in zip(altered, as_recorded)]
    return {"figures": overall_figures(altered), "uar": uar,
            "mean_uar": mean_of_independent(list(uar.values())),
            "refused": mean_over_speakers(refused, speakers, unit=True),
            "near": mean_over_speakers(near, speakers, unit=True)}


def _measurer(folder: ModelFolder, noise: str | os.PathLike | None, conditions: Sequence[str]
              ) -> Callable[[Utterance], list[LabelledPrediction]]:
    return functools.partial(_measure, model=open_model(folder, partial="refuse"),
                             noises=_read_noises(noise), conditions=conditions)


def _read_noises(folder: str | os.PathLike | None) -> Noises:
    """Samples and rate of each recording of a folder."""
    recordings = map(Recording, sound_files(folder) if folder else [])  # opened one by one
    return [(recording.read(), recording.rate) for recording in recordings]


def _measure(utterance: Utterance, *, model: Model, noises: Noises,
             conditions: Sequence[str]) -> list[LabelledPrediction]:
    """Predictions for one recording as it is and under each condition."""
    try:
        recording = Recording(utterance.path).load()
    except RecordingError as error:
        return [unread_prediction(utterance, error)] * (1 + len(conditions))
    predictions = [assess_recording(utterance, model, recording)[0]]
    samples, rate = recording.read(remove_dc=False), recording.rate
    # Seeded by its name, a recording gets the same noise wherever it stands in the corpus.
    seed = zlib.crc32(os.path.basename(utterance.path).encode("utf-8", "surrogateescape"))
    for name in conditions:
        altered = under_condition(name, samples, rate, noises, np.random.default_rng(seed))
        predictions.append(assess_recording(utterance, model, altered)[0])
    return predictions
