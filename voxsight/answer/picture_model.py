"""The picture network, ready to answer; needs neither torch nor matplotlib."""

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from voxsight.answer.fusion import open_voice_model
from voxsight.answer.prediction import (
    MIN_SOUND_S,
    NOT_A_NUMBER,
    UNCERTAIN,
    Prediction,
    WindowPrediction,
    label_of,
    of_what_was_heard,
    why_uncertain,
)
from voxsight.base.inference import open_session
from voxsight.base.parallel.workers import ahead
from voxsight.errors import RecordingError, UsageError
from voxsight.network.folder import ATTRIBUTION_GRAPH, GRAPH, ModelFolder
from voxsight.network.graphs import ATTRIBUTION, INPUT, LOGITS, MAPS
from voxsight.pictures import jpeg
from voxsight.sound.excerpts import MARGIN_S, SpeechCollector
from voxsight.sound.recording import Recording
from voxsight.sound.windows import Window, WindowReader

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

BATCH = 16  # pictures given to the network at once
PITCHED = 8  # windows whose pitch is measured if a label is uncertain


class WindowSink(Protocol):
    """Whatever takes the windows of a recording, in time order; a list does."""

    def append(self, window: WindowPrediction, /) -> object:
        """Take the next window."""


class PictureModel:
    """A picture network that is ready to answer.

    Parameters
    ----------
    model : ModelFolder, str or os.PathLike
        A model folder, or ``FOLDER+ENCODER`` to combine it with a voice encoder.
    min_confidence : float, optional
        Below it the label is ``uncertain`` (default: the confidence that the model promises).
    alone : bool
        No other process answers beside this one: pictures are made in a thread of their own
        while the network is given those before.
    partial : {"uncertain", "answer", "refuse"}
        What to say of a recording of which less than nine tenths could be decoded.

    Attributes
    ----------
    folder : ModelFolder
    config : ModelConfig
    min_confidence : float

    Raises
    ------
    UsageError
        If the folder holds no picture network that can be loaded.
    """

    def __init__(self, model: ModelFolder | str | os.PathLike = "models/default", *,
                 min_confidence: float | None = None, alone: bool = False,
                 partial: str = UNCERTAIN) -> None:
        self.folder, self._alone, self._partial = ModelFolder.of(model), alone, partial
        self.config = self.folder.picture_config
        self.folder.check_files()
        self._voice = open_voice_model(self.folder)
        calibration = self._voice.calibration if self._voice else self.config.calibration
        self.min_confidence = (calibration.min_confidence if min_confidence is None
                               else min_confidence)
        self._session = open_graph(self.folder.path / GRAPH)
        self._attribution: InferenceSession | None = None

    def predict(self, source: Recording | str | os.PathLike,
                keep: WindowSink | None = None) -> Prediction:
        """Prediction for one recording.

        Parameters
        ----------
        source : Recording, str or os.PathLike
            A recording, or the path of one.
        keep : list or other object with ``append``, optional
            Is given a `WindowPrediction` per window, in time order.

        Returns
        -------
        Prediction
            With ``error`` set if the recording could not be read.
        """
        path = source.path if isinstance(source, Recording) else str(source)
        rate = self.config.recipe.sample_rate
        speech = SpeechCollector(rate) if self._voice else None
        log_odds: list[float] = []
        first: list[np.ndarray] = []  # samples of the first windows, for their pitch
        spoke = False
        try:
            reader = self._reader(source)
            windows = speech.collecting(reader.windows()) if speech else reader.windows()
            for batch in self._window_predictions(windows):
                log_odds += [window.log_odds for window in batch]
                spoke = spoke or any(window.speech for window in batch)
                first += [window.samples for window in batch[: PITCHED - len(first)]
                          if window.samples is not None]
                if keep is not None:
                    for window in batch:
                        keep.append(window)
        except RecordingError as error:
            return Prediction(path, error=error.reason)
        p_female = None
        if reader.recording.nonzero_s >= MIN_SOUND_S:
            p_female = self._p_female(float(np.mean(log_odds)), speech)
            if np.isnan(p_female):
                return Prediction(path, error=NOT_A_NUMBER)
        label = self.label(p_female, spoke)
        reason = ""
        if label == UNCERTAIN and p_female is not None:
            reason = why_uncertain(first, rate, reader.speech_s, p_female)
        prediction = Prediction(path, label, p_female, reader.speech_s, reason=reason)
        return of_what_was_heard(prediction, reader.recording, self._partial)

    def label(self, p_female: float | None, spoke: bool = True) -> str:
        """Label for a probability."""
        return label_of(p_female, spoke, self.min_confidence)

    def run(self, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Logits and class maps of a batch.

        Parameters
        ----------
        pictures : np.ndarray [shape=(n, height, width, 3), uint8]

        Returns
        -------
        logits : np.ndarray [shape=(n, 2)]
        maps : np.ndarray [shape=(n, 2, h, w)]
        """
        logits, maps = self._session.run([LOGITS, MAPS], {INPUT: pictures})
        return logits, maps

    def attribution_maps(self, pictures: np.ndarray) -> np.ndarray:
        """HiResCAM at the first stage; see `graphs.build_attribution_graph`.

        Parameters
        ----------
        pictures : np.ndarray [shape=(n, height, width, 3), uint8]

        Returns
        -------
        np.ndarray [shape=(n, h, w)]
            Positive where a picture speaks for female, negative for male.

        Raises
        ------
        UsageError
            If the model was saved without that graph.
        """
        if self._attribution is None:
            graph = self.folder.path / ATTRIBUTION_GRAPH
            if not graph.is_file():
                raise UsageError(f"{graph}: not found, expected the graph that heat maps come "
                                 "from; train again, or draw with --method gradcam")
            self._attribution = open_graph(graph)
        return np.concatenate([
            self._attribution.run([ATTRIBUTION], {INPUT: pictures[i: i + BATCH]})[0]
            for i in range(0, len(pictures), BATCH)])

    def _reader(self, source: Recording | str | os.PathLike) -> WindowReader:
        recording = source if isinstance(source, Recording) else Recording(source)
        return WindowReader(recording, self.config.recipe.window_settings,
                            margin_s=MARGIN_S if self._voice else 0.0)

    def _p_female(self, log_odds: float, speech: SpeechCollector | None) -> float:
        calibration = self.config.calibration
        if self._voice is None or speech is None:
            return float(calibration.p_female(log_odds))
        return self._voice.p_female(float(calibration.calibrated_log_odds(log_odds)),
                                    speech.samples, self.config.recipe.sample_rate)

    def _window_predictions(self, windows: Iterable[Window]) -> Iterator[list[WindowPrediction]]:
        """Predictions of each batch of windows."""
        batches = self._batches(windows)
        for batch, pictures in ahead(batches) if self._alone else batches:
            yield self._predictions_of(batch, pictures)

    def _batches(self, windows: Iterable[Window]) -> Iterator[tuple[list[Window], np.ndarray]]:
        """Windows, a few at a time, and their pictures."""
        recipe, size = self.config.recipe, self.config.architecture.size
        remaining = iter(windows)
        while batch := list(islice(remaining, BATCH)):
            yield batch, np.stack([jpeg.as_seen(w.samples, recipe, size) for w in batch])

    def _predictions_of(self, windows: Sequence[Window],
                        pictures: np.ndarray) -> list[WindowPrediction]:
        logits, maps = self.run(pictures)
        predictions, window_s = [], self.config.recipe.window_s
        for window, picture, logit, class_maps in zip(windows, pictures, logits, maps):
            padding_s = max(0.0, window_s - (window.end_s - window.start_s)) / 2
            predictions.append(WindowPrediction(
                window.start_s - padding_s, window.end_s + padding_s, window.speech,
                float(logit[0] - logit[1]), picture, window.samples, class_maps))
        return predictions


def open_graph(graph: Path) -> "InferenceSession":
    """A graph of a model folder, loaded; it computes on one thread.

    Raises
    ------
    UsageError
        If it cannot be loaded.
    """
    try:
        return open_session(graph)
    except ValueError as error:
        raise UsageError(f"{graph}: could not be loaded ({error}), expected the network of "
                         "this folder's config.json; restore the folder") from error
