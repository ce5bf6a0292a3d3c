"""What a model looked at in single recordings: to see, to hear, and to try."""

from pathlib import Path

import numpy as np

from voxsight import audio, files
from voxsight.attribution import Explainer, Method
from voxsight.deployment import MAX_WINDOWS, draw_heat_map, find_inputs
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
                rate = explainer.model.config.recipe.sample_rate
                audio.write_wav(f"{base}_marked.wav", marked(windows[:MAX_WINDOWS], heat, rate),
                                rate)
            if sweeps and heat is not None:
                found = sweep(item.path, explainer.model)
                files.write_json(f"{base}_sweeps.json", found)
                draw_sweeps(f"{base}_sweeps.png", found, item.name)
        yield prediction


def marked(windows, heat, rate):
    """A recording as loud as a map is strong at each time.

    Rows of a map are no frequencies alone, since the same rows show coefficients; what a
    map says of time is all that can be made heard.

    Parameters
    ----------
    windows : list of prediction.WindowAnswer
    heat : np.ndarray [shape=(len(windows), height, width)]
    rate : int
        of the windows' samples, Hz

    Returns
    -------
    np.ndarray [shape=(m,), float32]
        up to the end of the last window, silent where there was none
    """
    # A picture shows its sound in the middle, between padding if the sound was short.
    starts = [max(0, round(((w.start_s + w.end_s) * rate - len(w.samples)) / 2))
              for w in windows]
    end = max(start + len(w.samples) for start, w in zip(starts, windows))
    sound, gain = np.zeros(end), np.zeros(end)
    for start, window, profile in zip(starts, windows, heat.mean(axis=1)):
        place = slice(start, start + len(window.samples))
        width = (window.end_s - window.start_s) / len(profile)
        centres = window.start_s + width * (np.arange(len(profile)) + 0.5)
        own = np.interp(np.arange(place.start, place.stop) / rate, centres, profile)
        sound[place], gain[place] = window.samples, np.maximum(gain[place], own)
    return (sound * gain / (gain.max() or 1.0)).astype(np.float32)
