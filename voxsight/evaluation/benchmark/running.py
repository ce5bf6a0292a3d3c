"""Runs the models of a benchmark, one after the other, and stores their answers and figures."""

import dataclasses
import json
import os
import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from voxsight import __version__
from voxsight.base import files
from voxsight.base.progress import progress
from voxsight.base.store import Store, file_key
from voxsight.corpora.utterance import Utterance
from voxsight.evaluation.benchmark import PROTOCOL
from voxsight.evaluation.benchmark.entrants import NO_ANSWER, Entrant, Failed, described
from voxsight.evaluation.benchmark.material import get_json, put_json, read_material
from voxsight.evaluation.benchmark.scoring import score
from voxsight.evaluation.labelled import COLUMNS, LabelledPrediction
from voxsight.metrics.bootstrap import DRAWS

PREDICTIONS = "predictions.csv"  # in a folder of the model's name; names recordings
_VERSION = 1  # of what is stored
_PACKAGES = ("numpy", "onnxruntime", "soxr", "av")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of a benchmark.

    Attributes
    ----------
    results : list of dict
        Contents of the JSON of each model that could be run.
    problems : list of str
        A line for each model that could not, each recording that could not be decoded, and each
        model that left recordings without an answer.
    """

    results: list[dict[str, Any]]
    problems: list[str]


def run_benchmark(entrants: Sequence[Entrant], sources: Sequence[str], out: str | os.PathLike, *,
                  command: str, seed: int = 42, jobs: int | None = None, again: bool = False,
                  quiet: bool = False) -> Outcome:
    """Give every model the same recordings, and write a JSON for each.

    Answers are kept in ``store.sqlite`` of the folder as they come, so that the same command
    finishes a run that was stopped.

    Parameters
    ----------
    entrants : list of Entrant
    sources : sequence of str
        Corpora, as for `read_sources`.
    out : str or os.PathLike
        Folder that gets ``<model>.json`` and ``<model>/predictions.csv``.
    command : str
        The command that was run.
    seed : int
        Of the bootstrap over speakers.
    jobs : int, optional
        Worker processes that describe recordings (default: all cores).
    again : bool
        Ask the models again, whatever is stored.
    quiet : bool
        No progress bars.

    Returns
    -------
    Outcome

    Raises
    ------
    UsageError
        If a corpus cannot be read.
    """
    out, results = Path(out), []
    with Store(out) as store:
        material = read_material(sources, store, jobs=jobs, quiet=quiet)
        problems = [f"{path}: {error}" for path, error in material.unreadable.items()]
        for entrant in entrants:
            try:
                answers = material.completed(_answers(entrant, material.utterances, store, again,
                                                      quiet))
            except Failed as error:
                problems.append(str(error))
                continue
            result = {"protocol": PROTOCOL, **described(entrant, answers), "command": command,
                      "seed": seed, "draws": DRAWS, "versions": _versions(),
                      "material": material.key, "corpora": material.corpora,
                      **score(answers, seed)}
            files.write_csv(out / entrant.name / PREDICTIONS, COLUMNS,
                            map(dataclasses.asdict, answers))
            files.write_json(out / f"{entrant.name}.json", result)
            results.append(result)
            if result["without_answer"]:
                problems.append(f"{entrant.name}: found no answer to {result['without_answer']} of "
                                f"{result['n']} recordings, expected one to each; they count as "
                                "wrong")
    return Outcome(results, problems)


def _answers(entrant: Entrant, utterances: Sequence[Utterance], store: Store, again: bool,
             quiet: bool) -> list[LabelledPrediction]:
    """Answers in the order of the utterances; those that are not stored are asked for."""
    settings = json.dumps(entrant.settings, sort_keys=True)
    keys = [file_key(u.path, "benchmark answer", _VERSION, settings) for u in utterances]
    stored = [None if again else get_json(store, key) for key in keys]
    missing = [place for place, value in enumerate(stored) if value is None]
    asked = entrant.answers([utterances[place] for place in missing])
    for place, answer in zip(missing, _shown(asked, len(missing), entrant.name, quiet)):
        stored[place] = {"label": answer.label, "p_female": answer.p_female,
                         "error": answer.error, "missing": answer.missing}
        if answer.error != NO_ANSWER:  # a command may answer the next time
            put_json(store, keys[place], stored[place])
    return [_labelled(utterance, values or {}) for utterance, values in zip(utterances, stored)]


def _shown(answers: Iterator[LabelledPrediction], total: int, name: str,
           quiet: bool) -> Iterator[LabelledPrediction]:
    return progress(answers, total, desc=name, unit="recording", quiet=quiet)


def _labelled(utterance: Utterance, values: dict[str, Any]) -> LabelledPrediction:
    return LabelledPrediction(os.fspath(utterance.path), utterance.voice, utterance.gender,
                              utterance.corpus, utterance.age, utterance.accent, **values)


def _versions() -> dict[str, str]:
    return {"voxsight": __version__, "python": platform.python_version(),
            **{name: version(name) for name in _PACKAGES}}
