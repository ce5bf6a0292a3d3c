"""Heat maps of recordings as pictures."""

import dataclasses
import functools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from voxsight import display
from voxsight.answer.picture_model import PictureModel
from voxsight.answer.prediction import NO_SPEECH, Prediction, WindowPrediction
from voxsight.answer.writers import FolderWriter, RecordingWriter
from voxsight.base import files
from voxsight.corpora.utterance import LABELS
from voxsight.explanation.maps import enlarge, scaled
from voxsight.explanation.methods import SHIPPED, Explainer, Method

if TYPE_CHECKING:
    from voxsight.base.files import AnyPath

MAX_WINDOWS = 8  # drawn of a recording
_LONGEST_NAME = 60  # characters of a title


@dataclasses.dataclass(frozen=True)
class HeatMaps(FolderWriter):
    """A writer of heat maps, ``<name>.png``; see `voxsight.answer.writers`.

    Parameters
    ----------
    folder : str or os.PathLike
    method : Method

    Raises
    ------
    UsageError
        If the method needs a package that is not installed.
    """

    method: Method = SHIPPED

    def __post_init__(self) -> None:
        self.method.check_installed()

    def begin(self, name: str, model: PictureModel) -> RecordingWriter:
        """Begin a recording."""
        return _HeatMapWriter(self.folder, name, _explainer_of(model), self.method)


@functools.lru_cache(maxsize=1)
def _explainer_of(model: PictureModel) -> Explainer:
    """The same for all recordings of a model: it holds the network that torch has loaded."""
    return Explainer(model)


class _HeatMapWriter:
    def __init__(self, folder: str | os.PathLike, name: str, explainer: Explainer,
                 method: Method) -> None:
        self._path, self._explainer = files.location(folder) / f"{name}.png", explainer
        self._method = method
        self._windows: list[WindowPrediction] = []
        self._total = 0

    def append(self, window: WindowPrediction, /) -> None:
        if self._total < MAX_WINDOWS:
            self._windows.append(window)
        self._total += 1

    def finish(self, prediction: Prediction) -> None:
        if self._windows:
            draw_heat_map(self._path, prediction, self._windows, self._explainer, self._total,
                          self._method)


def draw_heat_map(path: "AnyPath", prediction: Prediction,
                  windows: Sequence[WindowPrediction], explainer: Explainer,
                  n_windows: int | None = None, method: Method = SHIPPED) -> np.ndarray | None:
    """Draw the heat map of a recording for the likelier label, as PNG.

    Parameters
    ----------
    path : str or os.PathLike
    prediction : Prediction
    windows : list of WindowPrediction
        The first eight are drawn.
    explainer : Explainer
        Of the model that gave them.
    n_windows : int, optional
        How many windows the recording has, if not all are given.
    method : Method

    Returns
    -------
    np.ndarray [shape=(n, height, width)] or None
        What was drawn, in [0, 1]; None for digital silence.
    """
    if prediction.p_female is None:
        return None
    likelier = LABELS[0] if prediction.p_female >= 0.5 else LABELS[1]
    drawn, total = windows[:MAX_WINDOWS], n_windows or len(windows)
    assert drawn[0].picture is not None
    size = drawn[0].picture.shape[:2]
    heat = scaled(enlarge(explainer.window_maps(drawn, likelier, method), size))
    name = display.legible(Path(prediction.path).name, _LONGEST_NAME)
    # Where nobody speaks the probability means nothing.
    probability = ("" if prediction.label == NO_SPEECH
                   else f"p(female) = {prediction.p_female:.3f}, ")
    title = (f"{name}: {prediction.label}, {probability}evidence for {likelier}\n"
             f"{method.title}")
    if total > len(drawn):
        title += f"; first {len(drawn)} of {total} windows"
    display.save_heat_map(path, drawn, heat, explainer.model.config.recipe, title)
    return heat
