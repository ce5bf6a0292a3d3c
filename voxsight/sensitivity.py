"""What in the sound an answer hangs on, where that can be proven: by changing the sound."""

import functools
import os
import tempfile
from pathlib import Path

import numpy as np

from voxsight import audio, display, files
from voxsight.corpora import GENDERS
from voxsight.degradation import shaped
from voxsight.errors import RecordingError, UsageError
from voxsight.evaluation import mean_over_speakers
from voxsight.models import open_model
from voxsight.parallel import ordered_map, progress
from voxsight.report import interval, markdown_table
from voxsight.vocoder import Vocoder

RATE = 16_000
LONGEST_S = 10.0  # what is listened to of a recording
BANDS_HZ = tuple(np.round(100 * 2 ** np.arange(0, 5.5, 0.5), 1).tolist())  # half octaves
BAND_OCTAVES = 0.5
SEMITONES = tuple(range(-12, 13, 2))
FORMANTS_PERCENT = tuple(range(-24, 28, 4))
TITLES = {"bands": ("centre of the half octave that is left out", "Hz", BANDS_HZ),
          "pitch": ("pitch moved, formants kept", "semitones", SEMITONES),
          "formants": ("formants moved, pitch kept", "%", FORMANTS_PERCENT)}


def without_band(samples, rate, centre_hz):
    """The sound without half an octave around a frequency; shape (n,), float32."""
    low, high = centre_hz * 2 ** (-BAND_OCTAVES / 2), centre_hz * 2 ** (BAND_OCTAVES / 2)
    return shaped(samples, rate, lambda hz: np.where((hz >= low) & (hz < high), 0.0, 1.0))


def versions(samples, rate):
    """The sound under every change.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,), float32]
    rate : int
        Hz

    Yields
    ------
    sweep : str
        key of `TITLES`
    x : float
        a value of that sweep
    samples : np.ndarray [shape=(n,), float32]
        for pitch and formants taken apart and put together by the WORLD vocoder, also
        where nothing is moved, so that only the movement tells
    """
    for centre in BANDS_HZ:
        yield "bands", centre, without_band(samples, rate, centre)
    voice = Vocoder(samples, rate)
    for semitones in SEMITONES:
        wanted = voice.median_f0 and voice.median_f0 * 2 ** (semitones / 12)
        yield "pitch", semitones, voice.resynthesise(wanted)
    for percent in FORMANTS_PERCENT:
        yield "formants", percent, voice.resynthesise(formants=1 + percent / 100)


def sweep(path, classifier):
    """Answers for a recording under every change.

    Parameters
    ----------
    path : str or os.PathLike
    classifier : prediction.PictureModel or models.FeatureModel

    Returns
    -------
    dict of str to list of float
        per sweep, p_female at each value of `TITLES`; NaN where nothing was to be heard

    Raises
    ------
    RecordingError
    """
    samples, rate = audio.read(path, RATE)
    found = {name: [] for name in TITLES}
    with tempfile.TemporaryDirectory() as folder:
        altered = os.path.join(folder, "altered.wav")
        for name, _, own in versions(samples[: int(LONGEST_S * rate)], rate):
            audio.write_wav(altered, own, rate)
            p_female = classifier.answer(altered).p_female
            found[name].append(float("nan") if p_female is None else p_female)
    return found


def flip(x, p_female):
    """How far from nothing the change must go for the other label to be likelier.

    Parameters
    ----------
    x : sequence of float
        ascending, with a 0 in it
    p_female : sequence of float

    Returns
    -------
    float
        the nearest crossing of a half, linearly between values, with its sign; NaN where
        none is reached

    Examples
    --------
    >>> flip([-2, 0, 2], [0.1, 0.9, 0.95])
    -1.0
    """
    x, above = np.asarray(x, float), np.asarray(p_female, float) - 0.5
    i = np.flatnonzero(above[:-1] * above[1:] < 0)
    crossings = x[i] - above[i] * (x[i + 1] - x[i]) / (above[i + 1] - above[i])
    return float(crossings[np.abs(crossings).argmin()]) if len(crossings) else float("nan")


def draw_sweeps(path, found, name):
    """Draw the curves of one recording."""
    display.save_sensitivity(path, {
        key: {"title": title, "unit": unit, "x": x, "lines": {name: (found[key],) * 3}}
        for key, (title, unit, x) in TITLES.items()})


def measure_sensitivity(utterances, model, *, jobs=None, quiet=False):
    """Curves of many recordings, means by gender.

    Parameters
    ----------
    utterances : list of corpora.Utterance
    model : str or os.PathLike
        model folder
    jobs, quiet
        as everywhere

    Returns
    -------
    dict
        per sweep and gender ``curve`` (a mean with interval at each value) and, for pitch
        and formants, ``flips`` (share that changes within the sweep) and ``at`` (the mean
        value where those do)

    Raises
    ------
    UsageError
        if no recording could be read
    """
    make = functools.partial(_sweeper, str(model))
    results = list(progress(ordered_map(make, utterances, jobs), len(utterances),
                            desc="recordings", unit="recording", quiet=quiet))
    kept = [(u, found) for u, found in zip(utterances, results) if found]
    if not kept:
        raise UsageError("found no recording that could be read, expected some; name others")
    return {name: {gender: _of_gender([(u, found[name]) for u, found in kept
                                       if u.gender == gender], name) for gender in GENDERS}
            for name in TITLES}


def _sweeper(model):
    return functools.partial(_sweep, classifier=open_model(model))


def _sweep(utterance, *, classifier):
    try:
        return sweep(utterance.path, classifier)
    except RecordingError:
        return None


def _of_gender(pairs, name):
    speakers, x = [u.voice for u, _ in pairs], TITLES[name][2]
    curves = np.array([curve for _, curve in pairs]).reshape(len(pairs), len(x))
    found = {"n": len(pairs), "n_speakers": len(set(speakers)),
             "curve": [mean_over_speakers(column, speakers) for column in curves.T]}
    if name != "bands":
        flips = np.array([flip(x, curve) for curve in curves])
        found["flips"] = mean_over_speakers(~np.isnan(flips), speakers)
        found["at"] = mean_over_speakers(flips, speakers)
    return found


def write_sensitivity(found, out, command):
    """Write ``sensitivity.json``, ``sensitivity.md`` and ``sensitivity.png``.

    Parameters
    ----------
    found : dict
        as `measure_sensitivity` gives it
    out : str or os.PathLike
    command : str

    Returns
    -------
    str
        the tables
    """
    lines = ["Made with", "", f"    {command}", ""]
    for name, (title, unit, x) in TITLES.items():
        own = {f"{gender} ({found[name][gender]['n_speakers']} speakers)": found[name][gender]
               for gender in GENDERS}
        lines += [f"## {title}: mean p_female", "", *markdown_table(
            [unit, *own], [[f"{value:g}", *(interval(g["curve"][i]) for g in own.values())]
                           for i, value in enumerate(x)]), ""]
        if name != "bands":
            lines += [*markdown_table(["", *own], [
                ["share whose answer flips", *(interval(g["flips"]) for g in own.values())],
                [f"mean {unit} where it does", *(interval(g["at"]) for g in own.values())]]), ""]
    text = "\n".join(lines)
    files.write_json(Path(out) / "sensitivity.json", {"command": command, **found})
    files.write_bytes(Path(out) / "sensitivity.md", text.encode())
    display.save_sensitivity(Path(out) / "sensitivity.png", {
        name: {"title": title, "unit": unit, "x": x,
               "lines": {gender: _line(found[name][gender]["curve"]) for gender in GENDERS
                         if found[name][gender]["n"]}}
        for name, (title, unit, x) in TITLES.items()})
    return text


def _line(curve):
    return tuple([figure[key] for figure in curve] for key in ("value", "low", "high"))
