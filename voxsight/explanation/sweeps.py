"""How the prediction changes when pitch, formants or frequency bands are changed."""

import os
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from voxsight import display
from voxsight.answer.opening import Model
from voxsight.sound.effects import shaped
from voxsight.sound.recording import Recording
from voxsight.sound.vocoder import Vocoder
from voxsight.sound.writing import as_pcm16

RATE = 16_000  # Hz
LONGEST_S = 10.0  # of a recording; what comes later is not used
BAND_OCTAVES = 0.5
BANDS_HZ = tuple(np.round(100 * 2 ** np.arange(0, 5.5, BAND_OCTAVES), 1).tolist())  # centres
SEMITONES = tuple(range(-12, 13, 2))
FORMANTS_PERCENT = tuple(range(-24, 28, 4))
# Title, unit and values of each sweep.
TITLES: dict[str, tuple[str, str, tuple[float, ...]]] = {
    "bands": ("centre of the half octave that is left out", "Hz", BANDS_HZ),
    "pitch": ("pitch moved, formants kept", "semitones", SEMITONES),
    "formants": ("formants moved, pitch kept", "%", FORMANTS_PERCENT)}


def without_band(samples: np.ndarray, rate: int, centre_hz: float) -> np.ndarray:
    """Sound without half an octave around a frequency.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,)]
        Mono samples.
    rate : int
        Sampling rate, Hz.
    centre_hz : float
        Centre of the band that is removed, Hz.

    Returns
    -------
    np.ndarray [shape=(n,), float32]
    """
    low, high = centre_hz * 2 ** (-BAND_OCTAVES / 2), centre_hz * 2 ** (BAND_OCTAVES / 2)
    return shaped(samples, rate, lambda hz: np.where((hz >= low) & (hz < high), 0.0, 1.0))


def versions(samples: np.ndarray, rate: int) -> Iterator[tuple[str, float, np.ndarray]]:
    """The sound after every change.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,), float32]
        Mono samples.
    rate : int
        Sampling rate, Hz.

    Yields
    ------
    sweep : str
        Key of `TITLES`.
    x : float
        One of the values of that sweep.
    samples : np.ndarray [shape=(n,), float32]
        For pitch and formants resynthesised by the WORLD vocoder, even if nothing is moved, so
        that the versions differ in nothing else.
    """
    for centre_hz in BANDS_HZ:
        yield "bands", centre_hz, without_band(samples, rate, centre_hz)
    voice = Vocoder(samples, rate)
    for semitones in SEMITONES:
        target_f0 = voice.median_f0 and voice.median_f0 * 2 ** (semitones / 12)
        yield "pitch", semitones, voice.resynthesise(target_f0)
    for percent in FORMANTS_PERCENT:
        yield "formants", percent, voice.resynthesise(formants=1 + percent / 100)


def sweep(recording: Recording, classifier: Model) -> dict[str, list[float]]:
    """Probabilities for a recording after every change.

    Parameters
    ----------
    recording : Recording
        Its first 10 s are used.
    classifier : PictureModel or FeatureModel
        The model.

    Returns
    -------
    dict of str to list of float
        Per sweep, the probability of female at each value of `TITLES`; NaN where no sound is
        left.

    Raises
    ------
    RecordingError
        If the recording cannot be read.
    """
    samples = recording.read(RATE)[: int(LONGEST_S * RATE)]
    curves: dict[str, list[float]] = {name: [] for name in TITLES}
    for name, _, altered in versions(samples, RATE):
        p_female = classifier.predict(Recording.of(as_pcm16(altered), RATE)).p_female
        curves[name].append(float("nan") if p_female is None else p_female)
    return curves


def flip(x: Sequence[float], p_female: Sequence[float] | np.ndarray) -> float:
    """The smallest change that makes the other label likelier.

    Parameters
    ----------
    x : sequence of float
        Values of a sweep, in ascending order, with 0 for no change.
    p_female : sequence of float
        Probability of female at each.

    Returns
    -------
    float
        Where the probability crosses a half, nearest to 0, linearly between values; NaN if it
        never does.

    Examples
    --------
    >>> flip([-2, 0, 2], [0.1, 0.9, 0.95])
    -1.0
    """
    values, above = np.asarray(x, float), np.asarray(p_female, float) - 0.5
    i = np.flatnonzero(above[:-1] * above[1:] < 0)
    crossings = values[i] - above[i] * (values[i + 1] - values[i]) / (above[i + 1] - above[i])
    return float(crossings[np.abs(crossings).argmin()]) if len(crossings) else float("nan")


def draw_sweeps(path: str | os.PathLike, curves: Mapping[str, Sequence[float]],
                name: str) -> None:
    """Draw the curves of one recording.

    Parameters
    ----------
    path : str or os.PathLike
        PNG to write.
    curves : mapping of str to (sequence of float)
        As `sweep` returns them.
    name : str
        Name of the recording.
    """
    display.save_sensitivity(path, {
        sweep_name: {"title": title, "unit": unit, "x": x,
                     "lines": {name: (curves[sweep_name],) * 3}}
        for sweep_name, (title, unit, x) in TITLES.items()})
