"""Classifiers behind one interface; each family is a module of its own.

To add a classifier:

1. Put one file into this folder, with a class that inherits from `Classifier`.
2. Register the class with the decorator `register`. `all_classifiers` then finds it, and
   ``compare_classifiers.py`` fits it beside the others.
3. Add its name to ``ON_FEATURES`` in ``test_classifiers.py``, so that it is tested to answer the
   same after it was saved and loaded.

Modules are imported to list the classifiers. They import heavy packages, such as torch and
scikit-learn, in the methods that need them.
"""

import abc
import dataclasses
import importlib
import os
import pkgutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from voxsight.encoders import pinned_options
from voxsight.errors import UsageError


@dataclasses.dataclass(frozen=True)
class Options:
    """Settings of single classifiers that the user of a comparison can choose.

    Attributes
    ----------
    weights : str
        What the picture network starts from, as ``train_model.py --weights``.
    hf : str
        Name, NAME@REVISION or folder of a Hugging Face audio-classification model.
    hf_fine_tune : bool
        Train this model on the split, instead of using it as it is.
    encoder : dict
        ``source`` or ``layer`` of the encoder of embeddings, see `encoders.find_encoder`.
    embeddings : str
        Folder of the store of embeddings.
    augment : float
        Fraction of the training recordings that get an altered copy.
    seconds : float
        How much speech of each recording is used, from its start.
    work : str
        Folder for what a fit writes, such as pictures.
    plan : str
        Digest of who trains and validates, with which labels; what a fit writes for one plan
        is never used for another.
    jobs : int or None
        Worker processes (None: all cores).
    quiet : bool
        No progress bars.
    """

    weights: str = "none"
    hf: str = ""
    hf_fine_tune: bool = False
    encoder: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    embeddings: str = "embeddings"
    augment: float = 0.0
    seconds: float = 2.0
    work: str = "."
    plan: str = ""
    jobs: int | None = None
    quiet: bool = True


@dataclasses.dataclass(frozen=True)
class Examples:
    """Labelled inputs of one side of a split.

    Attributes
    ----------
    inputs : sequence [shape=(n,)]
        Of the kind that `Classifier.inputs` names.
    is_female : np.ndarray [shape=(n,), bool]
    speakers : list of str [shape=(n,)]
    """

    inputs: Sequence[Any]
    is_female: np.ndarray
    speakers: list[str]


class Classifier(abc.ABC):
    """A classifier of voices.

    Parameters
    ----------
    options : Options

    Attributes
    ----------
    name : str
        Key under which it is registered.
    inputs : str
        What it is given of a recording: a key of `acoustic.describe`; ``samples`` of the first
        seconds of speech; ``embedding`` of the speech by its `encoder`; or ``recording`` (an
        `Utterance`).
    encoder : str
        Key of `ENCODERS` if its inputs are embeddings, else empty.
    about : str
        One line for tables.
    """

    name: ClassVar[str] = ""
    about: ClassVar[str] = ""
    encoder: ClassVar[str] = ""
    inputs: ClassVar[str] = "mfcc_statistics"

    def __init__(self, options: Options = Options()) -> None:
        self.options = options

    @property
    def parameters(self) -> int | None:
        """How many numbers were learnt; None where that is not defined."""
        return None

    @property
    def origin(self) -> str:
        """Where weights that were not learnt here come from, such as ``NAME@COMMIT``."""
        return pinned_options(self.encoder, self.options.encoder).get("source", "")

    @abc.abstractmethod
    def fit(self, train: Examples, valid: Examples, *, seed: int = 42,
            log_dir: str | os.PathLike | None = None) -> list[dict[str, Any]]:
        """Learn from examples.

        Parameters
        ----------
        train : Examples
        valid : Examples
            They may decide when to stop.
        seed : int
        log_dir : str or os.PathLike, optional
            Folder for TensorBoard's events.

        Returns
        -------
        list of dict
            A row per epoch, with ``epoch, train_loss, valid_loss`` and more; empty if there are
            no epochs.
        """

    @abc.abstractmethod
    def predict_proba(self, inputs: Sequence[Any]) -> np.ndarray:
        """Probabilities of the labels.

        Parameters
        ----------
        inputs : sequence [shape=(n,)]
            As in `Examples`.

        Returns
        -------
        np.ndarray [shape=(n, 2)]
            Columns in the order of `LABELS`.
        """

    @abc.abstractmethod
    def save(self, folder: Path) -> list[str]:
        """Write what was learnt into a folder.

        Parameters
        ----------
        folder : Path

        Returns
        -------
        list of str
            Names of the files written.
        """

    @classmethod
    @abc.abstractmethod
    def load(cls, folder: Path, options: Options = Options()) -> Self:
        """A classifier as it was saved.

        Parameters
        ----------
        folder : Path
        options : Options

        Returns
        -------
        Classifier
        """

    def log_odds(self, inputs: Sequence[Any]) -> np.ndarray:
        """Log-odds of female, from the probabilities.

        Parameters
        ----------
        inputs : sequence [shape=(n,)]
            As in `Examples`.

        Returns
        -------
        np.ndarray [shape=(n,)]
        """
        p = np.clip(self.predict_proba(inputs), 1e-9, 1.0)
        return np.log(p[:, 0] / p[:, 1])

    def speakers_of(self, examples: Examples) -> list[str]:
        """Speakers of those training examples that `fit` has really used."""
        return examples.speakers

    def importance(self) -> dict[str, float] | None:
        """How important each input is, by name; None where that is not defined."""
        return None


_REGISTERED: dict[str, type[Classifier]] = {}
_ClassifierType = TypeVar("_ClassifierType", bound=type[Classifier])


def register(classifier: _ClassifierType) -> _ClassifierType:
    """Decorator of a class that makes it known under its name.

    Parameters
    ----------
    classifier : type

    Returns
    -------
    type
        The same class.
    """
    _REGISTERED[classifier.name] = classifier
    return classifier


def all_classifiers() -> dict[str, type[Classifier]]:
    """Every classifier class by name, in alphabetical order of the modules.

    The picture network is among them once `evaluation.comparison.picture_classifier` is
    imported.
    """
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return dict(_REGISTERED)


def find(name: str) -> type[Classifier]:
    """Class of a classifier.

    Parameters
    ----------
    name : str
        Under which it is registered.

    Returns
    -------
    type

    Raises
    ------
    UsageError
        If there is none of that name.

    Examples
    --------
    >>> find("majority").about
    'the more frequent label, for every recording'
    """
    known = all_classifiers()
    if name not in known:
        raise UsageError(f"classifier {name}: expected one of {', '.join(known)}")
    return known[name]


def probabilities(p_female: ArrayLike) -> np.ndarray:
    """Probabilities of both labels from that of the first, shape (n, 2).

    Examples
    --------
    >>> probabilities([0.75, 0.5]).tolist()
    [[0.75, 0.25], [0.5, 0.5]]
    """
    p_female = np.asarray(p_female, float)
    return np.stack([p_female, 1 - p_female], axis=1)


def balanced_weights(is_female: ArrayLike) -> np.ndarray:
    """Weight of each example, such that both labels count the same; their mean is 1.

    Examples
    --------
    >>> balanced_weights([True, False, False, False]).round(3).tolist()
    [2.0, 0.667, 0.667, 0.667]
    """
    females = np.mean(np.asarray(is_female))
    return np.where(is_female, 0.5 / females, 0.5 / (1 - females))
