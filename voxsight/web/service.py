"""Answers for a web page: many recordings at once, a long one apart from the short ones."""

import base64
import dataclasses
import io
import os
import shutil
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import soundfile

from voxsight import audio
from voxsight.attribution import Explainer
from voxsight.deployment import KeptWindows, draw_heat_map
from voxsight.errors import RecordingError
from voxsight.parallel import available_cores
from voxsight.prediction import PictureModel, Prediction
from voxsight.timeline import timeline

LONGEST_S = 3 * 3600.0
SHORT_BYTES = 2 * 2**20  # larger uploads wait in a lane of their own
WHOLE_S = 60.0  # recordings up to this can be heard whole, of longer ones each segment's start
CLIP_S, CLIPS_S = 4.0, 600.0  # of a segment, and of all of them
MAX_SEGMENTS = 500  # listed on the page; the CSV has all
LISTENING_RATE = 16_000


@dataclasses.dataclass
class Heard:
    """What is known of one recording.

    Attributes
    ----------
    prediction : prediction.Prediction
    segments : list of dict
        ``start_s, end_s, label, p_female``, in time order
    windows : list of prediction.WindowAnswer
        the first few, for a heat map
    n_windows : int
    """

    prediction: Prediction
    segments: list
    windows: list
    n_windows: int


class Service:
    """A loaded model that answers from several threads.

    Parameters
    ----------
    model : str or os.PathLike
        model folder

    Raises
    ------
    UsageError
        if it cannot be loaded
    """

    def __init__(self, model):
        self.model = PictureModel(model)
        self.explainer = Explainer(self.model)
        size = self.model.config.architecture.size
        self.model.evidence(np.zeros((1, *size, 3), np.uint8))  # loaded before it is needed
        self._short = ThreadPoolExecutor(available_cores(), "short")
        self._long = ThreadPoolExecutor(1, "long")
        self._drawing = threading.Lock()  # matplotlib shares its font cache

    def submit(self, path, name, heard_s=None):
        """A future of `Heard` for a recording.

        Parameters
        ----------
        path : str or os.PathLike
        name : str
            what the user calls it; stands in the answer
        heard_s : callable, optional
            told now and then how many seconds were heard

        Returns
        -------
        concurrent.futures.Future
        """
        lane = self._short if os.path.getsize(path) <= SHORT_BYTES else self._long
        return lane.submit(self._hear, path, name, heard_s)

    def _hear(self, path, name, heard_s):
        kept = _Kept(path, heard_s)
        prediction = dataclasses.replace(self.model.answer(path, keep=kept), path=name)
        return Heard(prediction, timeline(kept.all, self.model), kept.first, len(kept.all))

    def heat_map(self, heard):
        """PNG of where the network looked; None where there is nothing to draw."""
        if not heard.windows:
            return None
        with self._drawing, tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "heat_map.png"
            draw_heat_map(path, heard.prediction, heard.windows, self.explainer, heard.n_windows)
            return path.read_bytes() if path.is_file() else None


class _Kept(KeptWindows):
    """Tells how far the listening is, and stops a recording that does not end."""

    def __init__(self, path, heard_s):
        super().__init__()
        self.path = path
        self._tell, self._told = heard_s, time.monotonic()

    def append(self, window):
        if window.end_s > LONGEST_S:
            raise RecordingError(self.path, f"found more than {LONGEST_S / 3600:g} hours",
                                 "a shorter recording", "cut it, or use scripts/deploy_model.py")
        super().append(window)
        if self._tell and time.monotonic() - self._told > 0.2:
            self._told = time.monotonic()
            self._tell(window.end_s)


def listening(path, heard):
    """Sound to listen to in a browser, and where in it each segment starts and ends.

    Parameters
    ----------
    path : str or os.PathLike
    heard : Heard

    Returns
    -------
    mp3 : str
        as a data URL; empty where nothing can be heard
    places : list of (float, float)
        seconds in that sound, for each of the first `MAX_SEGMENTS` segments
    """
    segments, places, clips, heard_s = heard.segments[:MAX_SEGMENTS], [], [], 0.0
    try:
        if heard.prediction.duration_s <= WHOLE_S:
            samples, _ = audio.read(path, LISTENING_RATE)
            places = [(s["start_s"], s["end_s"]) for s in segments]
            clips = [samples]
        elif segments:
            clip_s = min(CLIP_S, max(1.0, CLIPS_S / len(segments)))
            for clip in _clips(path, segments, clip_s):
                clips.append(clip)
                places.append((heard_s, heard_s := heard_s + len(clip) / LISTENING_RATE))
    except RecordingError:
        return "", []
    return (_mp3(np.concatenate(clips)) if clips else ""), places


def _clips(path, segments, clip_s):
    """The start of each segment, read in one pass over a recording of any length."""
    wanted = [(int(s["start_s"] * LISTENING_RATE),
               int(min(s["end_s"], s["start_s"] + clip_s) * LISTENING_RATE)) for s in segments]
    position, parts = 0, [[] for _ in wanted]
    for block in audio.Recording(path).blocks(LISTENING_RATE):
        for own, (start, end) in zip(parts, wanted):
            if start < position + len(block) and end > position:
                own.append(block[max(0, start - position): end - position].copy())
        position += len(block)
    return [np.concatenate(own) if own else np.zeros(0, np.float32) for own in parts]


def _mp3(samples):
    out = io.BytesIO()
    soundfile.write(out, np.clip(samples, -1, 1), LISTENING_RATE, format="MP3")
    return "data:audio/mpeg;base64," + base64.b64encode(out.getvalue()).decode()


def keep_recording(path, folder="my_wavs"):
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
