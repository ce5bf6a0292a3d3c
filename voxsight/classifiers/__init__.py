"""The classifiers of the field behind one interface; each family is a module of its own.

A module registers what it holds with `register`; putting a file here is all that it takes
to add a family. Heavy packages are imported by the methods that need them.
"""

import abc
import dataclasses
import importlib
import pkgutil

import numpy as np

from voxsight.errors import UsageError


@dataclasses.dataclass(frozen=True)
class Options:
    """What a comparison lets its user choose of some classifiers.

    Attributes
    ----------
    weights : str
        what the picture network starts from, as ``train_model.py --weights``
    hf : str
        name or folder of a Hugging Face audio-classification model
    hf_fine_tune : bool
        train it on this split, not only use it
    encoder : dict
        ``source`` or ``layer`` of the encoder of embeddings, see `embeddings.find_encoder`
    embeddings : str
        folder where embeddings are kept
    augment : float
        share of training recordings that get an altered copy
    seconds : float
        heard of each recording
    work : str
        folder for what a fit may keep, such as pictures
    jobs : int, optional
    quiet : bool
    """

    weights: str = "none"
    hf: str = ""
    hf_fine_tune: bool = False
    encoder: dict = dataclasses.field(default_factory=dict)
    embeddings: str = "embeddings"
    augment: float = 0.0
    seconds: float = 2.0
    work: str = "."
    jobs: int | None = None
    quiet: bool = True


@dataclasses.dataclass(frozen=True)
class Examples:
    """Labelled inputs of one side of a split.

    Attributes
    ----------
    inputs : sequence [shape=(n,)]
        of the kind that the classifier's ``inputs`` names
    is_female : np.ndarray of bool [shape=(n,)]
    speakers : list of str [shape=(n,)]
    """

    inputs: object
    is_female: np.ndarray
    speakers: list


class Classifier(abc.ABC):
    """Tells the labels apart.

    Attributes
    ----------
    name : str
        key under which it is registered
    inputs : str
        what it looks at: a key of `features.describe`; ``samples`` of the first seconds;
        ``embedding`` of the speech by the encoder that it names; or ``recording`` (an
        `corpora.Utterance`)
    about : str
        one line for tables
    parameters : int or None
        numbers learnt, once fitted
    """

    name = about = encoder = ""
    inputs = "mfcc_statistics"
    parameters = None

    def __init__(self, options=Options()):
        self.options = options

    @abc.abstractmethod
    def fit(self, train, valid, *, seed=42, log_dir=None):
        """Learn from examples.

        Parameters
        ----------
        train, valid : Examples
            `valid` may decide when to stop
        seed : int
        log_dir : path, optional
            for TensorBoard

        Returns
        -------
        list of dict
            a row per epoch, ``epoch, train_loss, valid_loss`` and more; empty where there
            are no epochs
        """

    @abc.abstractmethod
    def predict_proba(self, inputs):
        """Probabilities of the labels.

        Returns
        -------
        np.ndarray [shape=(n, 2)]
            columns in the order of `checkpoint.LABELS`
        """

    @abc.abstractmethod
    def save(self, folder):
        """Write what was learnt into a folder; the names of the files written."""

    @classmethod
    @abc.abstractmethod
    def load(cls, folder, options=Options()):
        """A classifier as it was saved."""

    def log_odds(self, inputs):
        """Log-odds of female, shape (n,), from the probabilities."""
        p = np.clip(self.predict_proba(inputs), 1e-9, 1.0)
        return np.log(p[:, 0] / p[:, 1])

    def importance(self):
        """How much each input counts, by name; None where that is not defined."""
        return None


_REGISTERED: dict[str, type] = {}


def register(classifier):
    """Make a class known by its name; a decorator."""
    _REGISTERED[classifier.name] = classifier
    return classifier


def all_classifiers():
    """Every classifier class by name, in alphabetical order of the modules."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return dict(_REGISTERED)


def find(name):
    """Class of a classifier.

    Raises
    ------
    UsageError
        if there is none of that name
    """
    known = all_classifiers()
    if name not in known:
        raise UsageError(f"classifier {name}: expected one of {', '.join(known)}")
    return known[name]


def probabilities(p_female):
    """Both columns from the first, shape (n, 2)."""
    p_female = np.asarray(p_female, float)
    return np.stack([p_female, 1 - p_female], axis=1)


def balanced_weights(is_female):
    """Weight of each example such that both labels weigh the same, mean 1."""
    share = np.mean(is_female)
    return np.where(is_female, 0.5 / share, 0.5 / (1 - share))
