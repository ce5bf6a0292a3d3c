"""Compares classifiers on the same speakers: each is fitted, calibrated, measured and stored."""

import contextlib
import dataclasses
import hashlib
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from voxsight.answer.prediction import label_of
from voxsight.base import checksums, files
from voxsight.base.progress import progress
from voxsight.classifiers import Classifier, Examples, Options, all_classifiers, find
from voxsight.corpora import splits
from voxsight.corpora.splits import check_labels
from voxsight.corpora.utterance import Utterance
from voxsight.encoders.embeddings import embed_recordings
from voxsight.errors import RecordingError, UsageError
from voxsight.evaluation.grouping import overall_figures
from voxsight.evaluation.labelled import COLUMNS, LabelledPrediction
from voxsight.evaluation.mistakes import copy_mistake, mistake_names
from voxsight.evaluation.picture_classifier import PictureNetwork
from voxsight.features.acoustic import ALTERATIONS, FeatureConfig, stretches
from voxsight.features.storage import FeatureStore
from voxsight.metrics.calibration import Calibration, fit_calibration
from voxsight.network.folder import CONFIG, HISTORY, ClassifierConfig
from voxsight.sound.excerpts import RATE
from voxsight.sound.recording import Recording

SIDES = ("train", "valid", "test")
ROW = "row.json"
WHOLE = ("recording", "embedding")  # inputs of whole recordings, which are never altered


@dataclasses.dataclass(frozen=True)
class Item:
    """One example: a stretch of a recording, as it is or altered.

    Attributes
    ----------
    utterance : Utterance
    window : int
        Which stretch of the recording, from 0.
    alteration : str
        One of `ALTERATIONS`, or empty.
    """

    utterance: Utterance
    window: int = 0
    alteration: str = ""

    @property
    def speaker(self) -> str:
        """The speaker with the corpus in front; see `Utterance.voice`."""
        return self.utterance.voice

    @property
    def is_female(self) -> bool:
        """Whether the recording is labelled female."""
        return self.utterance.gender == "female"


@dataclasses.dataclass(frozen=True)
class Plan:
    """Who trains, validates and tests, and the features of their recordings.

    Attributes
    ----------
    sides : dict of str to list of Item
        By `SIDES`. Altered copies train only.
    features : dict of Item to dict
        As `acoustic.describe` returns them.
    config : FeatureConfig
    rule : str
        Of the split.
    seed : int
    failures : list of RecordingError
        One for each recording that could not be read.
    """

    sides: dict[str, list[Item]]
    features: dict[Item, dict[str, np.ndarray]]
    config: FeatureConfig
    rule: str
    seed: int
    failures: list[RecordingError]

    @property
    def digest(self) -> str:
        """Digest of everything that the rows of one board must share."""
        items = {side: [(i.utterance.path, i.window, i.alteration) for i in items]
                 for side, items in self.sides.items()}
        return hashlib.sha256(repr((items, self.config, self.seed)).encode(
            "utf-8", "surrogateescape")).hexdigest()

    @property
    def shared_speakers(self) -> str:
        """How many speakers are on both sides, such as ``speakers shared 0 of 60``."""
        return splits.shared_speakers([i.speaker for i in self.sides["train"]],
                                      [i.speaker for i in self.sides["test"]])


def make_plan(utterances: Sequence[Utterance], test: Sequence[Utterance] = (), *,
              rule: str = "speaker", valid: float = 0.15, test_share: float = 0.25,
              windows: int = 1, seconds: float = 2.0, augment: float = 0.01, seed: int = 42,
              cache: str | os.PathLike | None = "features", jobs: int | None = None,
              quiet: bool = False) -> Plan:
    """Split recordings and compute their features.

    Parameters
    ----------
    utterances : list of Utterance
    test : list of Utterance
        Other recordings to test on (default: a fraction of `utterances`).
    rule : str
        Of `splits.split`. ``random`` shares speakers and, with several windows, recordings.
    valid, test_share : float
        Fractions that validate and, without `test`, test.
    windows : int
        Most stretches of each recording.
    seconds : float
        Length of a stretch.
    augment : float
        Fraction of the training recordings that get an altered copy.
    seed : int
        Of the splits and the choice of copies.
    cache : str or os.PathLike, optional
        Folder of the store of features. With None no features are computed, and only classifiers
        of whole recordings can be compared.
    jobs : int, optional
        Worker processes (default: all cores).
    quiet : bool
        No progress bar.

    Returns
    -------
    Plan

    Raises
    ------
    UsageError
        If a side would lack one of the genders.
    """
    config = FeatureConfig(seconds=seconds, windows=windows)
    opened: contextlib.AbstractContextManager[FeatureStore | None] = (
        contextlib.nullcontext() if cache is None else FeatureStore(cache, config))
    with opened as store:
        collector = _Collector(store, jobs, quiet)
        items, testing = collector.items(utterances), collector.items(test)
        if not items or (test and not testing):  # not one of them could be read
            raise UsageError("; ".join(map(str, collector.failures[:1])) + ", so are the others")
        check_labels([i.speaker for i in items], [i.utterance.gender for i in items])
        if not testing:
            items, testing = _split(items, rule, test_share, seed + 1)
        training, validating = _split(items, rule, valid, seed)
        training += collector.altered_copies(training, augment, seed)
    sides = dict(zip(SIDES, (training, validating, testing)))
    return Plan(sides, collector.features, config, rule, seed, collector.failures)


def compare(plan: Plan, names: Sequence[str], out: str | os.PathLike,
            options: Options = Options(), *, command: str = "",
            quiet: bool = False) -> dict[str, str]:
    """Fit and measure classifiers, each in its folder below `out`.

    Parameters
    ----------
    plan : Plan
    names : sequence of str
        Classifiers; if empty, all that can be used here.
    out : str or os.PathLike
    options : Options
    command : str
        The command that was run; it is stored beside the figures.
    quiet : bool
        No progress bar.

    Returns
    -------
    dict of str to str
        Classifiers that were left out, and why.

    Raises
    ------
    UsageError
        If a classifier that is named does not exist or cannot be used.
    """
    left_out = {}
    classes = {name: find(name) for name in names or _all_names()}
    for name, cls in progress(classes.items(), len(classes), desc="classifiers",
                              unit="classifier", quiet=quiet):
        folder = Path(out) / name
        try:
            if cls.inputs in WHOLE and plan.config.windows > 1:
                raise UsageError(f"{name}: found --windows {plan.config.windows}, expected 1, "
                                 "since it looks at whole recordings")
            classifier = cls(dataclasses.replace(options, work=str(folder)))
            _Measurement(plan, classifier, folder, command).run()
        except UsageError as error:
            if names:
                raise
            left_out[name] = str(error)
    return left_out


class _Measurement:
    """Fits one classifier on a plan, measures it and stores the results in its folder."""

    def __init__(self, plan: Plan, classifier: Classifier, folder: Path, command: str) -> None:
        self._plan, self._classifier = plan, classifier
        self._folder, self._command = folder, command
        self._model = folder / "model"

    def run(self) -> None:
        """Fit, calibrate on the validation side, measure and store."""
        examples = {side: self._examples(items) for side, items in self._plan.sides.items()}
        history, train_s = self._fitted(examples)
        log_odds, seconds = {}, {}
        for side in ("valid", "test", "train"):
            started = time.perf_counter()
            log_odds[side] = self._classifier.log_odds(examples[side].inputs)
            seconds[side] = time.perf_counter() - started
        calibration = fit_calibration(log_odds["valid"], examples["valid"].is_female)
        predictions = {side: self._predictions(side, log_odds[side], calibration)
                       for side in log_odds}
        self._save(calibration, predictions["valid"], history)
        self._copy_mistakes(predictions)
        self._write_row(predictions["test"], history, train_s=train_s,
                        test_loss=_log_loss(log_odds["test"], examples["test"].is_female),
                        ms_per_recording=1000 * seconds["test"] / len(log_odds["test"]))

    def _fitted(self, examples: Mapping[str, Examples]) -> tuple[list[dict[str, Any]], float]:
        """History of the training, and the seconds that it took."""
        started = time.perf_counter()
        log_dir = Path("runs") / self._folder.parent.name / self._classifier.name
        history = self._classifier.fit(examples["train"], examples["valid"],
                                       seed=self._plan.seed, log_dir=log_dir)
        train_s = time.perf_counter() - started
        self._model.mkdir(parents=True, exist_ok=True)
        return history, train_s

    def _examples(self, items: Sequence[Item]) -> Examples:
        if self._classifier.inputs in WHOLE:
            items = [item for item in items if not item.alteration]
        return Examples(list(self._inputs(items)), np.array([item.is_female for item in items]),
                        [item.speaker for item in items])

    def _inputs(self, items: Sequence[Item]) -> Sequence | np.ndarray:
        """What the classifier looks at, of each item."""
        kind = self._classifier.inputs
        if kind == "recording":
            return [item.utterance for item in items]
        if kind == "embedding":
            options = self._classifier.options
            return embed_recordings([item.utterance.path for item in items],
                                    self._classifier.encoder, options.embeddings,
                                    options=options.encoder, quiet=options.quiet)
        if kind == "samples":
            return [self._samples(item) for item in items]
        return [self._plan.features[item][kind] for item in items]

    def _samples(self, item: Item) -> np.ndarray:
        path = item.utterance.path
        blocks = Recording(path).blocks(RATE)
        return stretches(blocks, path, item.alteration, self._plan.config)[item.window]

    def _predictions(self, side: str, log_odds: np.ndarray,
                     calibration: Calibration) -> list[LabelledPrediction]:
        """Predictions for the recordings of a side, without those for altered copies."""
        items = [item for item in self._plan.sides[side]
                 if not (item.alteration and self._classifier.inputs in WHOLE)]
        return [_labelled(item.utterance, float(p_female), calibration)
                for item, p_female in zip(items, calibration.p_female(log_odds))
                if not item.alteration]

    def _save(self, calibration: Calibration, validation: Sequence[LabelledPrediction],
              history: Sequence[Mapping[str, Any]]) -> None:
        """Write the model folder, unless the classifier has written all of it."""
        names = self._classifier.save(self._model)
        if CONFIG in names:
            return
        training = {"split": self._plan.rule, "seed": self._plan.seed, "command": self._command,
                    "shared_speakers": self._plan.shared_speakers,
                    "speakers_trained_on": sorted({i.speaker for i in self._plan.sides["train"]}),
                    "encoder": self._classifier.options.encoder}
        config = ClassifierConfig(self._classifier.name, dataclasses.asdict(self._plan.config),
                                  calibration, training, overall_figures(validation))
        checksums.write_checksummed_json(self._model / CONFIG, config.to_dict(), names)
        if history:
            files.write_csv(self._model / HISTORY, list(history[0]), history)

    def _copy_mistakes(self, predictions: Mapping[str, Sequence[LabelledPrediction]]) -> None:
        folder = self._folder / "mistakes"
        shutil.rmtree(folder, ignore_errors=True)  # those of an earlier run
        for side, of_side in predictions.items():
            names = mistake_names((p.path, p.speaker, p.gender) for p in of_side)
            for prediction in of_side:
                if prediction.is_mistake:
                    copy_mistake(prediction.path, folder / side, names[prediction.path])

    def _write_row(self, predictions: Sequence[LabelledPrediction],
                   history: Sequence[Mapping[str, Any]], **measured: float) -> None:
        """Write the predictions for the test side and the row of the leaderboard."""
        losses = [epoch["valid_loss"] for epoch in history]
        by_corpus = defaultdict(list)
        for prediction in predictions:
            by_corpus[prediction.corpus].append(prediction)
        files.write_csv(self._folder / "predictions.csv", COLUMNS,
                        map(dataclasses.asdict, predictions))
        files.write_json(self._folder / ROW, {
            "classifier": self._classifier.name, "about": self._classifier.about,
            "plan": self._plan.digest, "command": self._command,
            "figures": overall_figures(predictions),
            "uar": {corpus: overall_figures(part)["uar"] for corpus, part in by_corpus.items()},
            "epochs": len(history) or None,
            "best_valid_loss": min(losses) if losses else None,
            "stopped_early": bool(losses) and losses.index(min(losses)) < len(losses) - 1,
            "parameters": self._classifier.parameters,
            "size_bytes": sum(f.stat().st_size for f in self._model.rglob("*") if f.is_file()),
            "history": history, "importance": self._classifier.importance(), **measured})


class _Collector:
    """Makes items of recordings and, with a store, their features.

    Attributes
    ----------
    features : dict of Item to dict
    failures : list of RecordingError
        One for each recording that could not be read.
    """

    def __init__(self, store: FeatureStore | None, jobs: int | None, quiet: bool) -> None:
        self._store, self._jobs, self._quiet = store, jobs, quiet
        self.features: dict[Item, dict[str, np.ndarray]] = {}
        self.failures: list[RecordingError] = []

    def items(self, utterances: Sequence[Utterance],
              alterations: Sequence[str] = ()) -> list[Item]:
        """An item for each stretch of each utterance; without a store, one for each utterance."""
        if self._store is None:
            return [Item(utterance) for utterance in utterances]
        alterations = alterations or [""] * len(utterances)
        keys = [(u.path, alteration) for u, alteration in zip(utterances, alterations)]
        results = self._store.of(keys, jobs=self._jobs, quiet=self._quiet)
        items = []
        for utterance, alteration, result in zip(utterances, alterations, results):
            if isinstance(result, RecordingError):
                self.failures.append(result)
                continue
            for window, features in enumerate(result):
                item = Item(utterance, window, alteration)
                items.append(item)
                self.features[item] = features
        return items

    def altered_copies(self, items: Iterable[Item], fraction: float, seed: int) -> list[Item]:
        """Altered copies of a fraction of the recordings, at least one if any is wanted."""
        if self._store is None:
            return []
        utterances = list({item.utterance.path: item.utterance for item in items}.values())
        rng = np.random.default_rng(seed)
        count = min(len(utterances), int(np.ceil(fraction * len(utterances))))
        chosen = [utterances[i] for i in sorted(rng.permutation(len(utterances))[:count])]
        return self.items(chosen, [ALTERATIONS[i % len(ALTERATIONS)] for i in range(count)])


def _all_names() -> list[str]:
    """Every classifier; the picture network last, since it takes longest."""
    return sorted(all_classifiers(), key=lambda name: name == PictureNetwork.name)


def _labelled(utterance: Utterance, p_female: float,
              calibration: Calibration) -> LabelledPrediction:
    return LabelledPrediction(utterance.path, utterance.voice, utterance.gender, utterance.corpus,
                              utterance.age, utterance.accent,
                              label_of(p_female, True, calibration.min_confidence), p_female)


def _split(items: Sequence[Item], rule: str, fraction: float,
           seed: int) -> tuple[list[Item], list[Item]]:
    rest, chosen = splits.split([item.speaker for item in items],
                                [item.utterance.gender for item in items], rule, fraction, seed)
    return [items[i] for i in rest], [items[i] for i in chosen]


def _log_loss(log_odds: np.ndarray, is_female: np.ndarray) -> float:
    signed = np.where(is_female, log_odds, -log_odds)
    return float(np.mean(np.logaddexp(0, -signed)))
