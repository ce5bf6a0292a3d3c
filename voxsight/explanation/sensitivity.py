"""Sweeps over many recordings, as mean curves by gender."""

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from voxsight import display
from voxsight.answer.opening import Model, open_model
from voxsight.base import files
from voxsight.base.parallel.workers import ordered_map
from voxsight.base.progress import progress
from voxsight.base.tables import interval, markdown_table
from voxsight.corpora.utterance import LABELS, Utterance
from voxsight.errors import RecordingError, UsageError
from voxsight.explanation.sweeps import TITLES, flip, sweep
from voxsight.metrics.bootstrap import mean_over_speakers
from voxsight.sound.recording import Recording, undecodable

Curves = dict[str, list[float]]  # of one recording, as `sweep` returns them


def measure_sensitivity(utterances: Sequence[Utterance], model: str | os.PathLike, *,
                        jobs: int | None = None, quiet: bool = False
                        ) -> tuple[dict[str, Any], list[RecordingError]]:
    """Mean curves of many recordings, by gender.

    Parameters
    ----------
    utterances : sequence of Utterance
        The recordings.
    model : str or os.PathLike
        Model folder.
    jobs : int, optional
        Worker processes (default: all cores).
    quiet : bool
        No progress bar.

    Returns
    -------
    results : dict
        Per sweep and gender ``n``, ``n_speakers`` and ``curve``, a mean with its interval at
        each value. For pitch and formants also ``flips``, the fraction whose label changes
        within the sweep, and ``at``, the mean value where it does.
    failures : list of RecordingError
        Recordings that could not be read; they are left out.

    Raises
    ------
    UsageError
        If no recording could be read.
    """
    results = ordered_map(functools.partial(_sweeper, str(model)), utterances, jobs,
                          lambda utterance: undecodable(utterance.path))
    pairs, failures = [], []
    for utterance, curves in zip(utterances, progress(
            results, len(utterances), desc="recordings", unit="recording", quiet=quiet)):
        if isinstance(curves, RecordingError):
            failures.append(curves)
        else:
            pairs.append((utterance, curves))
    if not pairs:
        raise UsageError("found no recording that could be read, expected some; name others")
    return {name: {gender: _mean_curve([(u, curves[name]) for u, curves in pairs
                                        if u.gender == gender], name) for gender in LABELS}
            for name in TITLES}, failures


def write_sensitivity(results: Mapping[str, Any], out: str | os.PathLike, command: str) -> str:
    """Write ``sensitivity.json``, ``sensitivity.md`` and ``sensitivity.png``.

    Parameters
    ----------
    results : mapping
        As `measure_sensitivity` returns them.
    out : str or os.PathLike
        Folder for the files.
    command : str
        The command that was run, to be stated beside the figures.

    Returns
    -------
    str
        The tables in Markdown.
    """
    stored, folder = {"command": command, **results}, Path(out)
    files.write_json(folder / "sensitivity.json", stored)
    text = files.write_text(folder / "sensitivity.md", sensitivity_page(stored))
    display.save_sensitivity(folder / "sensitivity.png", {
        name: {"title": title, "unit": unit, "x": x,
               "lines": {gender: _line(results[name][gender]["curve"]) for gender in LABELS
                         if results[name][gender]["n"]}}
        for name, (title, unit, x) in TITLES.items()})
    return text


def sensitivity_page(stored: Mapping[str, Any]) -> str:
    """The page ``sensitivity.md``: the command and its tables.

    Parameters
    ----------
    stored : mapping
        Contents of ``sensitivity.json``.

    Returns
    -------
    str
    """
    lines = ["Made with", "", f"    {stored['command']}", ""]
    for name, (title, unit, x) in TITLES.items():
        lines += [f"## {title}: mean p_female", "", *_tables(stored[name], unit, x)]
    return "\n".join(lines)


def _sweeper(model: str) -> Callable[[Utterance], Curves | RecordingError]:
    return functools.partial(_sweep, classifier=open_model(model))


def _sweep(utterance: Utterance, *, classifier: Model) -> Curves | RecordingError:
    try:
        return sweep(Recording(utterance.path), classifier)
    except RecordingError as error:
        return error


def _mean_curve(pairs: Sequence[tuple[Utterance, list[float]]], name: str) -> dict[str, Any]:
    """Means of one sweep over the recordings of one gender."""
    speakers, x = [u.voice for u, _ in pairs], TITLES[name][2]
    curves = np.array([curve for _, curve in pairs]).reshape(len(pairs), len(x))
    result = {"n": len(pairs), "n_speakers": len(set(speakers)),
              "curve": [mean_over_speakers(column, speakers, unit=True) for column in curves.T]}
    if name != "bands":  # without a band there is no direction in which a label could flip
        flips = np.array([flip(x, curve) for curve in curves])
        result["flips"] = mean_over_speakers(~np.isnan(flips), speakers, unit=True)
        result["at"] = mean_over_speakers(flips, speakers)
    return result


def _tables(by_gender: Mapping[str, Mapping[str, Any]], unit: str,
            x: Sequence[float]) -> list[str]:
    """Markdown lines of one sweep."""
    columns = {f"{gender} ({by_gender[gender]['n_speakers']} speakers)": by_gender[gender]
               for gender in LABELS}
    lines = [*markdown_table([unit, *columns], [
        [f"{value:g}", *(interval(result["curve"][i]) for result in columns.values())]
        for i, value in enumerate(x)]), ""]
    if all("flips" in result for result in columns.values()):
        lines += [*markdown_table(["", *columns], [
            ["fraction whose label changes",
             *(interval(result["flips"]) for result in columns.values())],
            [f"mean {unit} where it does",
             *(interval(result["at"]) for result in columns.values())]]), ""]
    return lines


def _line(curve: Sequence[Mapping[str, Any]]) -> tuple[list, ...]:
    """Value, low and high of a curve, as `save_sensitivity` takes them."""
    return tuple([figure[key] for figure in curve] for key in ("value", "low", "high"))
