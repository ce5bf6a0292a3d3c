"""The methods of `attribution` put to the test, each against chance and loudness."""

import functools
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from voxsight import audio, display, files, localisation, sanity
from voxsight.attribution import CAMS, GRAPHS, LAYERS, OCCLUSIONS, Explainer, Method
from voxsight.checkpoint import LABELS
from voxsight.degradation import coloured_noise
from voxsight.errors import RecordingError, UsageError
from voxsight.evaluation import mean_over_speakers
from voxsight.explanation import enlarge
from voxsight.faithfulness import amplitude, measures, pooled
from voxsight.parallel import ordered_map, progress
from voxsight.prediction import PictureModel
from voxsight.report import interval, markdown_table

# HiResCAM of the last stage is left out: behind a linear head it is Grad-CAM.
METHODS = (*GRAPHS, *(Method(name, layer) for layer in LAYERS for name in CAMS
                      if Method(name, layer) not in (*GRAPHS, Method("hirescam"))),
           *(Method(name) for name in OCCLUSIONS))
CONTROLS = ("random", "amplitude")
SANITY_PICTURES = 48
SANITY_SEEDS = (0, 1, 2)
TIMED = 8


def measure_methods(utterances, model, *, methods=METHODS, jobs=None, quiet=False):
    """Every measure of every method, on one picture of each recording.

    Parameters
    ----------
    utterances : list of corpora.Utterance
    model : str or os.PathLike
        model folder
    methods : sequence of attribution.Method
    jobs : int, optional
        processes; the cores available by default
    quiet : bool
        no progress bar

    Returns
    -------
    dict
        ``corpora``: per corpus and method each measure, less each control, ``stability``
        and ``on_word``, with intervals over speakers; ``sanity``: per method and stage the
        rank correlation with randomised networks; ``ms``: per method, of one picture

    Raises
    ------
    UsageError
        if no recording holds speech
    """
    make = functools.partial(_tester, str(model), tuple(methods))
    results = ordered_map(make, utterances, jobs)
    rows = progress(results, len(utterances), desc="recordings", unit="recording", quiet=quiet)
    rows = [row for row in rows if row is not None]
    if not rows:
        raise UsageError("found no speech in these recordings, expected some; name others")
    return {"corpora": _by_corpus(rows, methods),
            "sanity": _sanity(rows, model, methods, quiet), "ms": _speeds(rows, model, methods)}


def write_measured(found, out, command):
    """Write ``faithfulness.json``, as a table ``faithfulness.md``, and ``faithfulness.png``.

    Parameters
    ----------
    found : dict
        as `measure_methods` gives it
    out : str or os.PathLike
    command : str

    Returns
    -------
    str
        the table
    """
    text = f"Made with\n\n    {command}\n\n{_markdown(found)}"
    files.write_json(Path(out) / "faithfulness.json", {"command": command, **found})
    files.write_bytes(Path(out) / "faithfulness.md", text.encode())
    display.save_faithfulness(Path(out) / "faithfulness.png", found["corpora"])
    return text


def _tester(model, methods):
    return functools.partial(_test, explainer=Explainer(PictureModel(model)),
                             methods=methods)


def _test(utterance, *, explainer, methods):
    """Measures of one recording; None where it cannot be read or nobody speaks."""
    windows = []
    prediction = explainer.model.answer(utterance.path, keep=windows)
    windows = [window for window in windows if window.speech]
    if prediction.error or not windows:
        return None
    window = max(windows, key=lambda w: sum(end - start for start, end in w.speech))
    label = _label(explainer.model, window.log_odds)
    controls = functools.lru_cache(functools.partial(_control_measures, window.picture, label,
                                                     explainer))
    word = _noise_word_noise(utterance.path, explainer.model.config.recipe)
    found = {str(method): _measure(window, label, method, explainer, controls, word)
             for method in methods}
    return {"utterance": utterance, "picture": window.picture, "label": label, "found": found}


def _label(model, log_odds):
    return LABELS[0] if model.config.calibration.evidence(log_odds) > 0 else LABELS[1]


def _measure(window, label, method, explainer, controls, word):
    """Measures of one map and, in front of a ``-``, what it has more than each control."""
    pictures, recipe = window.picture[None], explainer.model.config.recipe
    size = window.picture.shape[:2]
    coarse = explainer.maps(pictures, [label], method)
    own = measures(window.picture, enlarge(coarse, size)[0], explainer.p_label(label), 0)
    found = dict(own)
    for control, values in controls(coarse.shape[1:]).items():
        found |= {f"{name}-{control}": own[name] - values[name] for name in own}
    pair = sanity.shifted_pair(window.samples, recipe)
    found["stability"] = sanity.stability(
        enlarge(explainer.maps(pair, [label] * 2, method), size), recipe)
    found["on_word"] = _on_word(word, method, explainer)
    return found


def _control_measures(picture, label, explainer, shape):
    """Measures of maps that know nothing of the network, as coarse as a method's."""
    recipe = explainer.model.config.recipe
    maps = {"random": np.random.default_rng(1).random(shape),
            "amplitude": pooled(amplitude(picture, recipe), shape)}
    return {name: measures(picture, enlarge(heat[None], picture.shape[:2])[0],
                           explainer.p_label(label), 0) for name, heat in maps.items()}


def _noise_word_noise(path, recipe):
    """Picture of noise, the recording and noise; None unless it is a short word."""
    rng = np.random.default_rng(0)
    try:
        samples, _ = audio.read(path, recipe.sample_rate)
        noise = coloured_noise(2 * recipe.window_samples, 1, rng)
        return localisation.noise_word_noise(localisation.trim(samples, recipe.sample_rate),
                                             noise, recipe, rng)
    except (RecordingError, ValueError):
        return None


def _on_word(word, method, explainer):
    if word is None:
        return float("nan")
    picture, start, end = word
    logits, _ = explainer.model.run(picture[None])
    label = _label(explainer.model, logits[0, 0] - logits[0, 1])
    heat = enlarge(explainer.maps(picture[None], [label], method), picture.shape[:2])[0]
    return localisation.share_on(heat, start, end)


def _by_corpus(rows, methods):
    corpora = defaultdict(list)
    for row in rows:
        corpora[row["utterance"].corpus].append(row)
    return {corpus: {str(method): _summary(own, str(method)) for method in methods}
            for corpus, own in corpora.items()}


def _summary(rows, method):
    speakers = [row["utterance"].voice for row in rows]
    values = {name: [row["found"][method][name] for row in rows]
              for name in rows[0]["found"][method]}
    return {"n": len(rows), "n_speakers": len(set(speakers)),
            **{name: mean_over_speakers(own, speakers) for name, own in values.items()}}


def _sanity(rows, model, methods, quiet):
    """Rank correlations with randomised networks, by method and stage."""
    chosen = rows[:: -(-len(rows) // SANITY_PICTURES)]
    pictures = np.stack([row["picture"] for row in chosen])
    labels = [row["label"] for row in chosen]
    speakers = [row["utterance"].voice for row in chosen]
    answerer = PictureModel(model)
    network, found = Explainer(answerer).network, {}
    for method in progress(methods, len(methods), desc="sanity", unit="method", quiet=quiet):
        def maps_of(own, method=method):
            return Explainer(answerer, own).maps(pictures, labels, method)

        # Occlusion takes a hundred times as long as the rest.
        seeds = SANITY_SEEDS if method.name in CAMS else SANITY_SEEDS[:1]
        drawn = [sanity.cascade(network, maps_of, pictures.shape[1:3], seed) for seed in seeds]
        found[str(method)] = {stage: mean_over_speakers(
            np.mean([own[stage] for own in drawn], axis=0), speakers) for stage in drawn[0]}
    return found


def _speeds(rows, model, methods):
    """Milliseconds that a method takes for one picture, median of a few, all loaded."""
    explainer, found = Explainer(PictureModel(model)), {}
    for method in methods:
        taken = []
        for row in rows[:TIMED]:
            start = time.perf_counter()
            explainer.maps(row["picture"][None], [row["label"]], method)
            taken.append(1000 * (time.perf_counter() - start))
        found[str(method)] = float(np.median(taken))
    return found


def _markdown(found):
    lines = []
    for corpus, methods in found["corpora"].items():
        first = next(iter(methods.values()))
        lines += [f"## {corpus}: {first['n']} pictures of {first['n_speakers']} speakers", ""]
        head = ["method", "deletion area", *(f"deletion less {c}" for c in CONTROLS),
                "insertion area", *(f"insertion less {c}" for c in CONTROLS)]
        lines += [*markdown_table(head, [_cells(name, own, ("deletion", "insertion"))
                                         for name, own in methods.items()]), ""]
        head = ["method", *(f"{title}{rest}" for title in ("ROAD gap, linear", "ROAD gap, mean")
                            for rest in ("", *(f", less {c}" for c in CONTROLS)))]
        lines += [*markdown_table(head, [_cells(name, own, ("road_linear", "road_mean"))
                                         for name, own in methods.items()]), ""]
        head = ["method", "rank correlation after a shift of 30 ms", "share on the word"]
        lines += [*markdown_table(head, [
            [name, interval(own["stability"]), interval(own["on_word"])]
            for name, own in methods.items()]), ""]
    stages = list(next(iter(found["sanity"].values())))
    lines += ["## Rank correlation with the maps of networks randomised from the head down to",
              "", *markdown_table(["method", *stages, "ms per picture"], [
                  [name, *(interval(own[stage]) for stage in stages), f"{found['ms'][name]:.0f}"]
                  for name, own in found["sanity"].items()]), ""]
    return "\n".join(lines)


def _cells(name, own, measured):
    return [name, *(interval(own[key]) for measure in measured
                    for key in (measure, *(f"{measure}-{c}" for c in CONTROLS)))]
