"""How a model's answers hold when the same voices come by other ways."""

import dataclasses
import functools
import os
import tempfile
import zlib
from collections import defaultdict
from pathlib import Path

import numpy as np

from voxsight import audio, files
from voxsight.assessment import COLUMNS, assess_recording, lost_answer, overall_figures
from voxsight.conditions import CONDITIONS, DEGRADED, write_under
from voxsight.corpora import sound_files
from voxsight.models import open_model
from voxsight.parallel import ordered_map, progress
from voxsight.report import interval, markdown_table

AS_RECORDED = "as recorded"
NEAR = 0.1  # of p_female; an answer that moves less counts as the same


def measure(utterances, model, *, noise=None, conditions=tuple(CONDITIONS), jobs=None,
            quiet=False):
    """Answers as recorded and under every condition.

    Parameters
    ----------
    utterances : list of corpora.Utterance
    model : str or os.PathLike
        model folder
    noise : str or os.PathLike, optional
        folder of recorded noise
    conditions : sequence of str
        keys of `conditions.CONDITIONS`
    jobs, quiet
        as everywhere

    Returns
    -------
    dict of str to list of assessment.Answer
        per condition, in the order of the utterances; the first is `AS_RECORDED`
    """
    make = functools.partial(_measurer, str(model), noise, tuple(conditions))
    results = ordered_map(make, utterances, jobs,
                          lambda lost: [lost_answer(lost)] * (1 + len(conditions)))
    rows = progress(results, len(utterances), desc="recordings", unit="recording", quiet=quiet)
    return dict(zip((AS_RECORDED, *conditions), map(list, zip(*rows))))


def summary(answers):
    """Figures per condition.

    Returns
    -------
    dict
        per condition ``figures`` of all recordings, ``uar`` per corpus with intervals and
        their ``mean_uar``, ``refused`` (share called no speech) and ``near`` (share whose
        p_female lies within `NEAR` of that of the recording as it came)
    """
    first, found = answers[AS_RECORDED], {}
    for name, own in answers.items():
        by_corpus = defaultdict(list)
        for answer in own:
            by_corpus[answer.corpus].append(answer)
        uar = {corpus: overall_figures(part)["uar"] for corpus, part in by_corpus.items()}
        moved = [abs(a.p_female - b.p_female) for a, b in zip(own, first)
                 if a.p_female is not None and b.p_female is not None]
        found[name] = {
            "figures": overall_figures(own), "uar": uar,
            "mean_uar": _mean([figure["value"] for figure in uar.values()]),
            "refused": float(np.mean([a.label == "no_speech" for a in own])),
            "near": float(np.mean(np.array(moved) <= NEAR)) if moved else None}
    return found


def write_summary(answers, out, command):
    """Write what was found.

    ``robustness.json`` and, as a table, ``robustness.md``; and ``predictions.csv``, the
    answers for the recordings as they are, from which ``evaluate`` makes its report.

    Parameters
    ----------
    answers : dict
        as `measure` gives them
    out : str or os.PathLike
    command : str

    Returns
    -------
    dict
        as `summary` gives it
    """
    found = summary(answers)
    files.write_json(Path(out) / "robustness.json", {"command": command, "conditions": found})
    files.write_bytes(Path(out) / "robustness.md",
                      f"Made with\n\n    {command}\n\n{markdown(found)}".encode())
    files.write_csv(Path(out) / "predictions.csv", COLUMNS,
                    map(dataclasses.asdict, answers[AS_RECORDED]))
    return found


def markdown(found):
    """Figures per condition as a Markdown table."""
    corpora = list(found[AS_RECORDED]["uar"])
    head = ["condition", *corpora, "mean UAR", "ECE", "answered", "right where answered",
            "no speech", f"within {NEAR} of as recorded"]
    rows = []
    for name, row in found.items():
        figures = row["figures"]
        rows.append([name, *(interval(row["uar"][corpus]) for corpus in corpora),
                     _number(row["mean_uar"]), interval(figures["ece"]),
                     interval(figures["coverage"]), interval(figures["accuracy_answered"]),
                     _number(row["refused"]), _number(row["near"])])
    degraded = _mean([row["mean_uar"] for name, row in found.items() if name in DEGRADED])
    return "\n".join([*markdown_table(head, rows), "",
                      f"Mean UAR over the degraded: {_number(degraded)}", ""])


def _mean(values):
    """Mean of those that are defined; a corpus of one label has no UAR."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _number(value):
    return "-" if value is None else f"{value:.3f}"


def _measurer(model, noise, conditions):
    noises = [audio.read(path) for path in sound_files(noise)] if noise else []
    return functools.partial(_measure, classifier=open_model(model), noises=noises,
                             conditions=conditions)


def _measure(utterance, *, classifier, noises, conditions):
    answers = [assess_recording(utterance, classifier)[0]]
    if answers[0].error:
        return answers * (1 + len(conditions))
    samples, rate = audio.read(utterance.path, remove_dc=False)
    key = zlib.crc32(os.path.basename(utterance.path).encode("utf-8", "surrogateescape"))
    with tempfile.TemporaryDirectory() as folder:
        for name in conditions:
            path = write_under(name, os.path.join(folder, "altered"), samples, rate, noises,
                               np.random.default_rng(key))
            answers.append(assess_recording(utterance, classifier, path)[0])
    return answers
