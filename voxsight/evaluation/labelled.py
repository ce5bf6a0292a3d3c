"""Predictions for labelled recordings, the rows of ``predictions.csv``."""

import dataclasses
import os

from voxsight.base import files

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
        Why the recording could not be read.
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
    def wrongness(self) -> float:
        """Probability of the label that the recording does not have; needs a probability."""
        assert self.p_female is not None
        return 1 - self.p_female if self.gender == "female" else self.p_female

    @property
    def is_mistake(self) -> bool:
        """Whether the more probable label is not the recording's."""
        return self.p_female is not None and (self.p_female >= 0.5) != (self.gender == "female")


COLUMNS = tuple(field.name for field in dataclasses.fields(LabelledPrediction))


def stored_predictions(path: str | os.PathLike) -> list[LabelledPrediction] | None:
    """Predictions of an earlier run, from its ``predictions.csv``.

    Parameters
    ----------
    path : str or os.PathLike
        A CSV file.

    Returns
    -------
    list of LabelledPrediction or None
        None if the file is another CSV, such as that of a corpus.
    """
    rows = files.read_csv(path)
    if not rows or not set(COLUMNS) <= set(rows[0]):
        return None
    return [_of_row(row) for row in rows]


def _of_row(row: dict[str, str]) -> LabelledPrediction:
    values: dict = {name: row[name] for name in COLUMNS}
    for name in _NUMBERS:
        values[name] = float(row[name]) if row[name] else None
    return LabelledPrediction(**values)
