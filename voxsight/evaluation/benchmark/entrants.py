"""The models of a benchmark: model folders, and command lines that answer with a CSV.

A command is run without a shell. ``{list}`` in it becomes the path of a UTF-8 text file with one
recording a line, and ``{paths}``, as a word of its own, the recordings themselves. A command with
neither reads the recordings from its standard input, one a line. It writes a table to its standard
output, whose first line names the columns ``path`` and ``label`` or ``p_female`` or both. It may
end with exit code 0, or with 1 if it could not answer some of the recordings.
"""

import dataclasses
import functools
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from voxsight import __version__
from voxsight.answer.opening import Model, open_model
from voxsight.answer.prediction import NO_SPEECH, UNCERTAIN
from voxsight.base import files
from voxsight.base.names import as_one_word, distinct_names
from voxsight.base.parallel.workers import ordered_map
from voxsight.base.texts import Row, read_text, readable, table_rows
from voxsight.corpora.utterance import LABELS, Utterance
from voxsight.errors import UsageError, VoxsightError
from voxsight.evaluation.assessment import assess_recording, lost_prediction
from voxsight.evaluation.grouping import leak_report
from voxsight.evaluation.labelled import LabelledPrediction
from voxsight.network.folder import CONFIG, ModelFolder

PREFIX = "command:"
ANSWERS = (*LABELS, UNCERTAIN, NO_SPEECH, "")
LIST, PATHS = "{list}", "{paths}"
MOST_OUTPUT = 2**26  # bytes; a command that writes more is stopped
MOST_ARGUMENTS = 2**16  # characters of all paths of one call; systems allow twice as much or more
NO_ANSWER = "the model gave no answer"
_NAMED = re.compile(r"([^/\\:={}]+)=(.+)", re.DOTALL)


class Failed(VoxsightError):
    """A model that could not be run, or whose answers make no sense; others can go on."""


class Entrant(Protocol):
    """A model of a benchmark.

    Attributes
    ----------
    name : str
        Names its files; no two models share it.
    source : str
        As the user named it.
    settings : dict
        What its answers depend on beside the recordings.
    """

    name: str
    source: str
    settings: dict[str, Any]

    def answers(self, utterances: Sequence[Utterance]) -> Iterator[LabelledPrediction]:
        """Answers in the order of the utterances.

        Raises
        ------
        Failed
            If the model cannot answer at all.
        """

    def training(self, answers: Sequence[LabelledPrediction]) -> str:
        """Which of the speakers it was trained on, in words."""


class FolderModel:
    """A model folder, or ``FOLDER+ENCODER``.

    Parameters
    ----------
    source : str
        As `ModelFolder` takes it.
    name : str
        Of its files.
    jobs : int, optional
        Worker processes (default: all cores).

    Raises
    ------
    UsageError
        If the folder holds no whole model.
    """

    def __init__(self, source: str, name: str, jobs: int | None = None) -> None:
        self.source, self.name, self._jobs = source, name, jobs
        self._folder = ModelFolder(source)
        self._folder.check_files()
        self.settings = {"kind": "folder", "encoder": self._folder.encoder,
                         "config_sha256": files.sha256(self._folder.path / CONFIG),
                         "voxsight": __version__}

    def answers(self, utterances: Sequence[Utterance]) -> Iterator[LabelledPrediction]:
        """Answers in the order of the utterances."""
        return ordered_map(functools.partial(_opened, self._folder), utterances, self._jobs,
                           lost_prediction)

    def training(self, answers: Sequence[LabelledPrediction]) -> str:
        """Which of the speakers it was trained on, in words."""
        return leak_report(answers, self._folder.config)


class CommandModel:
    """A command line that is given recordings and prints a CSV.

    Parameters
    ----------
    command : str
        As the head of this module says.
    name : str
        Of its files.
    batch : int
        Recordings given to it at once.

    Raises
    ------
    UsageError
        If there is no such program.
    """

    def __init__(self, command: str, name: str, batch: int) -> None:
        self.source, self.name, self._batch = PREFIX + command, name, batch
        self._words = _words(command)
        if not self._words or shutil.which(self._words[0]) is None:
            raise UsageError(f"{self.source}: found no program to run, expected {PREFIX} and a "
                             f"command line, such as '{PREFIX}python rule.py {LIST}'; check its "
                             "name")
        named = {word: files.sha256(word) for word in self._words[1:] if os.path.isfile(word)}
        self.settings = {"kind": "command", "words": self._words, "files_sha256": named}

    def answers(self, utterances: Sequence[Utterance]) -> Iterator[LabelledPrediction]:
        """Answers in the order of the utterances."""
        for batch in self._batches(utterances):
            rows = self._rows([_place(utterance) for utterance in batch])
            for utterance in batch:
                yield _answer(utterance, rows.get(_place(utterance)))

    def training(self, answers: Sequence[LabelledPrediction]) -> str:
        """Which of the speakers it was trained on, in words."""
        return "a command does not say which speakers it was trained on"

    def _batches(self, utterances: Sequence[Utterance]) -> Iterator[list[Utterance]]:
        batch: list[Utterance] = []
        room = MOST_ARGUMENTS
        for utterance in utterances:
            size = len(os.fsencode(_place(utterance))) + 1
            if batch and (len(batch) == self._batch or (PATHS in self._words and size > room)):
                yield batch
                batch, room = [], MOST_ARGUMENTS
            batch.append(utterance)
            room -= size
        if batch:
            yield batch

    def _rows(self, paths: Sequence[str]) -> dict[str, tuple[str, float | None]]:
        """Label and probability by path, from one call."""
        with tempfile.TemporaryDirectory(prefix="voxsight-") as folder:
            output = self._run(paths, Path(folder))
            try:
                return self._parsed(output, set(paths))
            except UsageError as error:
                raise Failed(f"{self.name}: {str(error).replace(str(output), 'its output')}"
                             ) from error

    def _run(self, paths: Sequence[str], folder: Path) -> Path:
        """The file that the command wrote its output to."""
        recordings, output, errors = (folder / name for name in ("list", "output", "errors"))
        # A name with a line break cannot stand on a line; its recording gets no answer.
        lines = (path for path in paths if not set(path) & {"\n", "\r"})
        recordings.write_bytes(b"".join(os.fsencode(path) + b"\n" for path in lines))
        words: list[str] = []
        for word in self._words:
            words += paths if word == PATHS else [word.replace(LIST, str(recordings))]
        with open(recordings, "rb") as given, open(output, "wb") as out, open(errors, "wb") as err:
            try:
                process = subprocess.Popen(words, stdin=given, stdout=subprocess.PIPE, stderr=err)
            except OSError as error:
                raise Failed(f"{self.name}: found '{error.strerror}', expected to run "
                             f"{self._words[0]}; check the command") from error
            code = self._copied(process, out)
        if code not in (0, 1) or (code == 1 and not output.stat().st_size):
            raise Failed(f"{self.name}: found exit code {code}{_last_line(errors)}, expected 0, or "
                         "1 and some answers; run the command by itself")
        return output

    def _copied(self, process: subprocess.Popen, out: Any) -> int:
        """Exit code of a process whose output is copied to a file, up to a limit."""
        assert process.stdout is not None
        written = 0
        try:
            while block := process.stdout.read1(2**16):  # type: ignore[attr-defined]
                written += len(block)
                if written > MOST_OUTPUT:
                    raise Failed(f"{self.name}: found more than {MOST_OUTPUT >> 20} MB of output, "
                                 "expected a row for each recording; run the command by itself")
                out.write(block)
            return process.wait()
        finally:
            process.kill()  # nothing if it has ended
            process.wait()
            process.stdout.close()

    def _parsed(self, output: Path, asked: set[str]) -> dict[str, tuple[str, float | None]]:
        rows: dict[str, tuple[str, float | None]] = {}
        _check_columns(output)
        for row in table_rows(output):
            place, path = f"{output}, line {row.line}", row.cells["path"]
            if path not in asked:
                raise UsageError(f"{place}: found {readable(path)!r}, expected the path of a "
                                 "recording exactly as it was given")
            if path in rows:
                raise UsageError(f"{place}: found a second row for {readable(path)}, expected one")
            rows[path] = _cells(row, place)
        return rows


def read_entrants(models: Sequence[str], *, jobs: int | None = None,
                  batch: int = 500) -> list[Entrant]:
    """The models of a benchmark.

    Parameters
    ----------
    models : sequence of str
        Each a model folder, ``FOLDER+ENCODER``, or ``command:`` and a command line; after
        ``NAME=`` if the files shall have another name.
    jobs : int, optional
        Worker processes of each model folder (default: all cores).
    batch : int
        Recordings given to a command at once.

    Returns
    -------
    list of Entrant

    Raises
    ------
    UsageError
        If one is missing, or two are given the same name.
    """
    given = [_given(model) for model in models]
    own = [name for name, _ in given if name]
    if repeated := sorted({name for name in own if own.count(name) > 1}):
        raise UsageError(f"{repeated[0]}=: found {own.count(repeated[0])} models of this name, "
                         "expected one; give another another name")
    names = distinct_names([[name] * 3 if name else _names(source) for name, source in given])
    return [CommandModel(source.removeprefix(PREFIX), name, batch)
            if source.startswith(PREFIX) else FolderModel(source, name, jobs)
            for name, (_, source) in zip(names, given)]


def _given(model: str) -> tuple[str, str]:
    """The name that a user chose, or an empty text, and the model."""
    match = _NAMED.fullmatch(model)
    if match and not os.path.isdir(model):
        return match[1], match[2]
    return "", model


def _names(source: str) -> list[str]:
    """Names of a model, the best first."""
    if source.startswith(PREFIX):
        words = [Path(word).name for word in _words(source.removeprefix(PREFIX))
                 if word not in (LIST, PATHS)]
        return [as_one_word("_".join(words)).replace("/", "_")] * 3
    parts = [part for part in Path(os.path.abspath(source)).parts if part.strip(os.sep)]
    return ["_".join(parts[-count:]) for count in (1, 2, 3)]


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError as error:
        raise UsageError(f"{PREFIX}{command}: found {str(error).lower()}, expected a command line; "
                         "close what you opened") from error


def _opened(folder: ModelFolder) -> Callable[[Utterance], LabelledPrediction]:
    return functools.partial(_assessed, model=open_model(folder))


def _assessed(utterance: Utterance, *, model: Model) -> LabelledPrediction:
    return assess_recording(utterance, model)[0]


def _place(utterance: Utterance) -> str:
    """Under which a command gets a recording, wherever it runs."""
    return os.path.abspath(utterance.path)


def _answer(utterance: Utterance, row: tuple[str, float | None] | None) -> LabelledPrediction:
    answer = LabelledPrediction(os.fspath(utterance.path), utterance.voice, utterance.gender,
                                utterance.corpus, utterance.age, utterance.accent)
    if row is None or row == ("", None):
        return dataclasses.replace(answer, error=NO_ANSWER)
    return dataclasses.replace(answer, label=row[0], p_female=row[1])


def _check_columns(output: Path) -> None:
    """Raise UsageError unless the first line, perhaps the only one, names the columns."""
    first = next(iter(read_text(output).splitlines()), "")
    names = [name.strip(' "').lower() for name in re.split("[,;\t]", first)]
    if "path" not in names or not {"label", "p_female"} & set(names):
        found = f"the columns {', '.join(map(repr, names))[:200]}" if first else "no columns"
        raise UsageError(f"{output}: found {found} in the first line, expected path and label or "
                         "p_female; write all else to standard error")


def _cells(row: Row, place: str) -> tuple[str, float | None]:
    """Label and probability of a row."""
    label, number = (row.cells.get(name, "").strip() for name in ("label", "p_female"))
    if label not in ANSWERS:
        raise UsageError(f"{place}: found the label {readable(label)!r}, expected one of "
                         f"{', '.join(filter(None, ANSWERS))}, or nothing")
    try:
        p_female = float(number) if number else None
    except ValueError:
        p_female = -1.0
    if p_female is not None and not 0 <= p_female <= 1:
        raise UsageError(f"{place}: found p_female {readable(number)!r}, expected a number from 0 "
                         "to 1, or nothing")
    return label, p_female


def _last_line(errors: Path) -> str:
    """What a command said last, for a message."""
    lines = errors.read_text("utf-8", "replace").strip().splitlines()
    return f" ({lines[-1].strip()[:200]})" if lines else ""


def described(entrant: Entrant, answers: Sequence[LabelledPrediction]) -> Mapping[str, Any]:
    """What the results say of a model.

    Parameters
    ----------
    entrant : Entrant
    answers : list of LabelledPrediction

    Returns
    -------
    dict
    """
    return {"model": entrant.name, "source": entrant.source, "settings": entrant.settings,
            "speakers": entrant.training(answers)}
