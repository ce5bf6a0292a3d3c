"""Heat maps, drawn in a process of their own: what draws them takes much memory and time to load.

The process starts with the first picture and ends when none was asked for in a while.
"""

import contextlib
import dataclasses
import io
import os
import tempfile
import threading
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from voxsight.answer.prediction import Prediction, WindowPrediction
from voxsight.base.parallel.workers import Workers
from voxsight.errors import RecordingError
from voxsight.web.lanes import Lane
from voxsight.web.limits import Limits
from voxsight.web.uploads import Upload

IDLE_S = 120.0  # after which the process ends


class HeatMapArtist:
    """Draws heat maps of recordings.

    Parameters
    ----------
    model : str or os.PathLike
        A model folder.
    limits : Limits
    """

    def __init__(self, model: str | os.PathLike, limits: Limits) -> None:
        self._model, self._lock = str(model), threading.Lock()
        self._lane = Lane("drawing", 1, limits.waiting, limits.client_waiting)
        self._workers: Workers | None = None
        self._timer: threading.Timer | None = None

    def draw(self, upload: Upload, prediction: Prediction,
             n_windows: int) -> "Future[bytes | None]":
        """A future of a PNG of where the network looked in the first windows.

        Parameters
        ----------
        upload : Upload
        prediction : Prediction
        n_windows : int
            How many windows the recording has.

        Returns
        -------
        concurrent.futures.Future
            Its result is None if nothing can be drawn.

        Raises
        ------
        Refusal
            If too many wait already.
        """
        return self._lane.submit(upload.client, lambda: self._draw(
            (upload.content, dataclasses.asdict(prediction), n_windows)))

    def _draw(self, item: tuple[bytes, dict[str, Any], int]) -> bytes | None:
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._workers = self._workers or Workers(_Opening(self._model), 1, "spawn")
            try:
                return self._workers.results([item], self._workers.submit([item]), None)[0]
            except BrokenProcessPool:
                return None
            finally:
                self._timer = threading.Timer(IDLE_S, self._end)
                self._timer.daemon = True
                self._timer.start()

    def close(self) -> None:
        """End the process and the thread."""
        self._lane.close()
        self._end()

    def _end(self) -> None:
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            if self._workers is not None:
                self._workers.stop()
            self._workers = None


@dataclasses.dataclass
class _Opening:
    """Opens the function that draws, in the process that does."""

    model: str

    def __call__(self) -> Any:
        from voxsight.answer.picture_model import PictureModel
        from voxsight.base.parallel.processes import return_freed_memory
        from voxsight.explanation.heat_maps import MAX_WINDOWS, draw_heat_map
        from voxsight.explanation.methods import Explainer
        from voxsight.sound.recording import Recording

        explainer = Explainer(PictureModel(self.model))
        return_freed_memory()

        def draw(item: tuple[bytes, dict[str, Any], int]) -> bytes | None:
            content, values, n_windows = item
            first = _First(MAX_WINDOWS)
            with (contextlib.suppress(_Enough, RecordingError),
                  Recording(io.BytesIO(content)) as recording):
                explainer.model.predict(recording, keep=first)
            if not first.windows:
                return None
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "heat_map.png"
                draw_heat_map(path, Prediction(**values), first.windows, explainer, n_windows)
                return path.read_bytes() if path.is_file() else None

        return draw


class _Enough(Exception):
    """All windows that are drawn were heard."""


class _First:
    """Keeps the first windows, and ends the hearing once it has them."""

    def __init__(self, most: int) -> None:
        self.windows: list[WindowPrediction] = []
        self._most = most

    def append(self, window: WindowPrediction, /) -> None:
        self.windows.append(window)
        if len(self.windows) == self._most:
            raise _Enough
