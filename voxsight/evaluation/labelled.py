"""Predictions for labelled recordings, the rows of ``predictions.csv``."""

import dataclasses
import functools
import itertools
import math
import os

from voxsight.base import files
from voxsight.base.texts import Row, table_rows
from voxsight.corpora.utterance import parse_gender
from voxsight.errors import UsageError
from voxsight.network.folder import CONFIG, ModelFolder

_NUMBERS = ("p_female", "duration_s", "f0_hz")  # columns that are empty or a number


@dataclasses.dataclass(frozen=True)
class LabelledPrediction:
    """The prediction for one labelled recording; a row of ``predictions.csv``.

    Attributes
    ----------
    path : str
        The recording.
    speaker : str
        With the corpus in front.
    gender : str
        The recording's label, ``female`` or ``male``.
    corpus, age, accent : str
        As the corpus states them; empty if it does not.
    label : str
        The predicted label, as in `Prediction`; empty after an error.
    p_female : float or None
        Calibrated probability; None if the recording is silent or after an error.
    duration_s : float or None
        Seconds.
    f0_hz : float or None
        Median fundamental frequency of what the model was given, Hz.
    error : str
        Why the recording could not be read, or that too much of it is missing.
    missing : str
        What could not be heard, in words.
    model : str
        `model_digest` of the model that answered.
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
    missing: str = ""
    model: str = ""

    @property
    def wrongness(self) -> float:
        """Probability of the label that the recording does not have; needs a probability."""
        assert self.p_female is not None
        return 1 - self.p_female if self.gender == "female" else self.p_female

    @property
    def is_mistake(self) -> bool:
        """Whether the more probable label is not the recording's."""
        return self.p_female is not None and (self.p_female >= 0.5) != (self.gender == "female")


COLUMNS = tuple(field.name for field in dataclasses.fields(LabelledPrediction))
_ADDED = {"missing", "model"}  # columns that older files lack


@functools.lru_cache(maxsize=8)
def model_digest(folder: ModelFolder) -> str:
    """Digest of a model, which says whose answers are stored; another one after training again.

    Parameters
    ----------
    folder : ModelFolder

    Returns
    -------
    str
        Of its config, which has the checksums of its weights; followed by ``+ENCODER`` if the
        model was opened with one.
    """
    digest = files.sha256(folder.path / CONFIG)[:files.DIGEST_CHARACTERS]
    return f"{digest}+{folder.encoder}" if folder.encoder else digest


def stored_predictions(path: str | os.PathLike,
                       model: ModelFolder | None = None) -> list[LabelledPrediction] | None:
    """Predictions of an earlier run, from its ``predictions.csv``.

    Parameters
    ----------
    path : str or os.PathLike
        A CSV file.
    model : ModelFolder, optional
        Whose predictions they must be. Older files do not say whose they are.

    Returns
    -------
    list of LabelledPrediction or None
        None if the file is another CSV, such as that of a corpus.

    Raises
    ------
    UsageError
        If it is no table, a row has no label or a number that is none, or another model
        answered.
    """
    rows = table_rows(path)
    first = next(rows, None)
    if first is None or not set(COLUMNS) - _ADDED <= set(first.cells):
        return None
    stored = [_of_row(row, f"{path}, line {row.line}") for row in itertools.chain([first], rows)]
    if model and any(p.model not in ("", model_digest(model)) for p in stored):
        raise UsageError(f"{path}: found answers of another model, expected those of {model.name}; "
                         "name that model, or evaluate the recordings again")
    return stored


def _of_row(row: Row, place: str) -> LabelledPrediction:
    """The prediction in a row, which somebody may have edited."""
    values: dict = {name: row.cells.get(name, "") for name in COLUMNS}
    values["gender"] = parse_gender(values["gender"], place)
    for name in _NUMBERS:
        text = values[name]
        try:
            values[name] = float(text) if text else None
        except ValueError:
            values[name] = math.nan
        if text and not 0 <= values[name] <= (1 if name == "p_female" else math.inf):
            raise UsageError(f"{place}: found {name} {text!r}, expected a number as evaluate "
                             "writes it, or nothing; correct it or evaluate again")
    return LabelledPrediction(**values)
