"""Answers for many recordings: rows, heat maps, pictures and timelines, in their order."""

import contextlib
import dataclasses
import functools
import json
import os
from collections import Counter
from pathlib import Path

from voxsight import files, mfc
from voxsight.attribution import SHIPPED, Explainer
from voxsight.audio import undecodable
from voxsight.checkpoint import CONFIG, find_model, load_config, located
from voxsight.cluster import connected
from voxsight.corpora import sound_files
from voxsight.errors import RecordingError
from voxsight.explanation import enlarge, scaled
from voxsight.models import check_shows_pictures, open_model
from voxsight.parallel import ordered_map, progress
from voxsight.prediction import COLUMNS, Prediction
from voxsight.timeline import timeline

MAX_WINDOWS = 8  # of a recording in its heat map
FEW = 8  # recordings answered sooner than more processes would be started


@dataclasses.dataclass(frozen=True)
class Outputs:
    """Folders, or URLs of such, to write to besides the rows; None is not written."""

    heatmaps: str | os.PathLike | None = None
    pictures: str | os.PathLike | None = None
    timelines: str | os.PathLike | None = None

    def located(self):
        """The same for a process that runs in another folder."""
        return Outputs(*[place and files.absolute(place) for place in dataclasses.astuple(self)])

    @property
    def wanted(self):
        """Whether anything but rows is written."""
        return any(dataclasses.astuple(self))


@dataclasses.dataclass(frozen=True)
class Input:
    """One row to come: a recording, as given, and the name of the files that belong to it."""

    path: str
    name: str
    error: str = ""

    def located(self):
        """The same for a process that runs in another folder."""
        return dataclasses.replace(self, path=os.path.abspath(self.path))


def find_inputs(paths):
    """Recordings among files and folders, in the order given.

    Parameters
    ----------
    paths : list of str
        files are taken as they are; folders are walked in sorted order

    Returns
    -------
    list of Input
        a folder without recordings is one, with an error
    """
    found = []
    for path in paths:
        if not os.path.isdir(path):
            found.append((path, ""))
            continue
        inside = sound_files(path)
        base = path.rstrip("/") or "/"
        found += [(f"{base}/{os.path.relpath(file, path)}", "") for file in inside]
        if not inside:
            nothing = RecordingError(path, "found a folder without sound files",
                                     "recordings in it", "name another folder")
            found.append((path, nothing.reason))
    names = _distinct_names([path for path, _ in found])
    return [Input(path, name, error) for (path, error), name in zip(found, names)]


def deploy(paths, model, *, outputs=Outputs(), csv=None, min_confidence=None, jobs=None,
           dask=None, shard=None, quiet=False):
    """Classify recordings.

    Parameters
    ----------
    paths : list of str
        files and folders
    model : str or os.PathLike
        model folder
    outputs : Outputs
    csv : str or os.PathLike, optional
        file for the rows; an interrupted run is taken up from ``FILE.partial``
    min_confidence : float, optional
    jobs : int, optional
        processes; the cores available by default
    dask : str, optional
        address of a Dask cluster whose workers answer, and write the outputs
    shard : shards.Shard, optional
        answer for its share of the recordings only, with rows where `shards.merge` finds them
    quiet : bool
        no progress bar

    Yields
    ------
    Prediction
        one per recording, in order

    Raises
    ------
    UsageError
        if the model is missing, or another run writes to `csv`
    """
    config = load_config(model)  # a missing model is said before anything is written
    if outputs.wanted:
        check_shows_pictures(config, model)
    inputs = find_inputs(paths)
    if shard:
        inputs, csv = shard.share_of(inputs), csv and shard.place(csv)
    settings = [files.sha256(find_model(model) / CONFIG), min_confidence,
                dataclasses.asdict(outputs)]
    with files.only_writer(csv) if csv else contextlib.nullcontext():
        journal = _Journal(csv, settings)
        done = journal.take_up([item.path for item in inputs])
        yield from done
        todo = inputs[len(done):]
        answers = _answers(todo, model, min_confidence, outputs, jobs, dask)
        for prediction in progress(answers, len(todo), desc="recordings", unit="recording",
                                   quiet=quiet or len(todo) < FEW):
            journal.add(prediction)
            yield prediction
        journal.finish()


def _answers(todo, model, min_confidence, outputs, jobs, dask):
    if not dask:
        few = len(todo) < FEW
        make = functools.partial(_answerer, str(model), min_confidence, outputs, alone=few)
        yield from ordered_map(make, todo, 1 if few else jobs, _lost)
        return
    make = functools.partial(_answerer, located(model), min_confidence, outputs.located(),
                             alone=False)
    with connected(dask, make, _lost) as cluster:
        answers = cluster.map([item.located() for item in todo])
        for item, answer in zip(todo, answers):
            yield dataclasses.replace(answer, path=item.path)


def _lost(item):
    return Prediction(item.path, error=undecodable(item.path).reason)


def _answerer(model, min_confidence, outputs, alone):
    classifier = open_model(model, min_confidence=min_confidence, alone=alone)
    return functools.partial(_answer, classifier=classifier, outputs=outputs)


def _answer(item, *, classifier, outputs):
    if item.error:
        return Prediction(item.path, error=item.error)
    if not outputs.wanted:
        return classifier.answer(item.path)
    kept = _Kept(outputs, item.name, classifier.config.recipe)
    prediction = classifier.answer(item.path, keep=kept)
    if kept.all and outputs.timelines:
        _write_timeline(outputs.timelines, item.name, timeline(kept.all, classifier))
    if kept.first and outputs.heatmaps:
        path = files.location(outputs.heatmaps) / f"{item.name}.png"
        draw_heat_map(path, prediction, kept.first, Explainer(classifier), len(kept.all))
    return prediction


class KeptWindows:
    """What is needed of the windows of a recording, which may be hours long.

    Attributes
    ----------
    first : list of WindowAnswer
        those that a heat map shows
    all : list of WindowAnswer
        without pictures and samples
    """

    def __init__(self):
        self.first, self.all = [], []

    def append(self, window):
        """Keep a window."""
        if len(self.first) < MAX_WINDOWS:
            self.first.append(window)
        self.all.append(dataclasses.replace(window, picture=None, samples=None))


class _Kept(KeptWindows):
    def __init__(self, outputs, name, recipe):
        super().__init__()
        self.outputs, self.name, self.recipe = outputs, name, recipe

    def append(self, window):
        if self.outputs.pictures:
            path = files.location(self.outputs.pictures) / f"{self.name}_{len(self.all)}.jpg"
            files.write_bytes(path, mfc.encode(window.picture, self.recipe))
        super().append(window)


def draw_heat_map(path, prediction, windows, explainer, n_windows=None, method=SHIPPED):
    """Heat map of a recording for the likelier label, as PNG.

    Parameters
    ----------
    path : str or os.PathLike
    prediction : Prediction
    windows : list of WindowAnswer
        the first eight are drawn
    explainer : attribution.Explainer
        of the model that gave them
    n_windows : int, optional
        how many windows the recording has, where not all are given
    method : attribution.Method

    Returns
    -------
    np.ndarray [shape=(n, height, width)] or None
        what was drawn, in [0, 1]; None of digital silence
    """
    import numpy as np

    from voxsight.display import save_heat_map

    p_female = prediction.p_female
    if p_female is None:  # digital silence: there is nothing to look at
        return None
    likelier = "female" if p_female >= 0.5 else "male"
    drawn, total = windows[:MAX_WINDOWS], n_windows or len(windows)
    size = drawn[0].picture.shape[:2]
    pictures = np.stack([window.picture for window in drawn])
    heat = scaled(enlarge(explainer.maps(pictures, [likelier] * len(drawn), method), size))
    name = Path(prediction.path).name
    name = name if len(name) <= 60 else f"{name[:28]}...{name[-28:]}"
    title = (f"{name}: {prediction.label}, "
             f"p(female) = {p_female:.2f}, evidence for {likelier}")
    if total > len(drawn):
        title += f"\nfirst {len(drawn)} of {total} windows"
    save_heat_map(path, drawn, heat, explainer.model.config.recipe, title)
    return heat


def _write_timeline(folder, name, segments):
    folder = files.location(folder)
    files.write_csv(folder / f"{name}.csv", ("start_s", "end_s", "label", "p_female"), segments)
    channel = name.replace(" ", "_")  # RTTM separates its fields by spaces
    lines = [f"SPEAKER {channel} 1 {s['start_s']:.3f} {s['end_s'] - s['start_s']:.3f} <NA> <NA> "
             f"{s['label']} <NA> <NA>\n" for s in segments]
    files.write_bytes(folder / f"{name}.rttm", "".join(lines).encode("utf-8", "surrogateescape"))


def _distinct_names(paths):
    """A file name for each path: its stem, or where stems repeat, the whole path."""
    stems = [Path(path).stem for path in paths]
    times = Counter(stems)
    return [files.fitting_name(stem if times[stem] == 1 else path.strip("/.").replace("/", "_"))
            for path, stem in zip(paths, stems)]


class _Journal:
    """Rows of a run so far, so that a killed one can be taken up again."""

    def __init__(self, path, settings):
        self._path = path
        self._head = json.dumps(settings, default=os.fspath) + "\n"
        self._file = None

    def take_up(self, paths):
        """Predictions of an interrupted run that stand at the head of this one."""
        if self._path is None:
            return []
        partial = files.partial_of(self._path)
        partial.parent.mkdir(parents=True, exist_ok=True)
        done = []
        if partial.is_file():
            head, *lines = partial.read_text(encoding="utf-8").splitlines(keepends=True) or [""]
            rows = [json.loads(line) for line in lines if line.endswith("\n")]
            if head == self._head and [row["path"] for row in rows] == paths[: len(rows)]:
                done = [Prediction(**row) for row in rows]
        self._file = open(partial, "w", encoding="utf-8")
        self._file.write(self._head)
        for prediction in done:
            self.add(prediction)
        return done

    def add(self, prediction):
        if self._file is not None:
            self._file.write(json.dumps(dataclasses.asdict(prediction)) + "\n")
            self._file.flush()

    def finish(self):
        if self._file is not None:
            self._file.close()
            with open(self._file.name, encoding="utf-8") as file:
                next(file)
                files.write_csv(self._path, COLUMNS, (
                    Prediction(**json.loads(line)).to_row() for line in file))
            os.unlink(self._file.name)
