"""A model's answers for labelled recordings, and figures for all of them and for groups."""

import dataclasses
import functools
import os
import re
import shutil
from collections import defaultdict
from pathlib import Path

import numpy as np

from voxsight import files, mfc
from voxsight.attribution import Explainer
from voxsight.audio import undecodable
from voxsight.checkpoint import load_config
from voxsight.corpora import read_corpus
from voxsight.datasets import read_dataset, split_pictures
from voxsight.deployment import draw_heat_map
from voxsight.errors import UsageError
from voxsight.evaluation import figures
from voxsight.models import check_shows_pictures, open_model
from voxsight.parallel import ordered_map, progress
from voxsight.pitch import median_f0
from voxsight.prediction import BATCH, PictureModel, Prediction, WindowAnswer

AGE_BANDS = ((18, "under 18"), (30, "18 to 29"), (45, "30 to 44"), (60, "45 to 59"),
             (120, "60 and over"))
PITCH_BANDS_HZ = ((130, "under 130 Hz"), (165, "130 to 165 Hz"), (200, "165 to 200 Hz"),
                  (1e9, "200 Hz and over"))
HIGH_FOR_MEN_HZ, LOW_FOR_WOMEN_HZ = 180, 160
DURATION_BANDS_S = ((0.5, "under 0.5 s"), (1, "0.5 to 1 s"), (2, "1 to 2 s"), (5, "2 to 5 s"),
                    (1e9, "5 s and over"))
UNKNOWN = "not stated"


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a model said of one labelled recording; a row of ``predictions.csv``.

    ``speaker`` carries its corpus in front. ``f0_hz`` is the median fundamental frequency
    of what was heard. A recording that could not be read has an ``error`` and no
    ``p_female``.
    """

    path: str
    speaker: str
    gender: str
    corpus: str = ""
    age: str = ""
    accent: str = ""
    label: str = ""
    p_female: float | None = None
    duration_s: float | None = None
    f0_hz: float | None = None
    error: str = ""

    @property
    def wrongness(self):
        """Probability that the answer gave to the other label."""
        return 1 - self.p_female if self.gender == "female" else self.p_female

    @property
    def is_mistake(self):
        """Whether the likelier label is not the recording's."""
        return self.p_female is not None and (self.p_female >= 0.5) != (self.gender == "female")


COLUMNS = tuple(field.name for field in dataclasses.fields(Answer))


def assess(model, data, *, kind="csv", subset=None, split=None, valid=0.2, seed=42,
           mistakes=None, jobs=None, quiet=False):
    """Answers for whatever labelled data is named.

    Parameters
    ----------
    model : str or os.PathLike
        model folder
    data : str or os.PathLike
        a CSV or folder of recordings, a folder of pictures, or stored answers
    kind, subset : str
        as for `corpora.read_corpus`, where `data` holds recordings
    split, valid, seed
        as for `splits.split`; only the validation side of a folder of pictures
    mistakes, jobs, quiet
        as for `assess_recordings`

    Returns
    -------
    answers : list of Answer
    config : checkpoint.ModelConfig
        of the model
    base : Path
        folder that the paths of the answers are best told from

    Raises
    ------
    UsageError
        if model or data are missing or not what they should be
    """
    data, config = Path(data), load_config(model)
    if data.is_file() and data.suffix == ".csv" and (stored := stored_answers(data)):
        return stored, config, data.parent
    if data.is_dir() and kind == "csv":
        check_shows_pictures(config, model)
        pictures, _ = read_dataset(data)
        if split:
            _, side = split_pictures(pictures, split, valid, seed)
            pictures = [pictures[i] for i in side]
        answers = assess_pictures(pictures, PictureModel(model), mistakes=mistakes, quiet=quiet)
        return answers, config, data.parent
    utterances = read_corpus(data, kind, subset=subset)
    answers = assess_recordings(utterances, model, mistakes=mistakes, jobs=jobs, quiet=quiet)
    return answers, config, data if data.is_dir() else data.parent


def stored_answers(path):
    """Answers in the ``predictions.csv`` of an earlier run; None where it is no such file."""
    rows = files.read_csv(path)
    if not rows or not set(COLUMNS) <= set(rows[0]):
        return None
    numbers = ("p_female", "duration_s", "f0_hz")
    return [Answer(**{name: row[name] for name in COLUMNS if name not in numbers},
                   **{name: float(row[name]) if row[name] else None for name in numbers})
            for row in rows]


def check_groups(names):
    """The names themselves, if they are keys of `GROUPS`.

    Raises
    ------
    UsageError
    """
    unknown = [name for name in names if name not in GROUPS]
    if unknown:
        raise UsageError(f"--by {unknown[0]}: expected some of {', '.join(GROUPS)}")
    return names


def assess_recordings(utterances, model, *, mistakes=None, jobs=None, quiet=False):
    """Answers for the recordings of a corpus.

    Parameters
    ----------
    utterances : list of corpora.Utterance
    model : str or os.PathLike
        model folder
    mistakes : str or os.PathLike, optional
        folder that gets a copy of each recording answered wrongly, below its label, and
        beside it its heat map
    jobs : int, optional
        processes; the cores available by default
    quiet : bool
        no progress bar

    Returns
    -------
    list of Answer
    """
    make = functools.partial(_assessor, str(model), mistakes)
    results = ordered_map(make, utterances, jobs, lost_answer)
    return list(progress(results, len(utterances), desc="recordings", unit="recording",
                         quiet=quiet))


def assess_pictures(pictures, classifier, *, mistakes=None, quiet=False):
    """Answers for the recordings that a dataset's pictures show.

    Parameters
    ----------
    pictures : list of datasets.Picture
    classifier : prediction.PictureModel
    mistakes : str or os.PathLike, optional
        folder that gets the pictures of recordings answered wrongly
    quiet : bool
        no progress bar

    Returns
    -------
    list of Answer
    """
    shown = defaultdict(list)
    size = classifier.config.architecture.size
    batches = [pictures[i: i + BATCH] for i in range(0, len(pictures), BATCH)]
    for batch in progress(batches, len(batches), desc="pictures", unit="batch", quiet=quiet):
        logits, _ = classifier.run(np.stack([mfc.decode(p.path, size) for p in batch]))
        for picture, logit in zip(batch, logits):
            shown[picture.source].append((picture, float(logit[0] - logit[1])))
    return [_answer_of_pictures(source, parts, classifier, mistakes)
            for source, parts in shown.items()]


def _answer_of_pictures(source, parts, classifier, mistakes):
    """Answer for one recording from its pictures and their log-odds."""
    picture, config = parts[0][0], classifier.config
    p_female = float(config.calibration.p_female(np.mean([log_odds for _, log_odds in parts])))
    answer = Answer(source, picture.speaker, picture.gender, picture.corpus,
                    label=classifier.label(p_female), p_female=p_female)
    if mistakes and answer.is_mistake:
        copy = copy_mistake(answer, source if os.path.isfile(source) else picture.path, mistakes)
        windows = [WindowAnswer(p.start_s, p.start_s + config.recipe.window_s, (), log_odds,
                                mfc.decode(p.path, config.architecture.size), None)
                   for p, log_odds in parts]
        draw_heat_map(f"{copy}.png", Prediction(source, answer.label, p_female), windows,
                      Explainer(classifier))
    return answer


def overall_figures(answers, **options):
    """Figures of answers, as `evaluation.figures` gives them; unread recordings left out."""
    answers = [a for a in answers if a.p_female is not None]
    return figures(np.array([a.gender == "female" for a in answers], bool),
                   np.array([a.p_female for a in answers], float),
                   [a.speaker for a in answers],
                   answered=[a.label in ("female", "male") for a in answers], **options)


def group_figures(answers, by):
    """Figures of groups of recordings.

    Parameters
    ----------
    answers : list of Answer
    by : iterable of str
        keys of `GROUPS`

    Returns
    -------
    list of dict
        ``group, value, n, n_speakers`` and, each with ``_low`` and ``_high``, ``accuracy,
        uar, coverage, accuracy_answered``
    """
    rows = []
    answers = [a for a in answers if a.p_female is not None]
    for group in by:
        members = defaultdict(list)
        for answer in answers:
            members[GROUPS[group](answer)].append(answer)
        for value in sorted(members, key=_band_order):
            found = overall_figures(members[value])
            row = {"group": group, "value": value, "n": found["n"],
                   "n_speakers": found["n_speakers"]}
            for name in ("accuracy", "uar", "coverage", "accuracy_answered"):
                row |= {name: found[name]["value"], f"{name}_low": found[name]["low"],
                        f"{name}_high": found[name]["high"]}
            rows.append(row)
    return rows


def leak_report(answers, config):
    """How many of the speakers assessed a model was trained on, in words."""
    trained = config.training.get("speakers_trained_on")
    speakers = {answer.speaker for answer in answers}
    if trained is None:
        return "the model does not say which speakers it was trained on"
    shared = len(speakers & set(trained))
    report = f"speakers shared with training {shared} of {len(speakers)}"
    return report + ("" if not shared else ": does not tell how the model does on new voices")


def band(value, bands):
    """Name of the band that a number lies in; `bands` are (upper limit, name)."""
    if value in (None, ""):
        return UNKNOWN
    return next(name for limit, name in bands if float(value) < limit)


def _unusual_pitch(answer):
    if answer.f0_hz is None:
        return UNKNOWN
    if answer.gender == "male" and answer.f0_hz > HIGH_FOR_MEN_HZ:
        return f"men above {HIGH_FOR_MEN_HZ} Hz"
    if answer.gender == "female" and answer.f0_hz < LOW_FOR_WOMEN_HZ:
        return f"women below {LOW_FOR_WOMEN_HZ} Hz"
    return "everyone else"


def _band_order(value):
    """Sort key: bands from low to high, everything else by name."""
    names = [name for bands in (AGE_BANDS, PITCH_BANDS_HZ, DURATION_BANDS_S) for _, name in bands]
    before, _, last = value.rpartition(", ")
    return before, names.index(last) if last in names else len(names), last


GROUPS = {
    "corpus": lambda a: a.corpus or UNKNOWN,
    "sex": lambda a: a.gender,
    "age": lambda a: band(a.age, AGE_BANDS),
    "accent": lambda a: a.accent or UNKNOWN,
    "pitch": lambda a: band(a.f0_hz, PITCH_BANDS_HZ),
    "pitch by sex": lambda a: f"{a.gender}, {band(a.f0_hz, PITCH_BANDS_HZ)}",
    "unusual pitch": lambda a: _unusual_pitch(a),
    "duration": lambda a: band(a.duration_s, DURATION_BANDS_S),
    "speaker": lambda a: a.speaker,
}


def mistake_name(answer):
    """Path of a mistake's copy below the folder of mistakes, without its ending."""
    words = f"{answer.speaker}_{Path(answer.path).stem}"
    return f"{answer.gender}/" + files.fitting_name(re.sub(r"[^\w.-]+", "_", words))


def _assessor(model, mistakes):
    return functools.partial(_assess, classifier=open_model(model), mistakes=mistakes)


def _assess(utterance, *, classifier, mistakes):
    answer, prediction, windows = assess_recording(utterance, classifier)
    if mistakes and answer.is_mistake:
        copy = copy_mistake(answer, answer.path, mistakes)
        if windows:
            draw_heat_map(f"{copy}.png", prediction, windows, Explainer(classifier))
    return answer


def assess_recording(utterance, classifier, path=None):
    """Answer for one labelled recording.

    Parameters
    ----------
    utterance : corpora.Utterance
    classifier : prediction.PictureModel
    path : str or os.PathLike, optional
        what to listen to instead of the utterance's own recording

    Returns
    -------
    answer : Answer
    prediction : prediction.Prediction
    windows : list of prediction.WindowAnswer
    """
    windows = []
    prediction = classifier.answer(path or utterance.path, keep=windows)
    rate = classifier.config.recipe.sample_rate if windows else None
    pitches = [f0 for window in windows if (f0 := median_f0(window.samples, rate))]
    f0_hz = float(np.median(pitches)) if pitches else None
    return _labelled(utterance, prediction, f0_hz), prediction, windows


def lost_answer(utterance):
    """Answer for a recording on which a process died."""
    reason = undecodable(utterance.path).reason
    return _labelled(utterance, Prediction(utterance.path, error=reason))


def _labelled(utterance, prediction, f0_hz=None):
    return Answer(
        path=os.fspath(utterance.path), speaker=utterance.voice,
        gender=utterance.gender, corpus=utterance.corpus, age=utterance.age,
        accent=utterance.accent, label=prediction.label, p_female=prediction.p_female,
        duration_s=prediction.duration_s, error=prediction.error, f0_hz=f0_hz)


def copy_mistake(answer, path, folder):
    """Copy a recording or picture into the folder of mistakes; the name without ending."""
    copy = Path(folder) / mistake_name(answer)
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, f"{copy}{Path(path).suffix}")
    return copy
