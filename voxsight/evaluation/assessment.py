"""A model's predictions for labelled recordings and for labelled pictures."""

import functools
import os
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from voxsight.answer.opening import Model, open_model
from voxsight.answer.picture_model import BATCH, PictureModel
from voxsight.answer.prediction import Prediction, WindowPrediction
from voxsight.base.parallel.workers import ordered_map
from voxsight.base.progress import progress
from voxsight.corpora.utterance import Utterance
from voxsight.errors import RecordingError, UsageError
from voxsight.evaluation.labelled import LabelledPrediction, model_digest
from voxsight.evaluation.mistakes import begin_mistakes, copy_mistake, mistake_names
from voxsight.explanation.heat_maps import draw_heat_map
from voxsight.explanation.methods import Explainer
from voxsight.network.folder import ModelFolder
from voxsight.pictures import jpeg
from voxsight.pictures.dataset import Picture, is_assessable, read_dataset, split_pictures
from voxsight.sound.pitch import median_f0
from voxsight.sound.recording import Recording, undecodable


def assess_recordings(utterances: Sequence[Utterance], model: ModelFolder | str | os.PathLike, *,
                      mistakes: str | os.PathLike | None = None, jobs: int | None = None,
                      quiet: bool = False) -> list[LabelledPrediction]:
    """Predictions for the recordings of a corpus.

    A recording of which less than nine tenths could be decoded has an error in place of a label.

    Parameters
    ----------
    utterances : list of Utterance
    model : ModelFolder, str or os.PathLike
        A model folder.
    mistakes : str or os.PathLike, optional
        Folder that gets a copy of each wrongly labelled recording, below its label, and beside
        it the heat map.
    jobs : int, optional
        Worker processes (default: all cores).
    quiet : bool
        No progress bar.

    Returns
    -------
    list of LabelledPrediction
    """
    folder = ModelFolder.of(model)
    folder.check_files()  # here, so that no worker has to
    names = mistake_names((os.fspath(u.path), u.voice, u.gender) for u in utterances)
    if mistakes:
        begin_mistakes(mistakes, names.values())
    opener = functools.partial(_assessor, folder, mistakes, names)
    results = ordered_map(opener, utterances, jobs, lost_prediction)
    return list(progress(results, len(utterances), desc="recordings", unit="recording",
                         quiet=quiet))


def assess_pictures(dataset: str | os.PathLike, model: ModelFolder | str | os.PathLike, *,
                    split: str | None = None, valid: float = 0.2, seed: int = 42,
                    mistakes: str | os.PathLike | None = None,
                    quiet: bool = False) -> list[LabelledPrediction]:
    """Predictions for the labelled recordings that the pictures of a dataset show.

    Altered copies, and pictures of recordings without a label, are left out.

    Parameters
    ----------
    dataset : str or os.PathLike
        Folder of pictures.
    model : ModelFolder, str or os.PathLike
        Model folder of a picture network.
    split : str, optional
        Only the validation side of this split; see `splits.split` (default: all of them).
    valid : float
        Fraction that validates.
    seed : int
        Of the split.
    mistakes : str or os.PathLike, optional
        Folder that gets, for each wrongly labelled recording, a copy of it or of its first
        picture, and beside it the heat map.
    quiet : bool
        No progress bar.

    Returns
    -------
    list of LabelledPrediction

    Raises
    ------
    UsageError
        If the model is no picture network, or there are no such pictures that are labelled.
    """
    folder = ModelFolder.of(model)
    _ = folder.picture_config  # raises unless the model is given pictures
    pictures, _ = read_dataset(dataset)
    if split:
        _, pictures = split_pictures(pictures, split, valid, seed)
    pictures = list(filter(is_assessable, pictures))
    if not pictures:
        raise UsageError(f"{dataset}: found no picture of a labelled recording, expected some; "
                         "make some with preprocess_wavs.py from recordings with labels")
    opened = PictureModel(folder)
    by_source = _log_odds_by_source(pictures, opened, quiet)
    names = mistake_names((source, parts[0][0].speaker, parts[0][0].gender)
                          for source, parts in by_source.items())
    if mistakes:
        begin_mistakes(mistakes, names.values())
    return [_of_pictures(source, parts, opened, mistakes, names[source])
            for source, parts in by_source.items()]


def assess_recording(utterance: Utterance, model: Model, recording: Recording | None = None
                     ) -> tuple[LabelledPrediction, Prediction, list[WindowPrediction]]:
    """Prediction for one labelled recording.

    Parameters
    ----------
    utterance : Utterance
    model : PictureModel or FeatureModel
    recording : Recording, optional
        Instead of the utterance's own.

    Returns
    -------
    labelled : LabelledPrediction
    prediction : Prediction
    windows : list of WindowPrediction
        Empty if the model looks at no windows.
    """
    windows: list[WindowPrediction] = []
    prediction = model.predict(recording or utterance.path, keep=windows)
    f0_hz = _median_f0(windows, model) if isinstance(model, PictureModel) else None
    return (_labelled(utterance, prediction, f0_hz, model_digest(model.folder)), prediction,
            windows)


def lost_prediction(utterance: Utterance) -> LabelledPrediction:
    """Prediction for a recording on which a worker process died."""
    return unread_prediction(utterance, undecodable(utterance.path))


def unread_prediction(utterance: Utterance, error: RecordingError) -> LabelledPrediction:
    """Prediction for a recording that could not be read."""
    return _labelled(utterance, Prediction(utterance.path, error=error.reason))


def _assessor(folder: ModelFolder, mistakes: str | os.PathLike | None, names: Mapping[str, str]
              ) -> Callable[[Utterance], LabelledPrediction]:
    return functools.partial(_assess, model=open_model(folder, partial="refuse"),
                             mistakes=mistakes, names=names)


def _assess(utterance: Utterance, *, model: Model, mistakes: str | os.PathLike | None,
            names: Mapping[str, str]) -> LabelledPrediction:
    labelled, prediction, windows = assess_recording(utterance, model)
    if mistakes and labelled.is_mistake:
        copy = copy_mistake(labelled.path, mistakes, names[labelled.path])
        if windows and isinstance(model, PictureModel):
            draw_heat_map(f"{copy}.png", prediction, windows, Explainer(model))
    return labelled


def _median_f0(windows: Sequence[WindowPrediction], model: PictureModel) -> float | None:
    """Median of the pitches of windows, Hz; None if none of them is voiced."""
    rate = model.config.recipe.sample_rate
    pitches = [f0 for window in windows
               if window.samples is not None and (f0 := median_f0(window.samples, rate))]
    return float(np.median(pitches)) if pitches else None


def _labelled(utterance: Utterance, prediction: Prediction,
              f0_hz: float | None = None, model: str = "") -> LabelledPrediction:
    return LabelledPrediction(
        path=os.fspath(utterance.path), speaker=utterance.voice, gender=utterance.gender,
        corpus=utterance.corpus, age=utterance.age, accent=utterance.accent,
        label=prediction.label, p_female=prediction.p_female,
        duration_s=prediction.duration_s, error=prediction.error, f0_hz=f0_hz,
        missing=prediction.missing, model=model)


def _log_odds_by_source(pictures: Sequence[Picture], model: PictureModel, quiet: bool
                        ) -> dict[str, list[tuple[Picture, float]]]:
    """Pictures of each recording with their log-odds."""
    by_source = defaultdict(list)
    size = model.config.architecture.size
    batches = [pictures[i: i + BATCH] for i in range(0, len(pictures), BATCH)]
    for batch in progress(batches, len(batches), desc="pictures", unit="batch", quiet=quiet):
        logits, _ = model.run(np.stack([jpeg.decode(p.path, size) for p in batch]))
        for picture, logit in zip(batch, logits):
            by_source[picture.source].append((picture, float(logit[0] - logit[1])))
    return by_source


def _of_pictures(source: str, parts: Sequence[tuple[Picture, float]], model: PictureModel,
                 mistakes: str | os.PathLike | None, name: str) -> LabelledPrediction:
    """Prediction for one recording from its pictures and their log-odds."""
    picture, config = parts[0][0], model.config
    p_female = float(config.calibration.p_female(np.mean([log_odds for _, log_odds in parts])))
    labelled = LabelledPrediction(source, picture.speaker, picture.gender, picture.corpus,
                                  label=model.label(p_female), p_female=p_female,
                                  model=model_digest(model.folder))
    if mistakes and labelled.is_mistake:
        original = source if os.path.isfile(source) else picture.path
        copy = copy_mistake(original, mistakes, name)
        windows = [WindowPrediction(p.start_s, p.start_s + config.recipe.window_s, (), log_odds,
                                    jpeg.decode(p.path, config.architecture.size), None)
                   for p, log_odds in parts]
        draw_heat_map(f"{copy}.png", Prediction(source, labelled.label, p_female), windows,
                      Explainer(model))
    return labelled
