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
from voxsight.explanation.trials.faithfulness import (
    amplitude,
    faithfulness_measures,
    pooled,
    random_measures,
    rng_of,
)
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
FRACTIONS = {"deletion", "insertion", "on_word", "strongest_on_word", "loudest_on_word",
             "word_width"}  # measures from 0 to 1; the others may be negative
SANITY_PICTURES = 48  # at most, each with random weights of its own
# Key of the results and title of each way to randomise the network.
SANITY = {"sanity": (sanity.cascading, "from the head down to"),
          "sanity_independent": (sanity.independent, "in one stage alone")}
TIMED = 8  # pictures

Measures = dict[str, float]  # of one map
Word = tuple[np.ndarray, float, float]  # as `noise_word_noise` returns it
Controls = Callable[[tuple[int, ...]], dict[str, Measures]]  # by the shape of a map
_Row = dict[str, Any]  # utterance, picture, label and measures (by method) of one recording
_Correlations = dict[str, dict[str, dict[str, float]]]  # by key of SANITY, method and stage


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
        ``stability`` and those of `localisation.word_measures`, with intervals over speakers,
        and ``n``, ``n_speakers`` and ``n_words``. ``sanity`` and ``sanity_independent``: per
        method and stage the rank correlation with randomised networks, of the pictures that
        ``sanity_pictures`` counts. ``ms``: per method the milliseconds for one picture.
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
            **_sanity(rows, model, methods, jobs, quiet),
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
    stored, folder = {"command": command, **results}, Path(out)
    files.write_json(folder / "faithfulness.json", stored)
    display.save_faithfulness(folder / "faithfulness.png", results["corpora"])
    return files.write_text(folder / "faithfulness.md", trials_page(stored))


def trials_page(stored: Mapping[str, Any]) -> str:
    """The page ``faithfulness.md``: the command and its tables.

    Parameters
    ----------
    stored : mapping
        Contents of ``faithfulness.json``.

    Returns
    -------
    str
    """
    return f"Made with\n\n    {stored['command']}\n\n{_markdown(stored)}"


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
                                     explainer.p_label(label), rng_of(window.picture, "map"))
    result = dict(measures)
    for control, values in controls(coarse.shape[1:]).items():
        result |= {f"{name}-{control}": measures[name] - values[name] for name in measures}
    pair = sanity.shifted_pair(window.samples, recipe)
    result["stability"] = sanity.stability(
        enlarge(explainer.maps(pair, [label] * 2, method), size), recipe)
    return result | _word_measures(word, method, explainer)


def _control_measures(picture: np.ndarray, label: str, explainer: Explainer,
                      shape: tuple[int, ...]) -> dict[str, Measures]:
    """Measures of maps that do not depend on the network, in the resolution of a method."""
    p_label, size = explainer.p_label(label), picture.shape[:2]
    loudness = pooled(amplitude(picture, explainer.model.config.recipe), shape)
    return {"random": random_measures(picture, shape, p_label),
            "amplitude": faithfulness_measures(picture, enlarge(loudness[None], size)[0], p_label,
                                               rng_of(picture, "loudness"))}


def _noise_word_noise(recording: Recording, recipe: Recipe) -> Word | None:
    """Picture of a recording between noise; None unless it is a short word."""
    try:
        samples = recording.read(recipe.sample_rate)
        rng = rng_of(samples, "noise and place of the word")
        noise = coloured_noise(2 * recipe.window_samples, 1, rng)
        return localisation.noise_word_noise(localisation.trim(samples, recipe.sample_rate),
                                             noise, recipe, rng)
    except (RecordingError, ValueError):
        return None


def _word_measures(word: Word | None, method: Method, explainer: Explainer) -> Measures:
    """Where the map of a word between noise lies; NaN without a word."""
    if word is None:
        return dict.fromkeys(localisation.MEASURES, np.nan)
    picture, start, end = word
    logits, _ = explainer.model.run(picture[None])
    label = _label(explainer.model, logits[0, 0] - logits[0, 1])
    heat = enlarge(explainer.maps(picture[None], [label], method), picture.shape[:2])[0]
    return localisation.word_measures(picture, heat, explainer.model.config.recipe, start, end)


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
    measures = [row["measures"][method] for row in rows]
    n_words = int(np.isfinite([own["on_word"] for own in measures]).sum())
    return {"n": len(rows), "n_speakers": len(set(speakers)), "n_words": n_words,
            **{name: mean_over_speakers([own[name] for own in measures], speakers,
                                        unit=name in FRACTIONS) for name in measures[0]}}


def _sanity(rows: Sequence[_Row], model: str | os.PathLike, methods: Sequence[Method],
            jobs: int | None, quiet: bool) -> dict[str, Any]:
    """Rank correlations with randomised networks, with intervals over speakers."""
    rows = rows[:: -(-len(rows) // SANITY_PICTURES)]
    correlations: list[_Correlations] = list(progress(
        ordered_map(functools.partial(_randomiser, str(model), tuple(methods)), rows, jobs),
        len(rows), desc="sanity", unit="picture", quiet=quiet))
    speakers = [row["utterance"].voice for row in rows]
    stages = list(dict(sanity.cascading()))
    return {**{key: {str(method): {
        stage: mean_over_speakers([own[key][str(method)][stage] for own in correlations], speakers)
        for stage in stages} for method in methods} for key in SANITY},
        "sanity_pictures": {"n": len(rows), "n_speakers": len(set(speakers))}}


def _randomiser(model: str, methods: Sequence[Method]) -> Callable[[_Row], _Correlations]:
    return functools.partial(_correlations, explainer=Explainer(PictureModel(model)),
                             methods=methods)


def _correlations(row: _Row, *, explainer: Explainer, methods: Sequence[Method]) -> _Correlations:
    """Rank correlations of a picture's maps with those of networks randomised for it alone."""
    picture, model, network = row["picture"], explainer.model, explainer.network

    def maps_of(network: "Network") -> dict[str, np.ndarray]:
        own = Explainer(model, network)
        return {str(method): enlarge(own.maps(picture[None], [row["label"]], method),
                                     picture.shape[:2])[0] for method in methods}

    original = maps_of(network)
    random = sanity.untrained(model.config.architecture,
                              int(rng_of(picture, "weights").integers(2**32)))
    result: _Correlations = {}
    for key, (ways, _) in SANITY.items():
        result[key] = {str(method): {} for method in methods}
        for stage, stages in ways():
            maps = maps_of(sanity.randomised(network, stages, random))
            for name, heat in maps.items():
                result[key][name][stage] = sanity.rank_correlation(original[name], heat)
    return result


def _speeds(rows: Sequence[_Row], model: str | os.PathLike,
            methods: Sequence[Method]) -> dict[str, float]:
    """Median milliseconds of each method for one picture, once everything is loaded."""
    explainer, speeds = Explainer(PictureModel(model)), {}
    for method in methods:
        durations_ms = []
        for row in (rows[0], *rows[:TIMED]):  # the first loads what the method needs
            start = time.perf_counter()
            explainer.maps(row["picture"][None], [row["label"]], method)
            durations_ms.append(1000 * (time.perf_counter() - start))
        speeds[str(method)] = float(np.median(durations_ms[1:]))
    return speeds


def _markdown(results: Mapping[str, Any]) -> str:
    lines = []
    for corpus, methods in results["corpora"].items():
        lines += _corpus_tables(corpus, methods)
    n = results["sanity_pictures"]
    for key, (_, title) in SANITY.items():
        stages = list(dict(sanity.cascading()))
        lines += [f"## Rank correlation with the maps of networks randomised {title}", "",
                  f"{n['n']} pictures of {n['n_speakers']} speakers.", "",
                  *markdown_table(["method", *stages], [
                      [name, *(interval(by_stage[stage]) for stage in stages)]
                      for name, by_stage in results[key].items()]), ""]
    lines += ["## Speed", "", *markdown_table(["method", "ms per picture"], [
        [name, f"{ms:.0f}"] for name, ms in results["ms"].items()]), ""]
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
    lines += [*markdown_table(["method", "rank correlation after a shift of 30 ms"], [
        [name, interval(means["stability"])] for name, means in methods.items()]), ""]
    return lines + (_word_table(methods) if first["n_words"] else [])


def _word_table(methods: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Markdown lines of how much lies on the word, by the map and without it."""
    first = next(iter(methods.values()))
    head = ["method", "fraction on the word", "less chance", "less the loudest quarter's",
            "strongest quarter on the word", "less the loudest quarter's"]
    keys = ("on_word", "on_word-random", "on_word-amplitude", "strongest_on_word",
            "strongest_on_word-amplitude")
    return [f"{first['n_words']} words between noise: they cover "
            f"{interval(first['word_width'])} of the width, which is chance, and "
            f"{interval(first['loudest_on_word'])} of the loudest quarter of the pixels lies on "
            "them.", "", *markdown_table(head, [
                [name, *(interval(means[key]) for key in keys)]
                for name, means in methods.items()]), ""]


def _cells(name: str, means: Mapping[str, Any], measures: Sequence[str]) -> list[str]:
    """Name of a method, and each measure with its differences to the controls."""
    return [name, *(interval(means[key]) for measure in measures
                    for key in (measure, *(f"{measure}-{c}" for c in CONTROLS)))]
