"""Predictions for a web page: several recordings at once, long ones in a queue of their own."""

import base64
import dataclasses
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from voxsight.answer.picture_model import PictureModel
from voxsight.answer.prediction import Prediction, WindowPrediction
from voxsight.answer.timeline import timeline
from voxsight.base.processes import available_cores
from voxsight.errors import RecordingError
from voxsight.explanation.heat_maps import MAX_WINDOWS, draw_heat_map
from voxsight.explanation.methods import Explainer
from voxsight.network.folder import ModelFolder
from voxsight.sound.recording import Recording
from voxsight.sound.writing import as_mp3

LONGEST_S = 3 * 3600.0
SHORT_BYTES = 2 * 2**20  # larger uploads wait in a queue of their own
WHOLE_S = 60.0  # longest recording that is played whole; of longer ones the segments' starts are
CLIP_S, CLIPS_S = 4.0, 600.0  # longest clip of a segment, and of all segments together
MAX_SEGMENTS = 500  # listed on the page; the CSV has all
LISTENING_RATE = 16_000  # of the sound that the page plays, Hz


@dataclasses.dataclass
class Heard:
    """What the page shows of one recording.

    Attributes
    ----------
    prediction : Prediction
    segments : list of dict
        ``start_s, end_s, label, p_female``, in time order.
    windows : list of WindowPrediction
        The first few, for a heat map.
    n_windows : int
        How many windows the recording has.
    """

    prediction: Prediction
    segments: list[dict[str, Any]]
    windows: list[WindowPrediction]
    n_windows: int


class Service:
    """A loaded model that several threads use.

    Parameters
    ----------
    model : ModelFolder, str or os.PathLike
        A model folder.

    Raises
    ------
    UsageError
        If it cannot be loaded.
    """

    def __init__(self, model: ModelFolder | str | os.PathLike) -> None:
        self.model = PictureModel(model)
        self.explainer = Explainer(self.model)
        size = self.model.config.architecture.size
        self.model.attribution_maps(np.zeros((1, *size, 3), np.uint8))  # loaded before it is needed
        self._short = ThreadPoolExecutor(available_cores(), "short")
        self._long = ThreadPoolExecutor(1, "long")
        self._drawing = threading.Lock()  # matplotlib's font cache is shared by all threads

    def submit(self, path: str | os.PathLike, name: str,
               heard_s: Callable[[float], object] | None = None) -> "Future[Heard]":
        """A future of `Heard` for a recording.

        Parameters
        ----------
        path : str or os.PathLike
        name : str
            The user's name for it, which the prediction gets as its path.
        heard_s : callable, optional
            Called now and then with the seconds that were read.

        Returns
        -------
        concurrent.futures.Future
        """
        executor = self._short if os.path.getsize(path) <= SHORT_BYTES else self._long
        return executor.submit(self._hear, path, name, heard_s)

    def _hear(self, path: str | os.PathLike, name: str,
              heard_s: Callable[[float], object] | None) -> Heard:
        kept = _Kept(path, heard_s)
        prediction = dataclasses.replace(self.model.predict(path, keep=kept), path=name)
        return Heard(prediction, timeline(kept.all, self.model), kept.first, len(kept.all))

    def heat_map(self, heard: Heard) -> bytes | None:
        """PNG of where the network looked; None if there is nothing to draw."""
        if not heard.windows:
            return None
        with self._drawing, tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "heat_map.png"
            draw_heat_map(path, heard.prediction, heard.windows, self.explainer, heard.n_windows)
            return path.read_bytes() if path.is_file() else None


class _Kept:
    """Keeps windows, reports progress, and stops at a recording that is too long."""

    def __init__(self, path: str | os.PathLike,
                 heard_s: Callable[[float], object] | None) -> None:
        self.first: list[WindowPrediction] = []
        self.all: list[WindowPrediction] = []
        self.path = path
        self._tell, self._told = heard_s, time.monotonic()

    def append(self, window: WindowPrediction, /) -> None:
        if window.end_s > LONGEST_S:
            raise RecordingError(self.path, f"found more than {LONGEST_S / 3600:g} hours",
                                 "a shorter recording", "cut it, or use scripts/deploy_model.py")
        if len(self.first) < MAX_WINDOWS:
            self.first.append(window)
        self.all.append(window.without_arrays())
        if self._tell and time.monotonic() - self._told > 0.2:
            self._told = time.monotonic()
            self._tell(window.end_s)


def listening(path: str | os.PathLike,
              heard: Heard) -> tuple[str, list[tuple[float, float]]]:
    """Sound for a browser to play, and where in it each segment starts and ends.

    Parameters
    ----------
    path : str or os.PathLike
    heard : Heard

    Returns
    -------
    mp3 : str
        As a data URL; empty if nothing can be played.
    places : list of (float, float)
        Seconds in that sound, for each of the first `MAX_SEGMENTS` segments.
    """
    segments = heard.segments[:MAX_SEGMENTS]
    places: list[tuple[float, float]] = []
    clips: list[np.ndarray] = []
    start_s = 0.0
    assert heard.prediction.duration_s is not None  # it was read without an error
    try:
        if heard.prediction.duration_s <= WHOLE_S:
            samples = Recording(path).read(LISTENING_RATE)
            places = [(s["start_s"], s["end_s"]) for s in segments]
            clips = [samples]
        elif segments:
            clip_s = min(CLIP_S, max(1.0, CLIPS_S / len(segments)))
            for clip in _clips(path, segments, clip_s):
                clips.append(clip)
                end_s = start_s + len(clip) / LISTENING_RATE
                places.append((start_s, end_s))
                start_s = end_s
    except RecordingError:
        return "", []
    if not clips:
        return "", places
    mp3 = as_mp3(np.concatenate(clips), LISTENING_RATE)
    return "data:audio/mpeg;base64," + base64.b64encode(mp3).decode(), places


def _clips(path: str | os.PathLike, segments: Sequence[Mapping[str, Any]],
           clip_s: float) -> list[np.ndarray]:
    """The start of each segment, read in one pass over a recording of any length."""
    wanted = [(int(s["start_s"] * LISTENING_RATE),
               int(min(s["end_s"], s["start_s"] + clip_s) * LISTENING_RATE)) for s in segments]
    parts: list[list[np.ndarray]] = [[] for _ in wanted]
    position = 0
    for block in Recording(path).blocks(LISTENING_RATE):
        for clip, (start, end) in zip(parts, wanted):
            if start < position + len(block) and end > position:
                clip.append(block[max(0, start - position): end - position].copy())
        position += len(block)
    return [np.concatenate(clip) if clip else np.zeros(0, np.float32) for clip in parts]


def keep_recording(path: str | os.PathLike, folder: str | os.PathLike = "my_wavs") -> Path:
    """Copy a recording to a folder under the time of day; returns the copy's path."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    base, number = time.strftime("web_%Y%m%d_%H%M%S"), 1
    while True:
        copy = folder / f"{base}_{number}{Path(path).suffix.lower()}"
        try:
            with open(copy, "xb") as file, open(path, "rb") as source:
                shutil.copyfileobj(source, file)
            return copy
        except FileExistsError:
            number += 1
