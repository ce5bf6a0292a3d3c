"""Utterances: labelled recordings, the rows of every corpus."""

import dataclasses
import os

from voxsight.errors import UsageError

LABELS = ("female", "male")
UNLABELLED = "unlabelled"  # instead of a gender, if the corpus does not state one
_GENDER_OF = {"f": "female", "female": "female", "m": "male", "male": "male"}


@dataclasses.dataclass(frozen=True)
class Utterance:
    """One labelled recording.

    Attributes
    ----------
    path : str
        The sound file.
    speaker : str
        As the corpus names them.
    gender : {"female", "male", "unlabelled"}
        The label that the corpus states.
    corpus, age, accent, text, language : str
        As the corpus states them, or empty.
    """

    path: str
    speaker: str
    gender: str
    corpus: str = ""
    age: str = ""
    accent: str = ""
    text: str = ""
    language: str = ""

    @property
    def voice(self) -> str:
        """The corpus and the speaker, since several corpora number their speakers from 1."""
        return f"{self.corpus}:{self.speaker}"


def plausible_age(age: object) -> str:
    """Age as text, or empty if it cannot be one (AudioMNIST has ``1234`` and words).

    Parameters
    ----------
    age : object
        As the corpus states it.

    Returns
    -------
    str

    Examples
    --------
    >>> plausible_age("1234"), plausible_age("thirties"), plausible_age(30), plausible_age("30.0")
    ('', '', '30', '30')
    """
    text = str(age).strip().removesuffix(".0")  # which tables of numbers with gaps have
    return text if text.isdecimal() and 0 < int(text) < 120 else ""


def parse_gender(value: object, source: str | os.PathLike) -> str:
    """The label for what a corpus calls a gender.

    Parameters
    ----------
    value : object
        As the corpus states it, such as ``F`` or ``Male``.
    source : str or os.PathLike
        The file that states it, and where, for the message.

    Returns
    -------
    {"female", "male"}

    Raises
    ------
    UsageError
        If it is neither.

    Examples
    --------
    >>> parse_gender(" M", "speakers.csv")
    'male'
    """
    gender = _GENDER_OF.get(str(value).strip().lower())
    if gender is None:
        raise UsageError(f"{source}: found gender {value!r}, expected female or male; correct "
                         "the row or leave it out")
    return gender
