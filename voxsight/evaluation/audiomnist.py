"""The AudioMNIST table: random, the paper's and speaker-disjoint splits, three seeds each.

A finished training is kept in the store ``runs/store.sqlite`` of the output folder, so that the
same command resumes where it was stopped. Its key holds everything that shapes a training: the
configuration, the recipe, what the pictures show and whom, how many of each speaker are used and
the version of this code. Another size, architecture, dataset or rate is therefore trained anew.
"""

import dataclasses
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from voxsight.base import files
from voxsight.base.private import short_digest
from voxsight.base.store import Store
from voxsight.evaluation import CELL_NAMES, WEIGHTS
from voxsight.explanation.class_means import class_means, write_class_means
from voxsight.metrics.calibration import Calibration
from voxsight.metrics.figures import figures, point_figures
from voxsight.network.fine_tuning import TrainConfig, fit, make_learner
from voxsight.network.folder import ModelFolder
from voxsight.network.training import finish
from voxsight.pictures.dataset import Picture, in_one_list, read_dataset, split_pictures
from voxsight.pictures.recipe import Recipe

SEEDS = (42, 43, 44)
VERSION = 2  # of a training and its results; stored ones of another version are not used
Run = dict[str, Any]  # results of one training; see `_trained`


class Dataset(NamedTuple):
    """Pictures, their recipe, and a digest of what they show and whom."""

    pictures: Sequence[Picture]
    recipe: Recipe
    digest: str

    @classmethod
    def read(cls, folder: str | os.PathLike) -> "Dataset":
        """The dataset of a folder."""
        pictures, recipe = read_dataset(folder)
        digest = hashlib.sha256()
        for p in pictures:
            labels = (os.path.basename(p.path), p.source, p.speaker, p.gender, p.augmentation)
            digest.update(repr((*labels, files.sha256(p.path))).encode("utf-8", "surrogateescape"))
        return cls(pictures, recipe, digest.hexdigest())


@dataclasses.dataclass(frozen=True)
class Cell:
    """A row of the table: how it splits and trains.

    Attributes
    ----------
    title : str
    rules : tuple of str
        Splits whose validation sides together are the test side; each is trained with every
        seed.
    epochs : int
    lr : float
        Highest learning rate.
    batch : int
        Pictures per step.
    augment : float
        Fraction of pictures with a stretch of time and rows masked.
    row_jitter : float
        Strength of a random gain and offset of each coefficient.
    per_speaker : int or None
        Training pictures of each speaker (default: all).
    weights : {"none", "imagenet"}
        What the network starts from. With ImageNet's its head is trained before, for two epochs.
    """

    title: str
    rules: tuple[str, ...]
    epochs: int
    lr: float = 5e-4
    batch: int = 32
    augment: float = 0.0
    row_jitter: float = 0.0
    per_speaker: int | None = None
    weights: str = "none"

    def starting_from(self, weights: str) -> "Cell":
        """The same row with other weights to start from."""
        if weights == self.weights:
            return self
        return dataclasses.replace(self, weights=weights, title=f"{self.title}, from {weights}")

    def config(self, rule: str, seed: int, size: tuple[int, int], arch: str) -> TrainConfig:
        """How one of its networks is trained.

        Parameters
        ----------
        rule : str
            One of its splits.
        seed : int
        size : (int, int)
            Height and width that the network sees, pixels.
        arch : str
            Architecture, such as ``resnet34``.

        Returns
        -------
        TrainConfig
        """
        return TrainConfig(arch=arch, weights=self.weights, split=rule, seed=seed,
                           head_epochs=0 if self.weights == "none" else 2, epochs=self.epochs,
                           lr=self.lr, batch=self.batch, augment=self.augment,
                           row_jitter=self.row_jitter, size=size)


CELLS = dict(zip(CELL_NAMES, (
    Cell("random 24,000 / 6,000", ("random",), epochs=3),
    Cell("the paper's four folds, 12 training speakers",
         tuple(f"paper:{k}/test" for k in range(4)), epochs=1, lr=4e-4, row_jitter=1.0),
    Cell("six speaker-disjoint folds of all 60 speakers",
         tuple(f"fold:{k}/6" for k in range(6)), epochs=1, lr=4e-4, row_jitter=1.0,
         per_speaker=160),
), strict=True))


def make_audiomnist_table(dataset: str | os.PathLike, out: str | os.PathLike, *,
                          cells: Sequence[str] = CELL_NAMES, seeds: Iterable[int] = SEEDS,
                          weights: Sequence[str] = ("none",),
                          size: tuple[int, int] = (48, 96), arch: str = "resnet34",
                          command: str = "", quiet: bool = False) -> dict[str, Any]:
    """Train the networks that are missing and write the table.

    Parameters
    ----------
    dataset : str or os.PathLike
        Folder of AudioMNIST pictures, of any recipe.
    out : str or os.PathLike
        Folder for ``table.json``, for the class means of the random split and for ``runs/``,
        which holds the store of finished trainings and the latest network of each cell. Rows of
        other cells stay in the table.
    cells : sequence of str
        Keys of `CELLS`.
    seeds : iterable of int
        One training of each split per seed.
    weights : sequence of {"none", "imagenet"}
        Each cell is trained from each of them.
    size : (int, int)
        Height and width that the network sees, pixels.
    arch : str
        Architecture, such as ``resnet34``.
    command : str
        The command that was run; it is stored beside these cells.
    quiet : bool
        No progress bars.

    Returns
    -------
    dict
        The contents of ``table.json``: for each cell its command, how it was trained, the
        speakers shared, its figures with intervals over speakers, seeds pooled, and those of
        each seed.
    """
    data, runs = Dataset.read(dataset), Path(out) / "runs"
    path = Path(out) / "table.json"
    table = files.read_json(path) if path.is_file() else {}
    seeds = tuple(seeds)
    with Store(runs) as store:
        for name, cell in _rows(cells, weights).items():
            configs = [cell.config(rule, seed, (size[0], size[1]), arch)
                       for seed in seeds for rule in cell.rules]
            model = _model_folder(runs / name, cell, data, size, arch)
            results = [_run(data, store, model, config, cell.per_speaker, quiet)
                       for config in configs]
            table[name] = ({"command": command, "arch": arch, "size": list(size)}
                           | _summary(cell, configs, results))
    table = {name: table[name] for name in _rows(CELLS, WEIGHTS) if name in table}
    files.write_json(path, table)
    if "random" in cells and (model := _model_folder(
            runs / "random", CELLS["random"], data, size, arch)).is_dir():
        draw_class_means(data.pictures, data.recipe, model, out, quiet=quiet)
    return table


def draw_class_means(pictures: Sequence[Picture], recipe: Recipe, model: str | os.PathLike,
                     out: str | os.PathLike, *, quiet: bool = False) -> None:
    """Mean heat maps of a network's validation pictures, as in the published project.

    Writes ``female_cams.json``, ``male_cams.json`` and ``class_means.png``.

    Parameters
    ----------
    pictures : sequence of Picture
    recipe : Recipe
    model : str or os.PathLike
        Model folder, trained on a random split of the pictures.
    out : str or os.PathLike
        Folder to write to.
    quiet : bool
        No progress bar.
    """
    training = ModelFolder(model).config.training
    _, valid = split_pictures(pictures, "random", training["valid"], training["seed"])
    means = class_means(model, valid, quiet=quiet)
    write_class_means(means, out, recipe)


def _rows(cells: Iterable[str], weights: Sequence[str]) -> dict[str, Cell]:
    """Rows of the table by their names, which say nothing of no weights."""
    return {name if start == "none" else f"{name}_{start}": CELLS[name].starting_from(start)
            for name in cells for start in weights}


def _run(data: Dataset, store: Store, model: Path, config: TrainConfig,
         per_speaker: int | None, quiet: bool) -> Run:
    """Results of one training, from the store if it was done before."""
    key = _key(data, config, per_speaker)
    stored = store.get(key)
    if stored is None:
        run = _trained(data, model, config, per_speaker, quiet)
        text = json.dumps(run, ensure_ascii=False).encode("utf-8", "surrogateescape")
        store.put(key, {"json": np.frombuffer(text, np.uint8)})
        return run
    return json.loads(stored["json"].tobytes().decode("utf-8", "surrogateescape"))


def _key(data: Dataset, config: TrainConfig, per_speaker: int | None) -> str:
    """Key of a training: everything that its results depend on."""
    return repr(("training", VERSION, dataclasses.astuple(config), per_speaker,
                 data.recipe.to_dict(), data.digest))


def _trained(data: Dataset, model: Path, config: TrainConfig, per_speaker: int | None,
             quiet: bool) -> Run:
    """Train a network; its shared speakers, history and log-odds by speaker."""
    pictures, recipe, _ = data
    training, validating = split_pictures(pictures, config.split, config.valid, config.seed)
    used, valid = in_one_list(_thinned(training, per_speaker, config.seed), validating)
    assert config.size is not None  # `Cell.config` names it
    learn = make_learner(used, valid, config.size, config, quiet=quiet)
    history = fit(learn, config)
    trained, tested = finish(learn, recipe, used, valid, config, model, history=history)
    return {"shared_speakers": trained.training["shared_speakers"], "history": history,
            "speakers": _by_speaker(*tested)}


def _model_folder(runs: Path, cell: Cell, data: Dataset, size: Sequence[int], arch: str) -> Path:
    """Where the network of a cell's latest training with these settings lies."""
    settings = repr((cell, data.recipe.to_dict(), data.digest, tuple(size), arch, VERSION))
    return runs / short_digest(settings) / "model"


def _by_speaker(log_odds: Iterable[float], is_female: Iterable[bool],
                speakers: Iterable[str]) -> dict[str, Any]:
    """Label of each speaker and the log-odds of each of their recordings, for JSON."""
    by_speaker: dict[str, Any] = {}
    for value, female, speaker in zip(log_odds, is_female, speakers):
        entry = by_speaker.setdefault(speaker, {"is_female": bool(female), "log_odds": []})
        entry["log_odds"].append(round(float(value), 3))
    return by_speaker


def _thinned(training: list[Picture], per_speaker: int | None, seed: int) -> list[Picture]:
    """At most so many training pictures of each speaker."""
    if per_speaker is None:
        return training
    counts: Counter[str] = Counter()
    chosen = []
    for i in np.random.default_rng(seed).permutation(len(training)):
        counts[training[i].speaker] += 1
        if counts[training[i].speaker] <= per_speaker:
            chosen.append(training[i])
    return chosen


def _summary(cell: Cell, configs: Sequence[TrainConfig], runs: Sequence[Run]) -> dict[str, Any]:
    """A cell's entry in ``table.json``."""
    accuracies = [_point_figures([run])["accuracy"] for run in runs]
    by_seed: dict[str, list[Run]] = {}
    for config, run in zip(configs, runs):
        by_seed.setdefault(str(config.seed), []).append(run)
    several = len(cell.rules) > 1
    return {
        **dataclasses.asdict(cell), "shared_speakers": runs[0]["shared_speakers"],
        "figures": _figures(runs),
        "seeds": {seed: _point_figures(of_seed) for seed, of_seed in by_seed.items()},
        "folds": [float(np.mean(accuracies)), float(np.std(accuracies))] if several else None}


def _figures(runs: Sequence[Run]) -> dict[str, Any]:
    """Figures of several trainings together, forced decisions, with intervals."""
    is_female, p_female, speakers = _pooled(runs)
    return figures(is_female, p_female, speakers)


def _point_figures(runs: Sequence[Run]) -> dict[str, float]:
    """The same without intervals."""
    is_female, p_female, _ = _pooled(runs)
    return point_figures(is_female, p_female)


def _pooled(runs: Sequence[Run]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Labels, probabilities and speakers of all recordings that several trainings tested."""
    rows = [(speaker, entry["is_female"], log_odds) for run in runs
            for speaker, entry in run["speakers"].items() for log_odds in entry["log_odds"]]
    speakers, is_female, log_odds = zip(*rows)
    # Uncalibrated: a temperature moves no prediction across one half.
    return np.array(is_female), Calibration().p_female(np.array(log_odds)), list(speakers)
