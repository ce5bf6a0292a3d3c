"""Attribution maps of single recordings: drawn, made audible, and tested by changing the sound."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from voxsight.answer.inputs import Input, find_inputs
from voxsight.answer.picture_model import PictureModel
from voxsight.answer.prediction import Prediction, WindowPrediction
from voxsight.base import files
from voxsight.base.progress import progress
from voxsight.errors import RecordingError
from voxsight.explanation.heat_maps import MAX_WINDOWS, draw_heat_map
from voxsight.explanation.methods import GRAD_CAM, Explainer, Method
from voxsight.explanation.sweeps import draw_sweeps, sweep
from voxsight.sound import writing
from voxsight.sound.recording import Recording

ENDINGS = ("", "_marked", "_sweeps")  # behind the names of what is written


def inspect(paths: Sequence[str], model: str | os.PathLike, out: str | os.PathLike, *,
            method: Method = GRAD_CAM, sweeps: bool = False,
            quiet: bool = False) -> Iterator[Prediction]:
    """Draw the attribution maps of recordings, and write them as sound.

    Writes ``<name>.png`` and ``<name>_marked.wav`` and, with `sweeps`, ``<name>_sweeps.png``
    and ``<name>_sweeps.json``.

    Parameters
    ----------
    paths : sequence of str
        Recordings and folders of recordings.
    model : str or os.PathLike
        Model folder.
    out : str or os.PathLike
        Folder for the files.
    method : Method
        Method that makes the maps.
    sweeps : bool
        Also change pitch, formants and bands, and trace the probability.
    quiet : bool
        No progress bar.

    Yields
    ------
    Prediction
        One per recording, with ``error`` set if it could not be read.

    Raises
    ------
    UsageError
        If the model cannot be loaded, the method needs a package that is not installed, or a
        WAV would replace one of the recordings.
    """
    method.check_installed()
    explainer, inputs = Explainer(PictureModel(model)), find_inputs(paths, ENDINGS)
    with files.protecting(item.path for item in inputs):  # a WAV may have the name of one
        for item in progress(inputs, len(inputs), desc="recordings", unit="recording",
                             quiet=quiet):
            try:
                yield _inspected(item, Path(out), explainer, method, sweeps)
            except RecordingError as error:
                yield Prediction(item.path, error=error.reason)


def is_drawn(prediction: Prediction) -> bool:
    """Whether `inspect` writes anything: a recording of zeros has no map."""
    return not prediction.error and prediction.p_female is not None


def marked(windows: Sequence[WindowPrediction], heat: np.ndarray, rate: int) -> np.ndarray:
    """A recording whose loudness follows the strength of its attribution map over time.

    Only what a map says about time can be made audible: its rows are not only frequencies,
    because the same rows also show coefficients.

    Parameters
    ----------
    windows : sequence of WindowPrediction
        With their samples.
    heat : np.ndarray [shape=(len(windows), height, width)]
        Their maps.
    rate : int
        Sampling rate of the windows' samples, Hz.

    Returns
    -------
    np.ndarray [shape=(m,), float32]
        Up to the end of the last window; silent where there is no window.
    """
    sounds = [_samples(window) for window in windows]
    # A picture shows its sound in the middle, between padding if the sound is short.
    starts = [max(0, round(((window.start_s + window.end_s) * rate - len(samples)) / 2))
              for window, samples in zip(windows, sounds)]
    end = max(start + len(samples) for start, samples in zip(starts, sounds))
    sound, gain = np.zeros(end), np.zeros(end)
    for start, window, samples, profile in zip(starts, windows, sounds, heat.mean(axis=1)):
        stop = start + len(samples)
        column_s = (window.end_s - window.start_s) / len(profile)
        centres = window.start_s + column_s * (np.arange(len(profile)) + 0.5)
        window_gain = np.interp(np.arange(start, stop) / rate, centres, profile)
        sound[start:stop] = samples
        gain[start:stop] = np.maximum(gain[start:stop], window_gain)
    return (sound * gain / (gain.max() or 1.0)).astype(np.float32)


def _inspected(item: Input, out: Path, explainer: Explainer, method: Method,
               sweeps: bool) -> Prediction:
    """Write what belongs to one recording."""
    if item.error:
        return Prediction(item.path, error=item.error)
    windows: list[WindowPrediction] = []
    recording = Recording(item.path).load() if sweeps else Recording(item.path)
    prediction = explainer.model.predict(recording, keep=windows)
    if is_drawn(prediction):
        base = f"{out / item.name}"
        _write_maps(base, prediction, windows, explainer, method)
        if sweeps:
            curves = sweep(recording, explainer.model)
            files.write_json(f"{base}_sweeps.json", {
                name: [None if np.isnan(p) else p for p in curve]
                for name, curve in curves.items()})
            draw_sweeps(f"{base}_sweeps.png", curves, item.name)
    return prediction


def _write_maps(base: str, prediction: Prediction, windows: Sequence[WindowPrediction],
                explainer: Explainer, method: Method) -> None:
    """Write a recording's maps as PNG and WAV."""
    heat = draw_heat_map(f"{base}.png", prediction, windows, explainer, method=method)
    assert heat is not None  # there is a probability
    rate = explainer.model.config.recipe.sample_rate
    writing.write_wav(f"{base}_marked.wav", marked(windows[:MAX_WINDOWS], heat, rate), rate)


def _samples(window: WindowPrediction) -> np.ndarray:
    assert window.samples is not None
    return window.samples
