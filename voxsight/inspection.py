"""What a model looked at in single recordings: to see, to hear, and to try."""

from pathlib import Path

import numpy as np

from voxsight import audio, files
from voxsight.attribution import Explainer, Method
from voxsight.deployment import MAX_WINDOWS, draw_heat_map, find_inputs
from voxsight.errors import RecordingError
from voxsight.parallel import progress
from voxsight.prediction import PictureModel
from voxsight.sensitivity import draw_sweeps, sweep


def inspect(paths, model, out, *, method=Method(), sweeps=False, quiet=False):
    """Draw, and write as sound, where a model looked.

    Writes ``<name>.png`` and ``<name>_marked.wav`` and, if asked, ``<name>_sweeps.png`` and
    ``<name>_sweeps.json``.

    Parameters
    ----------
    paths : list of str
        recordings and folders of them
    model : str or os.PathLike
        model folder
    out : str or os.PathLike
    method : attribution.Method
    sweeps : bool
        also change the sound and trace the answer
    quiet : bool
        no progress bar

    Yields
    ------
    prediction.Prediction
        per recording; with ``error`` set where it could not be read

    Raises
    ------
    UsageError
        if the model cannot be loaded
    """
    explainer, inputs = Explainer(PictureModel(model)), find_inputs(paths)
    for item in progress(inputs, len(inputs), desc="recordings", unit="recording", quiet=quiet):
        windows = []
        prediction = explainer.model.answer(item.path, keep=windows)
        if windows and not prediction.error:
            base = Path(out) / item.name
            heat = draw_heat_map(f"{base}.png", prediction, windows, explainer, method=method)
            if heat is not None:
                _write_marked(f"{base}_marked.wav", item.path, windows[:MAX_WINDOWS], heat,
                              explainer.model.config.recipe.sample_rate)
            if sweeps and heat is not None:
                found = sweep(item.path, explainer.model)
                files.write_json(f"{base}_sweeps.json", found)
                draw_sweeps(f"{base}_sweeps.png", found, item.name)
        yield prediction


def marked(samples, rate, windows, heat):
    """A recording as loud as a map is strong at each time.

    Rows of a map are no frequencies alone, since the same rows show coefficients; what a
    map says of time is all that can be made heard.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,)]
    rate : int
        Hz
    windows : list of prediction.WindowAnswer
    heat : np.ndarray [shape=(len(windows), height, width)]

    Returns
    -------
    np.ndarray [shape=(m,), float32]
        up to the end of the last window
    """
    end = min(len(samples), max(1, round(windows[-1].end_s * rate)))
    times, gain = np.arange(end) / rate, np.zeros(end)
    for window, profile in zip(windows, heat.mean(axis=1)):
        width = (window.end_s - window.start_s) / len(profile)
        centres = window.start_s + width * (np.arange(len(profile)) + 0.5)
        inside = (times >= window.start_s) & (times < window.end_s)
        gain[inside] = np.maximum(gain[inside], np.interp(times[inside], centres, profile))
    return (samples[:end] * gain / (gain.max() or 1.0)).astype(np.float32)


def _write_marked(path, recording, windows, heat, rate):
    try:
        samples, _ = audio.read(recording, rate)
    except RecordingError:
        return
    audio.write_wav(path, marked(samples, rate, windows, heat), rate)
