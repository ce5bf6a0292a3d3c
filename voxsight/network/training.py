"""From a folder of pictures to a model folder: split, train, calibrate, measure, save."""

import contextlib
import dataclasses
import hashlib
import os
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from fastai.learner import Learner

from voxsight.base import locks
from voxsight.base.store import file_state
from voxsight.corpora import splits
from voxsight.corpora.utterance import LABELS, UNLABELLED
from voxsight.errors import UsageError
from voxsight.metrics.calibration import Calibration, fit_calibration, with_min_confidence
from voxsight.metrics.figures import figures, uar_gain
from voxsight.network.architecture import as_batch, load_network, torchvision_state
from voxsight.network.card import model_card
from voxsight.network.distributed import is_first, processes, shared_training
from voxsight.network.fine_tuning import TrainConfig, fit, log_odds, make_learner
from voxsight.network.folder import Architecture, ModelConfig, ModelFolder, save_model
from voxsight.network.resuming import Epochs
from voxsight.network.voice_head import (
    centred_embeddings,
    direction_of_female,
    fit_calibrated_voice_head,
    save_voice_head,
)
from voxsight.network.weights import origin_of
from voxsight.pictures import jpeg
from voxsight.pictures.dataset import (
    AMBIGUOUS,
    Picture,
    altered_copies_of,
    in_one_list,
    read_dataset,
    read_embeddings,
    split_pictures,
)
from voxsight.pictures.recipe import Recipe

# With fewer validation speakers a calibration would overfit, and that of the start is kept.
FEW_SPEAKERS = 20
_BATCH = 64  # pictures given to a network at once


class RecordingLogOdds(NamedTuple):
    """Log-odds of recordings, with their labels.

    Attributes
    ----------
    log_odds : np.ndarray [shape=(n,)]
        Mean over the pictures of each recording, not calibrated.
    is_female : np.ndarray [shape=(n,), bool]
    speakers : list of str [shape=(n,)]
    """

    log_odds: np.ndarray
    is_female: np.ndarray
    speakers: list[str]


def train(dataset: str | os.PathLike, out: str | os.PathLike, config: TrainConfig, *,
          argv: Sequence[str] = (), quiet: bool = False) -> ModelConfig | None:
    """Train a model on a dataset and write its folder.

    A training that was stopped continues after its last finished epoch. Processes that train
    together share every batch, and the first of them writes the model.

    Parameters
    ----------
    dataset : str or os.PathLike
        Folder of pictures.
    out : str or os.PathLike
        Model folder to write.
    config : TrainConfig
    argv : sequence of str
        The command, for the model card.
    quiet : bool
        No progress bars.

    Returns
    -------
    ModelConfig or None
        Config of the model; None in all processes but the first.

    Raises
    ------
    UsageError
        If the dataset, the split or the weights cannot be used, or another run writes to `out`.
    """
    with locks.only_writer(out) if is_first() else contextlib.nullcontext():
        return _train(dataset, out, config, argv, quiet)


def _train(dataset: str | os.PathLike, out: str | os.PathLike, config: TrainConfig,
           argv: Sequence[str], quiet: bool) -> ModelConfig | None:
    all_pictures, recipe = read_dataset(dataset)
    splits.check_labels([p.speaker for p in all_pictures], [p.gender for p in all_pictures],
                        "pictures")
    if config.teacher is None:
        all_pictures = [p for p in all_pictures if p.gender != UNLABELLED]
    pictures, valid = in_one_list(
        *split_pictures(all_pictures, config.split, config.valid, config.seed))
    embeddings = None
    if config.teacher:
        embeddings = _embeddings_of(pictures, all_pictures, dataset, config.teacher)
        embeddings = centred_embeddings(embeddings, pictures, valid)
    learn = make_learner(pictures, valid, _size(config, recipe), config,
                         log_dir=Path("runs") / Path(out).name, embeddings=embeddings, quiet=quiet)
    epochs = Epochs(config.seed, out, _settings(config, pictures, valid))
    with shared_training(learn):
        history = fit(learn, config, epochs)
    if not is_first():
        return None
    if config.teacher and embeddings is not None:
        label_by_embedding(learn, direction_of_female(embeddings, pictures, valid, config.teacher))
    validation_sources = {pictures[i].source for i in valid}
    model, validation = finish(learn, recipe, pictures, valid, config, out, history=history,
                               argv=argv,
                               altered=altered_copies_of(all_pictures, validation_sources))
    if config.teacher:
        calibrated = model.calibration.calibrated_log_odds(validation.log_odds)
        save_voice_head(out, fit_calibrated_voice_head(
            pictures, valid, calibrated, validation.is_female, config.teacher, quiet=quiet))
    epochs.end()
    return model


def finish(learn: Learner, recipe: Recipe, pictures: Sequence[Picture], valid: np.ndarray,
           config: TrainConfig, out: str | os.PathLike, *,
           history: Sequence[Mapping[str, Any]] = (), argv: Sequence[str] = (),
           altered: Sequence[Picture] = ()) -> tuple[ModelConfig, RecordingLogOdds]:
    """Calibrate and measure a trained learner and write its model folder.

    Parameters
    ----------
    learn : fastai.learner.Learner
    recipe : Recipe
        How the pictures were made.
    pictures : sequence of Picture
        Those that train and those that validate.
    valid : np.ndarray [shape=(m,), int]
        Indices of those that validate.
    config : TrainConfig
    out : str or os.PathLike
        Model folder to write.
    history : list of dict, optional
        A row per epoch.
    argv : sequence of str
        The command, for the model card.
    altered : sequence of Picture
        Altered copies of those that validate. The model is then calibrated on them too, since
        a user's recordings are seldom as clean as a corpus.

    Returns
    -------
    model : ModelConfig
        Config of the model.
    validation : RecordingLogOdds
        Of the validation recordings.
    """
    size = _size(config, recipe)
    validating = [pictures[i] for i in valid]
    window_log_odds = log_odds(learn, [p.path for p in validating])
    validation = by_recording(validating, window_log_odds)
    start = _start(config.weights, recipe, size)
    if start is not None and _are_few(validation.speakers):
        calibration = start.calibration
    else:
        copies = _copies_apart(altered)
        copies_log_odds = log_odds(learn, [p.path for p in copies]) if copies else None
        calibration = _calibrated(validating, window_log_odds, copies, copies_log_odds)
    p_female = calibration.p_female(validation.log_odds)
    record = _training_record(pictures, valid, config)
    if start is not None:
        record["start"] = _gain(start, config.weights, validating, validation, p_female)
    answered = np.maximum(p_female, 1 - p_female) >= calibration.min_confidence
    model = ModelConfig(
        architecture=Architecture(config.arch, size), recipe=recipe,
        calibration=calibration, training=record,
        figures=figures(validation.is_female, p_female, validation.speakers, answered=answered))
    save_model(out, torchvision_state(learn.model), model, history,
               model_card(Path(out).name, model, shlex.join(argv)))
    return model, validation


def save_learner(learn: Learner, out: str | os.PathLike) -> ModelConfig:
    """Calibrate and measure a learner on its validation side and write its model folder.

    fastai's own ``export`` and ``load`` pickle, and nothing of this project unpickles.

    Parameters
    ----------
    learn : fastai.learner.Learner
        As `learner` makes it from the loaders of `dataloaders`, trained in any way.
    out : str or os.PathLike
        Model folder to write.

    Returns
    -------
    ModelConfig

    Raises
    ------
    UsageError
        If the loaders are others, or another run writes to `out`.
    """
    dls = learn.dls
    if not hasattr(dls, "settings"):
        raise UsageError("found a learner of other loaders, expected those of "
                         "voxsight.network.dataloaders, which know recordings, speakers and recipe")
    train_side, valid_side = list(dls.train_ds.items), list(dls.valid_ds.items)
    phases = Counter(row["phase"] for row in learn.history.rows)
    config = TrainConfig(**dls.settings, arch=learn.arch.__name__, weights=learn.weights, lr=None,
                         head_epochs=phases["head"], epochs=phases["everything"])
    with locks.only_writer(out):
        model, _ = finish(learn, dls.recipe, [*train_side, *valid_side],
                          np.arange(len(valid_side)) + len(train_side), config, out,
                          history=learn.history.rows, argv=["voxsight.network.save_learner"],
                          altered=dls.altered)
    return model


def by_recording(pictures: Iterable[Picture], window_log_odds: Iterable[float]) -> RecordingLogOdds:
    """Mean log-odds of the pictures of each recording.

    Parameters
    ----------
    pictures : sequence of Picture [shape=(n,)]
    window_log_odds : array of float [shape=(n,)]
        Log-odds of female per picture.

    Returns
    -------
    RecordingLogOdds
    """
    groups = defaultdict(list)
    for picture, value in zip(pictures, window_log_odds):
        groups[picture.source, picture.speaker, picture.gender].append(float(value))
    return RecordingLogOdds(np.array([np.mean(values) for values in groups.values()]),
                            np.array([gender == "female" for _, _, gender in groups]),
                            [speaker for _, speaker, _ in groups])


def label_by_embedding(learn: Learner, direction: np.ndarray) -> None:
    """Make the label outputs the position of the predicted embedding along a direction.

    Both are linear in the features of the network, so the head stays one linear layer.

    Parameters
    ----------
    learn : fastai.learner.Learner
        Made with embeddings.
    direction : np.ndarray [shape=(d,), float32]
        Towards female.
    """
    linear = learn.model[1][-1]
    with torch.no_grad():
        for parameter in (linear.weight, linear.bias):
            female = torch.from_numpy(direction).to(parameter) @ parameter[len(LABELS):] / 2
            parameter[0], parameter[1] = female, -female


def _size(config: TrainConfig, recipe: Recipe) -> tuple[int, int]:
    """Height and width that the network sees, pixels."""
    height, width = config.size or (recipe.height, recipe.width)
    return height, width


def _embeddings_of(pictures: Sequence[Picture], all_pictures: Sequence[Picture],
                   dataset: str | os.PathLike, encoder: str) -> np.ndarray:
    """Embeddings of some pictures of a dataset."""
    rows = {p.path: row for row, p in enumerate(all_pictures)}
    return read_embeddings(dataset, encoder)[[rows[p.path] for p in pictures]]


def _settings(config: TrainConfig, pictures: Sequence[Picture], valid: np.ndarray) -> str:
    """Digest of what a resumed training must have in common with the stopped one."""
    shaping = [dataclasses.asdict(config), valid.tolist(),
               [(p.path, file_state(p.path), p.target) for p in pictures]]
    return hashlib.sha256(repr(shaping).encode("utf-8", "surrogateescape")).hexdigest()


def _start(weights: str, recipe: Recipe, size: tuple[int, int]) -> ModelConfig | None:
    """Config of the model that the training started from; None if it saw other pictures."""
    if not ModelFolder.exists(weights):
        return None
    start = ModelFolder(weights).config
    if not isinstance(start, ModelConfig) or start.recipe != recipe:
        return None
    return start if tuple(start.architecture.size) == size else None


def _are_few(speakers: Iterable[str]) -> bool:
    return len(set(speakers)) < FEW_SPEAKERS


def _gain(start: ModelConfig, weights: str, validating: Sequence[Picture],
          validation: RecordingLogOdds, p_female: np.ndarray) -> dict[str, Any]:
    """What the training gained over the model that it started from."""
    before = start.calibration.p_female(_start_log_odds(start, weights, validating))
    recordings = defaultdict(set)
    for picture in validating:
        recordings[picture.speaker].add(picture.source)
    known, _, _ = splits.voices_met(recordings, start.training.get("speakers_trained_on", ()),
                                    start.training.get("recordings_trained_on", ""))
    gain = uar_gain(validation.is_female, before, p_female, validation.speakers)
    return gain | {"speakers_known": len(known), "calibration_kept": _are_few(recordings)}


def _start_log_odds(start: ModelConfig, weights: str, pictures: Sequence[Picture]) -> np.ndarray:
    """Log-odds of recordings by the model that the training started from."""
    network, size = load_network(weights, start.architecture), start.architecture.size
    batches = [pictures[i: i + _BATCH] for i in range(0, len(pictures), _BATCH)]
    with torch.inference_mode():
        logits = torch.cat([network(as_batch(np.stack([jpeg.decode(p.path, size) for p in batch])))
                            for batch in batches])
    return by_recording(pictures, (logits[:, 0] - logits[:, 1]).numpy()).log_odds


def _calibrated(pictures: Sequence[Picture], window_log_odds: np.ndarray,
                copies: Sequence[Picture], copies_log_odds: np.ndarray | None) -> Calibration:
    """Calibration on single windows and whole recordings; a confidence for recordings.

    Users have windows and recordings, but it is recordings that are answered. A copy whose label
    is ambiguous tells nothing of probabilities, but what it is to be answered: "uncertain".
    """
    sides = [(pictures, window_log_odds)]
    if copies_log_odds is not None:
        sides.append((copies, copies_log_odds))
    clear = [_where(side, values, AMBIGUOUS, False) for side, values in sides]
    recordings = _concatenated([by_recording(*side) for side in clear])
    windows = _concatenated([(values, [p.gender == "female" for p in side],
                              [p.speaker for p in side]) for side, values in clear])
    calibration = fit_calibration(*_concatenated([windows, recordings]), shifted=len(sides) > 1)
    ambiguous = by_recording(*_where(*sides[-1], AMBIGUOUS, True))
    return with_min_confidence(
        calibration, *_concatenated([recordings, ambiguous]),
        is_ambiguous=np.arange(len(recordings[0]) + len(ambiguous[0])) >= len(recordings[0]))


def _where(pictures: Sequence[Picture], log_odds: np.ndarray, target: float, is_so: bool
           ) -> tuple[list[Picture], np.ndarray]:
    """Pictures whose target is as given, or is not, with their log-odds."""
    chosen = [i for i, picture in enumerate(pictures) if (picture.target == target) == is_so]
    return [pictures[i] for i in chosen], np.asarray(log_odds)[chosen]


def _concatenated(samples: Iterable[Sequence[Any]]) -> list[np.ndarray]:
    return [np.concatenate(parts) for parts in zip(*samples)]


def _copies_apart(altered: Iterable[Picture]) -> list[Picture]:
    """The n-th copies of a recording's windows, as a recording of their own."""
    n_copies: Counter[tuple[str, float]] = Counter()
    copies = []
    for picture in altered:
        n_copies[picture.source, picture.start_s] += 1
        number = n_copies[picture.source, picture.start_s]
        copies.append(dataclasses.replace(picture, source=f"{picture.source}#{number}"))
    return copies


def _training_record(pictures: Sequence[Picture], valid: np.ndarray,
                     config: TrainConfig) -> dict[str, Any]:
    """What ``config.json`` says of the training."""
    validating = set(np.asarray(valid).tolist())
    training = [p for i, p in enumerate(pictures) if i not in validating]
    validation = {(pictures[i].speaker, pictures[i].source) for i in valid}
    record = {key: value for key, value in dataclasses.asdict(config).items()
              if key not in ("arch", "size")}
    return record | {
        "weights_from": origin_of(config.weights, config.arch), "processes": processes(),
        "shared_speakers": splits.shared_speakers(
            (p.speaker for p in training), [voice for voice, _ in validation],
            train_paths=(p.source for p in training), valid_paths=[path for _, path in validation]),
        "pictures_trained_on": len(training),
        "speakers_trained_on": sorted({p.speaker for p in training}),
        "recordings_trained_on": splits.fingerprints(p.source for p in training),
        "corpora": _corpora_table(pictures)}


def _corpora_table(pictures: Sequence[Picture]) -> dict[str, dict[str, int]]:
    """Speakers of each label, recordings and pictures of each corpus."""
    table = {}
    for corpus in sorted({p.corpus for p in pictures}):
        members = [p for p in pictures if p.corpus == corpus]
        table[corpus] = {
            **{gender: len({p.speaker for p in members if p.gender == gender})
               for gender in (*LABELS, UNLABELLED)},
            "recordings": len({p.source for p in members}), "pictures": len(members)}
    return table
