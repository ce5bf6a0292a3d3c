"""Tests of all attribution methods, each compared with random maps and with loudness."""

import functools
import os
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxsight import display
from voxsight.answer.picture_model import PictureModel
from voxsight.answer.prediction import WindowPrediction
from voxsight.base import files
from voxsight.base.parallel.workers import ordered_map
from voxsight.base.progress import progress
from voxsight.base.tables import interval, markdown_table
from voxsight.corpora.utterance import LABELS, Utterance
from voxsight.errors import RecordingError, UsageError
from voxsight.explanation.maps import enlarge
from voxsight.explanation.methods import (
    CAMS,
    GRAPH_METHODS,
    LAYERS,
    OCCLUSIONS,
    Explainer,
    Method,
)
from voxsight.explanation.trials import localisation, sanity
from voxsight.explanation.trials.faithfulness import amplitude, faithfulness_measures, pooled
from voxsight.metrics.bootstrap import mean_over_speakers
from voxsight.pictures.recipe import Recipe
from voxsight.sound.effects import coloured_noise
from voxsight.sound.recording import Recording, undecodable

if TYPE_CHECKING:
    from voxsight.network.architecture import Network

# HiResCAM of the last stage is omitted: with a linear head it is the same as Grad-CAM.
_OTHER_CAMS = tuple(Method(name, layer) for layer in LAYERS for name in CAMS
                    if Method(name, layer) not in (*GRAPH_METHODS, Method("hirescam")))
TESTED = (*GRAPH_METHODS, *_OTHER_CAMS, *(Method(name) for name in OCCLUSIONS))
CONTROLS = ("random", "amplitude")
SANITY_PICTURES = 48  # at most
SANITY_SEEDS = (0, 1, 2)
TIMED = 8  # pictures

Measures = dict[str, float]  # of one map
Word = tuple[np.ndarray, float, float]  # as `noise_word_noise` returns it
Controls = Callable[[tuple[int, ...]], dict[str, Measures]]  # by the shape of a map
_Row = dict[str, Any]  # utterance, picture, label and measures (by method) of one recording


def measure_methods(utterances: Sequence[Utterance], model: str | os.PathLike, *,
                    methods: Sequence[Method] = TESTED, jobs: int | None = None,
                    quiet: bool = False) -> tuple[dict[str, Any], list[RecordingError]]:
    """Every measure of every method, on one picture of each recording.

    Parameters
    ----------
    utterances : sequence of Utterance
        The recordings.
    model : str or os.PathLike
        Model folder.
    methods : sequence of Method
        Methods to test.
    jobs : int, optional
        Worker processes (default: all cores).
    quiet : bool
        No progress bars.

    Returns
    -------
    results : dict
        ``corpora``: per corpus and method each measure, its difference to each control,
        ``stability`` and ``on_word``, with intervals over speakers. ``sanity``: per method and
        stage the rank correlation with randomised networks. ``ms``: per method the
        milliseconds for one picture.
    failures : list of RecordingError
        Recordings that could not be read; they are left out.

    Raises
    ------
    UsageError
        If no recording contains speech.
    """
    results = list(progress(
        ordered_map(functools.partial(_tester, str(model), tuple(methods)), utterances, jobs,
                    lambda utterance: undecodable(utterance.path)),
        len(utterances), desc="recordings", unit="recording", quiet=quiet))
    failures = [result for result in results if isinstance(result, RecordingError)]
    rows = [result for result in results if isinstance(result, dict)]
    if not rows:
        raise UsageError("found no speech in these recordings, expected some; name others")
    return {"corpora": _by_corpus(rows, methods),
            "sanity": _sanity(rows, model, methods, quiet),
            "ms": _speeds(rows, model, methods)}, failures


def write_trials(results: Mapping[str, Any], out: str | os.PathLike, command: str) -> str:
    """Write ``faithfulness.json``, as a table ``faithfulness.md``, and ``faithfulness.png``.

    Parameters
    ----------
    results : mapping
        As `measure_methods` returns them.
    out : str or os.PathLike
        Folder for the files.
    command : str
        The command that was run, to be stated beside the figures.

    Returns
    -------
    str
        The tables in Markdown.
    """
    text, folder = f"Made with\n\n    {command}\n\n{_markdown(results)}", Path(out)
    files.write_json(folder / "faithfulness.json", {"command": command, **results})
    display.save_faithfulness(folder / "faithfulness.png", results["corpora"])
    return files.write_text(folder / "faithfulness.md", text)


def _tester(model: str, methods: Sequence[Method]
            ) -> Callable[[Utterance], _Row | RecordingError | None]:
    return functools.partial(_test, explainer=Explainer(PictureModel(model)), methods=methods)


def _test(utterance: Utterance, *, explainer: Explainer,
          methods: Sequence[Method]) -> _Row | RecordingError | None:
    """Measures of one recording; None if nobody speaks."""
    windows: list[WindowPrediction] = []
    try:
        recording = Recording(utterance.path).load()
    except RecordingError as error:
        return error
    explainer.model.predict(recording, keep=windows)
    windows = [window for window in windows if window.speech]
    if not windows:
        return None
    window = max(windows, key=lambda w: sum(end - start for start, end in w.speech))
    assert window.picture is not None
    label = _label(explainer.model, window.log_odds)
    controls = functools.lru_cache(functools.partial(_control_measures, window.picture, label,
                                                     explainer))
    word = _noise_word_noise(recording, explainer.model.config.recipe)
    measures = {str(method): _measure(window, label, method, explainer, controls, word)
                for method in methods}
    return {"utterance": utterance, "picture": window.picture, "label": label,
            "measures": measures}


def _label(model: PictureModel, log_odds: float) -> str:
    """The likelier label."""
    return LABELS[0] if model.config.calibration.calibrated_log_odds(log_odds) > 0 else LABELS[1]


def _measure(window: WindowPrediction, label: str, method: Method, explainer: Explainer,
             controls: Controls, word: Word | None) -> Measures:
    """Measures of one map and, as ``<measure>-<control>``, their differences to controls."""
    assert window.picture is not None and window.samples is not None
    recipe, size = explainer.model.config.recipe, window.picture.shape[:2]
    coarse = explainer.maps(window.picture[None], [label], method)
    measures = faithfulness_measures(window.picture, enlarge(coarse, size)[0],
                                     explainer.p_label(label), 0)
    result = dict(measures)
    for control, values in controls(coarse.shape[1:]).items():
        result |= {f"{name}-{control}": measures[name] - values[name] for name in measures}
    pair = sanity.shifted_pair(window.samples, recipe)
    result["stability"] = sanity.stability(
        enlarge(explainer.maps(pair, [label] * 2, method), size), recipe)
    result["on_word"] = _on_word(word, method, explainer)
    return result


def _control_measures(picture: np.ndarray, label: str, explainer: Explainer,
                      shape: tuple[int, ...]) -> dict[str, Measures]:
    """Measures of maps that do not depend on the network, in the resolution of a method."""
    recipe = explainer.model.config.recipe
    maps = {"random": np.random.default_rng(1).random(shape),
            "amplitude": pooled(amplitude(picture, recipe), shape)}
    return {name: faithfulness_measures(picture, enlarge(heat[None], picture.shape[:2])[0],
                                        explainer.p_label(label), 0)
            for name, heat in maps.items()}


def _noise_word_noise(recording: Recording, recipe: Recipe) -> Word | None:
    """Picture of a recording between noise; None unless it is a short word."""
    rng = np.random.default_rng(0)
    try:
        samples = recording.read(recipe.sample_rate)
        noise = coloured_noise(2 * recipe.window_samples, 1, rng)
        return localisation.noise_word_noise(localisation.trim(samples, recipe.sample_rate),
                                             noise, recipe, rng)
    except (RecordingError, ValueError):
        return None


def _on_word(word: Word | None, method: Method, explainer: Explainer) -> float:
    """Fraction of the map that lies on the word; NaN without a word."""
    if word is None:
        return float("nan")
    picture, start, end = word
    logits, _ = explainer.model.run(picture[None])
    label = _label(explainer.model, logits[0, 0] - logits[0, 1])
    heat = enlarge(explainer.maps(picture[None], [label], method), picture.shape[:2])[0]
    return localisation.fraction_on(heat, start, end)


def _by_corpus(rows: Sequence[_Row],
               methods: Sequence[Method]) -> dict[str, dict[str, dict[str, Any]]]:
    corpora = defaultdict(list)
    for row in rows:
        corpora[row["utterance"].corpus].append(row)
    return {corpus: {str(method): _means(corpus_rows, str(method)) for method in methods}
            for corpus, corpus_rows in corpora.items()}


def _means(rows: Sequence[_Row], method: str) -> dict[str, Any]:
    """Means of one method's measures, with intervals over speakers."""
    speakers = [row["utterance"].voice for row in rows]
    result: dict[str, Any] = {"n": len(rows), "n_speakers": len(set(speakers))}
    for name in rows[0]["measures"][method]:
        result[name] = mean_over_speakers([row["measures"][method][name] for row in rows],
                                          speakers)
    return result


def _sanity(rows: Sequence[_Row], model: str | os.PathLike, methods: Sequence[Method],
            quiet: bool) -> dict[str, dict[str, Any]]:
    """Rank correlations with randomised networks, by method and stage."""
    rows = rows[:: -(-len(rows) // SANITY_PICTURES)]
    pictures = np.stack([row["picture"] for row in rows])
    labels = [row["label"] for row in rows]
    speakers = [row["utterance"].voice for row in rows]
    picture_model = PictureModel(model)
    network = Explainer(picture_model).network
    results = {}
    for method in progress(methods, len(methods), desc="sanity", unit="method", quiet=quiet):
        def maps_of(network: "Network", method: Method = method) -> np.ndarray:
            return Explainer(picture_model, network).maps(pictures, labels, method)

        # Occlusion takes a hundred times as long as the rest.
        seeds = SANITY_SEEDS if method.name in CAMS else SANITY_SEEDS[:1]
        cascades = [sanity.cascade(network, maps_of, pictures.shape[1:3], seed)
                    for seed in seeds]
        results[str(method)] = {
            stage: mean_over_speakers(np.mean([c[stage] for c in cascades], axis=0), speakers)
            for stage in cascades[0]}
    return results


def _speeds(rows: Sequence[_Row], model: str | os.PathLike,
            methods: Sequence[Method]) -> dict[str, float]:
    """Median milliseconds of each method for one picture, once everything is loaded."""
    explainer, speeds = Explainer(PictureModel(model)), {}
    for method in methods:
        durations_ms = []
        for row in rows[:TIMED]:
            start = time.perf_counter()
            explainer.maps(row["picture"][None], [row["label"]], method)
            durations_ms.append(1000 * (time.perf_counter() - start))
        speeds[str(method)] = float(np.median(durations_ms))
    return speeds


def _markdown(results: Mapping[str, Any]) -> str:
    lines = []
    for corpus, methods in results["corpora"].items():
        lines += _corpus_tables(corpus, methods)
    stages = list(next(iter(results["sanity"].values())))
    lines += ["## Rank correlation with the maps of networks randomised from the head down to",
              "", *markdown_table(["method", *stages, "ms per picture"], [
                  [name, *(interval(by_stage[stage]) for stage in stages),
                   f"{results['ms'][name]:.0f}"]
                  for name, by_stage in results["sanity"].items()]), ""]
    return "\n".join(lines)


def _corpus_tables(corpus: str, methods: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Markdown lines of one corpus."""
    first = next(iter(methods.values()))
    lines = [f"## {corpus}: {first['n']} pictures of {first['n_speakers']} speakers", ""]
    head = ["method", "deletion area", *(f"deletion less {c}" for c in CONTROLS),
            "insertion area", *(f"insertion less {c}" for c in CONTROLS)]
    lines += [*markdown_table(head, [_cells(name, means, ("deletion", "insertion"))
                                     for name, means in methods.items()]), ""]
    head = ["method", *(f"{title}{rest}" for title in ("ROAD gap, linear", "ROAD gap, mean")
                        for rest in ("", *(f", less {c}" for c in CONTROLS)))]
    lines += [*markdown_table(head, [_cells(name, means, ("road_linear", "road_mean"))
                                     for name, means in methods.items()]), ""]
    head = ["method", "rank correlation after a shift of 30 ms", "fraction on the word"]
    lines += [*markdown_table(head, [
        [name, interval(means["stability"]), interval(means["on_word"])]
        for name, means in methods.items()]), ""]
    return lines


def _cells(name: str, means: Mapping[str, Any], measures: Sequence[str]) -> list[str]:
    """Name of a method, and each measure with its differences to the controls."""
    return [name, *(interval(means[key]) for measure in measures
                    for key in (measure, *(f"{measure}-{c}" for c in CONTROLS)))]
