"""Every classifier on the same speakers: fit, calibrate, measure, store, side by side."""

import dataclasses
import hashlib
import shutil
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from voxsight import files, splits
from voxsight.assessment import COLUMNS, Answer, copy_mistake, overall_figures
from voxsight.calibration import fit_calibration
from voxsight.checkpoint import CONFIG, HISTORY, ClassifierConfig
from voxsight.classifiers import Examples, Options, all_classifiers, find
from voxsight.embeddings import embed_recordings
from voxsight.errors import RecordingError, UsageError
from voxsight.features import ALTERATIONS, FeatureConfig, FeatureStore, stretches
from voxsight.parallel import progress
from voxsight.prediction import label_of

SIDES = ("train", "valid", "test")
ROW = "row.json"
WHOLE = ("recording", "embedding")  # inputs of whole recordings, as they are


@dataclasses.dataclass(frozen=True)
class Item:
    """One example: seconds of a recording, as they are or altered."""

    utterance: object
    window: int = 0
    alteration: str = ""

    @property
    def speaker(self):
        """See `corpora.Utterance.voice`."""
        return self.utterance.voice


@dataclasses.dataclass(frozen=True)
class Plan:
    """Who trains, validates and tests, and what is known of their recordings.

    Attributes
    ----------
    sides : dict of str to list of Item
        by `SIDES`; altered copies train only
    features : dict of Item to dict
        as `features.describe` gives them
    config : features.FeatureConfig
    rule : str
        of the split
    seed : int
    failures : list of RecordingError
        recordings left out
    """

    sides: dict
    features: dict
    config: FeatureConfig
    rule: str
    seed: int
    failures: list

    @property
    def digest(self):
        """Of everything that rows of one board must share."""
        shown = {side: [(i.utterance.path, i.window, i.alteration) for i in items]
                 for side, items in self.sides.items()}
        return hashlib.sha256(repr((shown, self.config, self.seed)).encode(
            "utf-8", "surrogateescape")).hexdigest()

    @property
    def shared_speakers(self):
        """What the board says of speakers on both sides."""
        return splits.shared_speakers([i.speaker for i in self.sides["train"]],
                                      [i.speaker for i in self.sides["test"]])


def make_plan(utterances, test=(), *, rule="speaker", valid=0.15, test_share=0.25, windows=1,
              seconds=2.0, augment=0.01, seed=42, cache="features", described=True, jobs=None,
              quiet=False):
    """Split recordings and compute what they sound like.

    Parameters
    ----------
    utterances : list of corpora.Utterance
    test : list of corpora.Utterance
        other recordings to test on; without them a share of `utterances` does
    rule : str
        of `splits.split`; ``random`` shares speakers and, with several windows, recordings
    valid, test_share : float
        shares that validate and, without `test`, test
    windows : int
        stretches of `seconds` heard of each recording, at most
    seconds : float
    augment : float
        share of the training recordings that get an altered copy
    seed : int
    cache : str or os.PathLike
        folder for the features
    described : bool
        compute features; without them only classifiers of whole recordings can be compared
    jobs, quiet
        as everywhere

    Returns
    -------
    Plan

    Raises
    ------
    UsageError
        if a side would lack one of the genders
    """
    config = FeatureConfig(seconds=seconds, windows=windows)
    if described:
        heard = _Heard(FeatureStore(Path(cache) / "features.sqlite", config), jobs, quiet)
    else:
        heard = _Unheard()
    items = heard.items(utterances)
    test_items = heard.items(test)
    if not test_items:
        rest, held = _split(items, rule, test_share, seed + 1)
        items, test_items = rest, held
    train, validating = _split(items, rule, valid, seed)
    train += heard.altered_copies(train, augment, seed)
    heard.close()
    sides = dict(zip(SIDES, (train, validating, test_items)))
    return Plan(sides, heard.features, config, rule, seed, heard.failures)


def compare(plan, names, out, options=Options(), *, command="", quiet=False):
    """Fit and measure classifiers, each in a folder of its own below `out`.

    Parameters
    ----------
    plan : Plan
    names : sequence of str
        classifiers; all that are registered where empty
    out : str or os.PathLike
    options : classifiers.Options
    command : str
        to stand beside the figures
    quiet : bool
        no progress bar

    Returns
    -------
    dict of str to str
        classifiers left out, and why
    """
    left_out = {}
    classes = {name: find(name) for name in names or all_classifiers()}
    for name, cls in progress(classes.items(), len(classes), desc="classifiers",
                              unit="classifier", quiet=quiet):
        folder = Path(out) / name
        own = dataclasses.replace(options, work=str(folder))
        try:
            if cls.inputs in WHOLE and plan.config.windows > 1:
                raise UsageError(f"{name}: found --windows {plan.config.windows}, expected 1, "
                                 "since it looks at whole recordings")
            _Measurement(plan, cls(own), folder, command).run()
        except UsageError as error:
            if names:
                raise
            left_out[name] = str(error)
    return left_out


class _Measurement:
    """One classifier, fitted and measured on a plan."""

    def __init__(self, plan, classifier, folder, command):
        self.plan, self.classifier = plan, classifier
        self.folder, self.command = folder, command
        self.model = folder / "model"

    def run(self):
        plan, classifier = self.plan, self.classifier
        examples = {side: self._examples(items) for side, items in plan.sides.items()}
        started = time.perf_counter()
        log_dir = Path("runs") / self.folder.parent.name / classifier.name
        history = classifier.fit(examples["train"], examples["valid"], seed=plan.seed,
                                 log_dir=log_dir)
        train_s = time.perf_counter() - started
        self.model.mkdir(parents=True, exist_ok=True)
        answers, calibration, test_loss, per_recording_s = {}, None, None, None
        for side in ("valid", "test", "train"):
            started = time.perf_counter()
            log_odds = classifier.log_odds(examples[side].inputs)
            took_s = time.perf_counter() - started
            if side == "valid":
                calibration = fit_calibration(log_odds, examples[side].is_female)
            if side == "test":
                test_loss = _log_loss(log_odds, examples[side].is_female)
                per_recording_s = took_s / len(log_odds)
            answers[side] = self._answers(side, log_odds, calibration)
        self._save(calibration, answers["valid"], history)
        self._write_mistakes(answers)
        self._write_row(answers["test"], history, train_s=train_s, test_loss=test_loss,
                        ms_per_recording=1000 * per_recording_s)

    def _examples(self, items):
        kind, features = self.classifier.inputs, self.plan.features
        if kind in WHOLE:
            items = [i for i in items if not i.alteration]
        if kind == "recording":
            inputs = [i.utterance for i in items]
        elif kind == "embedding":
            options = self.classifier.options
            inputs = embed_recordings(
                [i.utterance.path for i in items], [i.utterance.gender for i in items],
                self.classifier.encoder, options.embeddings, options=options.encoder,
                quiet=options.quiet)
        elif kind == "samples":
            inputs = [stretches(i.utterance.path, i.alteration, self.plan.config)[i.window]
                      for i in items]
        else:
            inputs = [features[item][kind] for item in items]
        return Examples(inputs, np.array([i.utterance.gender == "female" for i in items]),
                        [i.speaker for i in items])

    def _answers(self, side, log_odds, calibration):
        items = [i for i in self.plan.sides[side]
                 if not (i.alteration and self.classifier.inputs in WHOLE)]
        return [Answer(i.utterance.path, i.speaker, i.utterance.gender, i.utterance.corpus,
                       i.utterance.age, i.utterance.accent,
                       label_of(p, True, calibration.min_confidence), float(p))
                for i, p in zip(items, calibration.p_female(log_odds)) if not i.alteration]

    def _save(self, calibration, validation, history):
        names = self.classifier.save(self.model)
        if CONFIG in names:  # a model folder already
            return
        sides = {side: sorted({i.speaker for i in items})
                 for side, items in self.plan.sides.items()}
        training = {"split": self.plan.rule, "seed": self.plan.seed, "command": self.command,
                    "shared_speakers": self.plan.shared_speakers,
                    "speakers_trained_on": sides["train"],
                    "encoder": self.classifier.options.encoder}
        config = ClassifierConfig(self.classifier.name, dataclasses.asdict(self.plan.config),
                                  calibration, training, overall_figures(validation))
        files.write_sealed_json(self.model / CONFIG, config.to_dict(), names)
        if history:
            files.write_csv(self.model / HISTORY, list(history[0]), history)

    def _write_mistakes(self, answers):
        shutil.rmtree(self.folder / "mistakes", ignore_errors=True)  # those of an earlier run
        for side, own in answers.items():
            for answer in own:
                if answer.is_mistake:
                    copy_mistake(answer, answer.path, self.folder / "mistakes" / side)

    def _write_row(self, answers, history, **measured):
        losses = [row["valid_loss"] for row in history]
        by_corpus = defaultdict(list)
        for answer in answers:
            by_corpus[answer.corpus].append(answer)
        files.write_csv(self.folder / "predictions.csv", COLUMNS, map(dataclasses.asdict, answers))
        files.write_json(self.folder / ROW, {
            "classifier": self.classifier.name, "about": self.classifier.about,
            "plan": self.plan.digest, "command": self.command,
            "figures": overall_figures(answers),
            "uar": {corpus: overall_figures(part)["uar"] for corpus, part in by_corpus.items()},
            "epochs": len(history) or None,
            "best_valid_loss": min(losses) if losses else None,
            "stopped_early": bool(losses) and losses.index(min(losses)) < len(losses) - 1,
            "parameters": self.classifier.parameters,
            "size_bytes": sum(f.stat().st_size for f in self.model.rglob("*") if f.is_file()),
            "history": history, "importance": self.classifier.importance(), **measured})


class _Unheard:
    """Items of recordings without their features."""

    def __init__(self):
        self.features, self.failures = {}, []

    def items(self, utterances):
        return [Item(utterance) for utterance in utterances]

    def altered_copies(self, items, share, seed):
        return []

    def close(self):
        pass


class _Heard:
    """Items of recordings with their features; what cannot be read is left out."""

    def __init__(self, store, jobs, quiet):
        self._store, self._options = store, {"jobs": jobs, "quiet": quiet}
        self.features, self.failures = {}, []

    def items(self, utterances, alterations=None):
        """An item per stretch of each utterance."""
        alterations = alterations or [""] * len(utterances)
        keys = [(u.path, alteration) for u, alteration in zip(utterances, alterations)]
        items = []
        for u, alteration, found in zip(utterances, alterations,
                                        self._store.of(keys, **self._options)):
            if isinstance(found, RecordingError):
                self.failures.append(found)
                continue
            for window, features in enumerate(found):
                items.append(Item(u, window, alteration))
                self.features[items[-1]] = features
        return items

    def altered_copies(self, items, share, seed):
        """Altered copies of a share of the recordings, one at least if any is wanted."""
        utterances = list({item.utterance.path: item.utterance for item in items}.values())
        rng = np.random.default_rng(seed)
        count = min(len(utterances), int(np.ceil(share * len(utterances))))
        chosen = [utterances[i] for i in sorted(rng.permutation(len(utterances))[:count])]
        kinds = [ALTERATIONS[i % len(ALTERATIONS)] for i in range(count)]
        return self.items(chosen, kinds)

    def close(self):
        self._store.close()


def _split(items, rule, share, seed):
    sides = splits.split([i.speaker for i in items], [i.utterance.gender for i in items], rule,
                         share, seed)
    return tuple([items[i] for i in side] for side in sides)


def _log_loss(log_odds, is_female):
    signed = np.where(is_female, log_odds, -log_odds)
    return float(np.mean(np.logaddexp(0, -signed)))
