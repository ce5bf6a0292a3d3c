"""What is written of each recording besides its row: pictures and timelines.

A writer is told of every recording that begins and returns an object that takes its windows
and, at the end, its prediction. Writers are sent to worker processes, so they only hold where
to write to.
"""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Self

from voxsight.answer.picture_model import PictureModel
from voxsight.answer.prediction import Prediction, WindowPrediction
from voxsight.answer.timeline import timeline
from voxsight.base import files
from voxsight.base.names import as_one_word
from voxsight.pictures import jpeg
from voxsight.pictures.recipe import Recipe

TIMELINE_COLUMNS = ("start_s", "end_s", "label", "p_female")


class RecordingWriter(Protocol):
    """Writes what belongs to one recording."""

    def append(self, window: WindowPrediction, /) -> None:
        """Take the next window, in time order."""

    def finish(self, prediction: Prediction) -> None:
        """Take the prediction; every window came before."""


class Writer(Protocol):
    """Writes to one folder."""

    def begin(self, name: str, model: PictureModel) -> RecordingWriter:
        """Begin a recording, whose files are named `name` and an ending."""

    def located(self) -> "Writer":
        """The same for a process that runs in another folder."""


@dataclasses.dataclass(frozen=True)
class FolderWriter:
    """Base of writers.

    Parameters
    ----------
    folder : str or os.PathLike
        Made if it does not exist; may be a URL.
    """

    folder: str | os.PathLike

    def located(self) -> Self:
        """The same for a process that runs in another folder."""
        return dataclasses.replace(self, folder=files.absolute(self.folder))


class Pictures(FolderWriter):
    """The pictures that the network saw, ``<name>_<number>.jpg``."""

    def begin(self, name: str, model: PictureModel) -> RecordingWriter:
        """Begin a recording."""
        return _PictureWriter(self.folder, name, model.config.recipe)


class Timelines(FolderWriter):
    """Who speaks when, ``<name>.csv`` and ``<name>.rttm``."""

    def begin(self, name: str, model: PictureModel) -> RecordingWriter:
        """Begin a recording."""
        return _TimelineWriter(self.folder, name, model)


class _PictureWriter:
    def __init__(self, folder: str | os.PathLike, name: str, recipe: Recipe) -> None:
        self._folder, self._name, self._recipe = files.location(folder), name, recipe
        self._number = 0

    def append(self, window: WindowPrediction, /) -> None:
        assert window.picture is not None
        files.write_bytes(self._folder / f"{self._name}_{self._number}.jpg",
                          jpeg.encode(window.picture, self._recipe), lasting=False)
        self._number += 1

    def finish(self, prediction: Prediction) -> None:
        """Every picture is written already."""


class _TimelineWriter:
    def __init__(self, folder: str | os.PathLike, name: str, model: PictureModel) -> None:
        self._folder, self._name, self._model = folder, name, model
        self._windows: list[WindowPrediction] = []

    def append(self, window: WindowPrediction, /) -> None:
        self._windows.append(window.without_arrays())  # a recording may last hours

    def finish(self, prediction: Prediction) -> None:
        if self._windows:
            write_timeline(self._folder, self._name, timeline(self._windows, self._model))


def write_timeline(folder: str | os.PathLike, name: str,
                   segments: Sequence[Mapping[str, Any]]) -> None:
    """Write the segments of a timeline as CSV and RTTM."""
    place = files.location(folder)
    files.write_csv(place / f"{name}.csv", TIMELINE_COLUMNS, segments,
                    lasting=False)
    recording = as_one_word(name)  # RTTM separates its fields by white space
    lines = [f"SPEAKER {recording} 1 {s['start_s']:.3f} {s['end_s'] - s['start_s']:.3f} <NA> <NA> "
             f"{s['label']} <NA> <NA>\n" for s in segments]
    files.write_bytes(place / f"{name}.rttm", "".join(lines).encode(),
                      lasting=False)
