"""Compares classifiers on the same speakers: each is fitted, calibrated, measured and stored."""

import dataclasses
import os
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from voxsight.answer.opening import open_model
from voxsight.answer.prediction import label_of
from voxsight.base import checksums, files
from voxsight.base.parallel.processes import one_thread
from voxsight.base.progress import progress
from voxsight.classifiers import Classifier, Examples, Options, all_classifiers, find
from voxsight.corpora import splits
from voxsight.corpora.utterance import Utterance
from voxsight.encoders import pinned_options
from voxsight.encoders.embeddings import embed_recordings
from voxsight.errors import UsageError
from voxsight.evaluation.comparison.picture_classifier import PictureNetwork
from voxsight.evaluation.comparison.plan import Item, Plan
from voxsight.evaluation.grouping import overall_figures
from voxsight.evaluation.labelled import COLUMNS, LabelledPrediction, model_digest
from voxsight.evaluation.mistakes import begin_mistakes, copy_mistake, mistake_names
from voxsight.features.acoustic import stretches
from voxsight.metrics.calibration import Calibration, fit_calibration
from voxsight.network.folder import CONFIG, HISTORY, ClassifierConfig, ModelFolder
from voxsight.sound.excerpts import RATE
from voxsight.sound.recording import Recording

ROW = "row.json"
TIMED = 20  # recordings, on which the time of an answer is measured
WHOLE = ("recording", "embedding")  # inputs of whole recordings, which are never altered


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
    left_out, digest = {}, plan.digest
    classes = {name: find(name) for name in names or _all_names()}
    for name, cls in progress(classes.items(), len(classes), desc="classifiers",
                              unit="classifier", quiet=quiet):
        folder = Path(out) / name
        try:
            if cls.inputs in WHOLE and plan.config.windows > 1:
                raise UsageError(f"{name}: found --windows {plan.config.windows}, expected 1, "
                                 "since it looks at whole recordings")
            classifier = cls(dataclasses.replace(options, work=str(folder), plan=digest))
            _Measurement(plan, classifier, folder, command).run()
        except UsageError as error:
            if names:
                raise
            left_out[name] = str(error)
    return left_out


def seconds_per_answer(model: str | os.PathLike, paths: Sequence[str]) -> float:
    """Mean time from a file to its answer, on one core; what is loaded once is not counted.

    Parameters
    ----------
    model : str or os.PathLike
        A model folder.
    paths : sequence of str
        Recordings.

    Returns
    -------
    float
        Seconds.
    """
    opened = open_model(model)
    with one_thread():
        opened.predict(paths[0])
        started = time.perf_counter()
        for path in paths:
            opened.predict(path)
        return (time.perf_counter() - started) / len(paths)


class _Measurement:
    """Fits one classifier on a plan, measures it and stores the results in its folder."""

    def __init__(self, plan: Plan, classifier: Classifier, folder: Path, command: str) -> None:
        self._plan, self._classifier = plan, classifier
        self._folder, self._command = folder, command
        self._model = folder / "model"

    def run(self) -> None:
        """Fit, calibrate on the validation side, measure and store."""
        examples = {side: self._examples(items) for side, items in self._plan.sides.items()}
        history, fit_s = self._fitted(examples)
        log_odds = {side: self._classifier.log_odds(examples[side].inputs)
                    for side in ("valid", "test", "train")}
        calibration = fit_calibration(log_odds["valid"], examples["valid"].is_female,
                                      examples["valid"].speakers)
        predictions = {side: self._predictions(side, log_odds[side], calibration)
                       for side in log_odds}
        speakers = self._classifier.speakers_of(examples["train"])
        shared = self._shared(speakers)
        self._save(calibration, predictions["valid"], history, speakers, shared)
        self._copy_mistakes(predictions)
        self._write_row(predictions["test"], history, **self._seconds(fit_s),
                        test_loss=_log_loss(log_odds["test"], examples["test"].is_female),
                        shared_speakers=shared)

    def _shared(self, speakers: Sequence[str]) -> str:
        """Speakers on both sides, also under another name: a corpus may be there twice."""
        training, testing = (self._plan.sides[side] for side in ("train", "test"))
        return splits.shared_speakers(
            speakers, [item.speaker for item in testing],
            train_paths=[item.utterance.path for item in training],
            valid_paths=[item.utterance.path for item in testing])

    def _seconds(self, fit_s: float) -> dict[str, float]:
        """How long training and answering take, recordings decoded and described.

        What `fit` was given may have been computed by an earlier run, so it is counted at the
        time that each recording takes from its file to an answer.
        """
        paths = list(dict.fromkeys(i.utterance.path for i in self._plan.sides["test"]))
        places = np.linspace(0, len(paths) - 1, min(TIMED, len(paths))).round().astype(int)
        per_recording_s = seconds_per_answer(self._model, [paths[i] for i in places])
        given = {(i.utterance.path, i.alteration) for side in ("train", "valid")
                 for i in self._used(self._plan.sides[side])}
        inputs_s = 0.0 if self._classifier.inputs == "recording" else len(given) * per_recording_s
        return {"train_s": fit_s + inputs_s, "fit_s": fit_s, "inputs_s": inputs_s,
                "ms_per_recording": 1000 * per_recording_s, "timed_recordings": len(places)}

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
        items = self._used(items)
        return Examples(list(self._inputs(items)), np.array([item.is_female for item in items]),
                        [item.speaker for item in items])

    def _used(self, items: Sequence[Item]) -> Sequence[Item]:
        """Those that the classifier is given."""
        if self._classifier.inputs in WHOLE:
            return [item for item in items if not item.alteration]
        return items

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
        items = self._used(self._plan.sides[side])
        return [_labelled(item.utterance, float(p_female), calibration)
                for item, p_female in zip(items, calibration.p_female(log_odds))
                if not item.alteration]

    def _save(self, calibration: Calibration, validation: Sequence[LabelledPrediction],
              history: Sequence[Mapping[str, Any]], speakers: Sequence[str],
              shared: str) -> None:
        """Write the model folder, unless the classifier has written all of it."""
        names = self._classifier.save(self._model)
        if CONFIG in names:
            return
        training = {"split": self._plan.rule, "seed": self._plan.seed, "command": self._command,
                    "shared_speakers": shared,
                    "speakers_trained_on": sorted(set(speakers)),
                    "recordings_trained_on": splits.fingerprints(
                        i.utterance.path for i in self._plan.sides["train"]),
                    "encoder": pinned_options(self._classifier.encoder,
                                              self._classifier.options.encoder),
                    "origin": self._classifier.origin}
        config = ClassifierConfig(self._classifier.name, dataclasses.asdict(self._plan.config),
                                  calibration, training, overall_figures(validation))
        checksums.write_checksummed_json(self._model / CONFIG, config.to_dict(), names)
        if history:
            files.write_csv(self._model / HISTORY, list(history[0]), history)

    def _copy_mistakes(self, predictions: Mapping[str, Sequence[LabelledPrediction]]) -> None:
        for side, of_side in predictions.items():
            folder = self._folder / "mistakes" / side
            names = mistake_names((p.path, p.speaker, p.gender) for p in of_side)
            begin_mistakes(folder, names.values())
            for prediction in of_side:
                if prediction.is_mistake:
                    copy_mistake(prediction.path, folder, names[prediction.path])

    def _write_row(self, predictions: Sequence[LabelledPrediction],
                   history: Sequence[Mapping[str, Any]], **measured: float | str) -> None:
        """Write the predictions for the test side and the row of the leaderboard."""
        losses = [epoch["valid_loss"] for epoch in history]
        digest = model_digest(ModelFolder(self._model))
        by_corpus = defaultdict(list)
        for prediction in predictions:
            by_corpus[prediction.corpus].append(prediction)
        files.write_csv(self._folder / "predictions.csv", COLUMNS,
                        (dataclasses.asdict(p) | {"model": digest} for p in predictions))
        files.write_json(self._folder / ROW, {
            "classifier": self._classifier.name, "about": self._classifier.about,
            "plan": self._plan.digest, "command": self._command,
            "origin": self._classifier.origin,
            "figures": overall_figures(predictions),
            "uar": {corpus: overall_figures(part)["uar"] for corpus, part in by_corpus.items()},
            "epochs": len(history) or None,
            "best_valid_loss": min(losses) if losses else None,
            "stopped_early": bool(losses) and losses.index(min(losses)) < len(losses) - 1,
            "parameters": self._classifier.parameters,
            "size_bytes": sum(f.stat().st_size for f in self._model.rglob("*") if f.is_file()),
            "history": history, "importance": self._classifier.importance(), **measured})


def _all_names() -> list[str]:
    """Every classifier; the picture network last, since it takes longest."""
    return sorted(all_classifiers(), key=lambda name: name == PictureNetwork.name)


def _labelled(utterance: Utterance, p_female: float,
              calibration: Calibration) -> LabelledPrediction:
    return LabelledPrediction(utterance.path, utterance.voice, utterance.gender, utterance.corpus,
                              utterance.age, utterance.accent,
                              label_of(p_female, True, calibration.min_confidence), p_female)


def _log_loss(log_odds: np.ndarray, is_female: np.ndarray) -> float:
    signed = np.where(is_female, log_odds, -log_odds)
    return float(np.mean(np.logaddexp(0, -signed)))
