"""From a folder of pictures to a model folder: split, train, calibrate, measure, save."""

import contextlib
import dataclasses
import hashlib
import shlex
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import torch

from voxsight import files, mfc, splits
from voxsight.calibration import fit_calibration
from voxsight.checkpoint import (
    CONFIG,
    LABELS,
    Architecture,
    ModelConfig,
    find_model,
    load_config,
    save_model,
)
from voxsight.corpora import GENDERS, UNLABELLED
from voxsight.data_parallel import is_first, processes, share_training
from voxsight.datasets import (
    altered_copies_of,
    read_dataset,
    read_embeddings,
    split_pictures,
)
from voxsight.embeddings import embed_recordings
from voxsight.evaluation import figures, uar_gain
from voxsight.learner import fit, log_odds, make_learner, torchvision_state
from voxsight.model_card import model_card
from voxsight.network import as_batch, load_network
from voxsight.resuming import Epochs
from voxsight.second_opinion import fit_opinion, save_opinion, together

FEW_SPEAKERS = 20  # that validate


def train(dataset, out, config, *, argv=(), quiet=False):
    """Train a model on a dataset and write its folder.

    A training that was stopped goes on after its last finished epoch. Processes that train
    together share every batch, and the first of them writes the model.

    Parameters
    ----------
    dataset : str or os.PathLike
        folder of pictures
    out : str or os.PathLike
        model folder to write
    config : learner.TrainConfig
    argv : sequence of str
        the command, for the model card
    quiet : bool
        no progress bars

    Returns
    -------
    checkpoint.ModelConfig or None
        of the model written; None in all processes but the first

    Raises
    ------
    UsageError
        if the dataset, the split or the weights are not usable, or another run writes to
        `out`
    """
    with files.only_writer(out) if is_first() else contextlib.nullcontext():
        return _train(dataset, out, config, argv, quiet)


def _train(dataset, out, config, argv, quiet):
    pictures, recipe = read_dataset(dataset)
    if config.teacher is None:
        pictures = [p for p in pictures if p.gender != UNLABELLED]
    kept, valid = split_pictures(pictures, config.split, config.valid, config.seed)
    size = tuple(config.size or (recipe.height, recipe.width))
    embeddings = None
    if config.teacher:
        row = {p.path: i for i, p in enumerate(pictures)}
        embeddings = read_embeddings(dataset, config.teacher)[[row[p.path] for p in kept]]
        embeddings = _around_the_middle(embeddings, kept, valid)
    learn = make_learner(kept, valid, size, config, log_dir=Path("runs") / Path(out).name,
                         embeddings=embeddings, quiet=quiet)
    share_training(learn)
    epochs = Epochs(config.seed, out, _settings(config, kept, valid))
    history = fit(learn, config, epochs)
    if not is_first():
        return None
    if config.teacher:
        label_by_embedding(learn, _towards_female(embeddings, kept, valid, config.teacher))
    held_out = {kept[i].source for i in valid}
    model, answers = finish(learn, recipe, kept, valid, config, out, history=history,
                            argv=argv, altered=altered_copies_of(pictures, held_out))
    if config.teacher:
        save_opinion(out, _second_opinion(kept, valid, answers, model, config.teacher, quiet))
    epochs.end()
    return model


def finish(learn, recipe, kept, valid, config, out, *, history=(), argv=(), altered=()):
    """Calibrate and measure a trained learner and write its model folder.

    Parameters
    ----------
    learn : fastai.learner.Learner
    recipe : recipes.Recipe
        of the pictures
    kept : list of Picture
        those that trained, and after them those that validate
    valid : np.ndarray of int
        indices of the latter
    config : TrainConfig
    out : str or os.PathLike
        model folder to write
    history : list of dict
    argv : sequence of str
    altered : list of Picture
        altered copies of those that validate; where there are any, the model is calibrated
        on them too, since a user's recordings are seldom as clean as a corpus

    Returns
    -------
    model : checkpoint.ModelConfig
    answers : tuple
        log-odds, labels and speakers of the validation recordings, as `by_recording`
        gives them
    """
    size = tuple(config.size or (recipe.height, recipe.width))
    clean = [kept[i] for i in valid]
    heard = log_odds(learn, [p.path for p in clean], size)
    answers = by_recording(clean, heard)
    evidence, is_female, speakers = answers
    sides = [(clean, heard)]
    if altered:
        altered = _copies_apart(altered)
        sides.append((altered, log_odds(learn, [p.path for p in altered], size)))
    start = _start(config.weights, recipe, size)
    # So few recordings would calibrate to themselves; what the start promised holds better.
    few = start is not None and len(set(speakers)) < FEW_SPEAKERS
    calibration = start.calibration if few else _calibrated(sides)
    p_female = calibration.p_female(evidence)
    record = _training_record(kept, valid, config)
    if start:
        before = start.calibration.p_female(_start_evidence(config.weights, start, clean))
        known = set(start.training.get("speakers_trained_on", ()))
        record["start"] = uar_gain(is_female, before, p_female, speakers) | {
            "speakers_known": len(set(speakers) & known), "calibration_kept": few}
    answered = np.maximum(p_female, 1 - p_female) >= calibration.min_confidence
    model = ModelConfig(
        architecture=Architecture(config.arch, size), recipe=recipe,
        calibration=calibration, training=record,
        figures=figures(is_female, p_female, speakers, answered=answered))
    save_model(out, torchvision_state(learn.model), model, history,
               model_card(Path(out).name, model, shlex.join(argv)))
    return model, answers


def _start(weights, recipe, size):
    """Config of the model that the training started from; None if it saw other pictures."""
    folder = find_model(weights)
    if not (folder / CONFIG).is_file():
        return None
    start = load_config(folder)
    same = isinstance(start, ModelConfig) and start.recipe == recipe
    return start if same and tuple(start.architecture.size) == size else None


def _start_evidence(weights, start, pictures):
    """Its log-odds, in the order of `by_recording`."""
    network, size = load_network(weights, start.architecture), start.architecture.size
    with torch.inference_mode():
        logits = torch.cat([
            network(as_batch(np.stack([mfc.decode(p.path, size) for p in pictures[i: i + 64]])))
            for i in range(0, len(pictures), 64)])
    return by_recording(pictures, (logits[:, 0] - logits[:, 1]).numpy())[0]


def _calibrated(sides):
    """Calibration on each window alone and on all of a recording: users have both."""
    answers = [(evidence, np.array([p.p_female == 1 for p in pictures]))
               for pictures, evidence in sides]
    answers += [by_recording(pictures, evidence)[:2] for pictures, evidence in sides]
    return fit_calibration(*map(np.concatenate, zip(*answers)), shifted=len(sides) > 1)


def _copies_apart(altered):
    """The n-th copies of a recording's windows as a recording of their own."""
    times, apart = Counter(), []
    for picture in altered:
        times[picture.source, picture.start_s] += 1
        number = times[picture.source, picture.start_s]
        apart.append(dataclasses.replace(picture, source=f"{picture.source}#{number}"))
    return apart


def by_recording(pictures, evidence):
    """Mean log-odds of the pictures of each recording.

    Parameters
    ----------
    pictures : list of Picture [shape=(n,)]
    evidence : array of float [shape=(n,)]
        log-odds of female per picture

    Returns
    -------
    evidence : np.ndarray [shape=(m,)]
    is_female : np.ndarray of bool [shape=(m,)]
    speakers : list of str [shape=(m,)]
    """
    groups = defaultdict(list)
    for picture, value in zip(pictures, evidence):
        groups[picture.source, picture.speaker, picture.gender].append(float(value))
    return (np.array([np.mean(values) for values in groups.values()]),
            np.array([gender == "female" for _, _, gender in groups]),
            [speaker for _, speaker, _ in groups])


def label_by_embedding(learn, direction):
    """Let the label be what a direction among the embeddings learnt says.

    Both are linear in what the network sees, so the head stays one linear layer.

    Parameters
    ----------
    learn : fastai.learner.Learner
        made with embeddings
    direction : np.ndarray [shape=(d,), float32]
        towards female
    """
    linear = learn.model[1][-1]
    with torch.no_grad():
        for parameter in (linear.weight, linear.bias):
            female = torch.from_numpy(direction).to(parameter) @ parameter[len(LABELS):] / 2
            parameter[0], parameter[1] = female, -female


def _settings(config, kept, valid):
    """A digest of what a stopped training must share with the one that takes it up."""
    shaping = [dataclasses.asdict(config), [(p.path, p.p_female) for p in kept], valid.tolist()]
    return hashlib.sha256(repr(shaping).encode("utf-8", "surrogateescape")).hexdigest()


def _around_the_middle(embeddings, kept, valid):
    """Embeddings around the middle between the labels: what sets voices apart is left."""
    p_female = np.array([p.p_female for p in kept])
    p_female[valid] = np.nan
    return embeddings - (embeddings[p_female == 1].mean(axis=0)
                         + embeddings[p_female == 0].mean(axis=0)) / 2


def _towards_female(embeddings, kept, valid, encoder):
    """Direction in which the teacher tells the labels of the voices that trained apart.

    A label head of the network's own learns the few hundred speakers by heart; the teacher
    heard thousands, and the network follows it to where they lie.
    """
    held_out = {kept[i].source for i in valid}
    own = [i for i, p in enumerate(kept) if not p.augmentation and p.gender != UNLABELLED
           and p.source not in held_out]
    lengths = np.linalg.norm(embeddings[own], axis=1, keepdims=True)
    opinion = fit_opinion(encoder, embeddings[own] / lengths,
                          [kept[i].gender == "female" for i in own],
                          [kept[i].speaker for i in own], intercept=False)
    return opinion.weights


def _second_opinion(kept, valid, answers, model, encoder, quiet):
    """What the teacher itself would say, fitted on the recordings that trained."""
    def heard(pictures):
        recordings = {(p.source, p.speaker, p.gender): p for p in pictures}.values()
        return list(recordings), embed_recordings([p.source for p in recordings],
                                                  [p.gender for p in recordings], encoder,
                                                  quiet=quiet)

    validating = [kept[i] for i in valid]
    held_out = {p.source for p in validating}
    train, embeddings = heard(p for p in kept if not p.augmentation and p.gender != UNLABELLED
                              and p.source not in held_out)
    opinion = fit_opinion(encoder, embeddings, [p.gender == "female" for p in train],
                          [p.speaker for p in train])
    evidence, is_female, _ = answers
    both = together(model.calibration.evidence(evidence),
                    opinion.log_odds(heard(validating)[1]))
    return dataclasses.replace(opinion, calibration=fit_calibration(both, is_female))


def _training_record(kept, valid, config):
    validating = set(np.asarray(valid).tolist())
    sides = ([p.speaker for i, p in enumerate(kept) if i not in validating],
             [kept[i].speaker for i in valid])
    record = {key: value for key, value in dataclasses.asdict(config).items()
              if key not in ("arch", "size")}
    return record | {"processes": processes(), "shared_speakers": splits.shared_speakers(*sides),
                     "pictures_trained_on": len(sides[0]),
                     "speakers_trained_on": sorted(set(sides[0])),
                     "corpora": _corpora_table(kept)}


def _corpora_table(pictures):
    table = {}
    for corpus in sorted({p.corpus for p in pictures}):
        own = [p for p in pictures if p.corpus == corpus]
        table[corpus] = {
            **{g: len({p.speaker for p in own if p.gender == g}) for g in (*GENDERS, UNLABELLED)},
            "recordings": len({p.source for p in own}), "pictures": len(own)}
    return table
