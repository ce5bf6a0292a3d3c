"""Who trains, validates and tests in a comparison, and the features of their recordings."""

import contextlib
import dataclasses
import hashlib
import os
from collections.abc import Iterable, Sequence

import numpy as np

from voxsight.base.store import file_state
from voxsight.corpora import splits
from voxsight.corpora.splits import check_labels
from voxsight.corpora.utterance import Utterance
from voxsight.errors import RecordingError, UsageError
from voxsight.features.acoustic import ALTERATIONS, FeatureConfig
from voxsight.features.storage import FeatureStore

SIDES = ("train", "valid", "test")


@dataclasses.dataclass(frozen=True)
class Item:
    """One example: a stretch of a recording, as it is or altered.

    Attributes
    ----------
    utterance : Utterance
    window : int
        Which stretch of the recording, from 0.
    alteration : str
        One of `ALTERATIONS`, or empty.
    """

    utterance: Utterance
    window: int = 0
    alteration: str = ""

    @property
    def speaker(self) -> str:
        """The speaker with the corpus in front; see `Utterance.voice`."""
        return self.utterance.voice

    @property
    def is_female(self) -> bool:
        """Whether the recording is labelled female."""
        return self.utterance.gender == "female"


@dataclasses.dataclass(frozen=True)
class Plan:
    """Who trains, validates and tests, and the features of their recordings.

    Attributes
    ----------
    sides : dict of str to list of Item
        By `SIDES`. Altered copies train only.
    features : dict of Item to dict
        As `acoustic.describe` returns them.
    config : FeatureConfig
    rule : str
        Of the split.
    seed : int
    failures : list of RecordingError
        One for each recording that could not be read.
    """

    sides: dict[str, list[Item]]
    features: dict[Item, dict[str, np.ndarray]]
    config: FeatureConfig
    rule: str
    seed: int
    failures: list[RecordingError]

    @property
    def digest(self) -> str:
        """Digest of everything that the rows of one board must share."""
        items = {side: [(os.path.abspath(i.utterance.path), file_state(i.utterance.path), i.speaker,
                         i.utterance.gender, i.window, i.alteration) for i in items]
                 for side, items in self.sides.items()}
        return hashlib.sha256(repr((items, self.config, self.seed)).encode(
            "utf-8", "surrogateescape")).hexdigest()


def make_plan(utterances: Sequence[Utterance], test: Sequence[Utterance] = (), *,
              rule: str = "speaker", valid: float = 0.15, test_share: float = 0.25,
              windows: int = 1, seconds: float = 2.0, augment: float = 0.01, seed: int = 42,
              cache: str | os.PathLike | None = "features", jobs: int | None = None,
              quiet: bool = False) -> Plan:
    """Split recordings and compute their features.

    Parameters
    ----------
    utterances : list of Utterance
    test : list of Utterance
        Other recordings to test on (default: a fraction of `utterances`).
    rule : str
        Of `splits.split`. ``random`` shares speakers and, with several windows, recordings.
    valid, test_share : float
        Fractions that validate and, without `test`, test.
    windows : int
        Most stretches of each recording.
    seconds : float
        Length of a stretch.
    augment : float
        Fraction of the training recordings that get an altered copy.
    seed : int
        Of the splits and the choice of copies.
    cache : str or os.PathLike, optional
        Folder of the store of features. With None no features are computed, and only classifiers
        of whole recordings can be compared.
    jobs : int, optional
        Worker processes (default: all cores).
    quiet : bool
        No progress bar.

    Returns
    -------
    Plan

    Raises
    ------
    UsageError
        If a side would lack one of the genders.
    """
    config = FeatureConfig(seconds=seconds, windows=windows)
    opened: contextlib.AbstractContextManager[FeatureStore | None] = (
        contextlib.nullcontext() if cache is None else FeatureStore(cache, config))
    with opened as store:
        collector = _Collector(store, jobs, quiet)
        items, testing = collector.items(utterances), collector.items(test)
        if not items or (test and not testing):  # not one of them could be read
            raise UsageError("; ".join(map(str, collector.failures[:1])) + ", so are the others")
        check_labels([i.speaker for i in items], [i.utterance.gender for i in items])
        if not testing:
            items, testing = _split(items, rule, test_share, seed + 1)
        training, validating = _split(items, rule, valid, seed)
        training += collector.altered_copies(training, augment, seed)
    sides = dict(zip(SIDES, (training, validating, testing)))
    return Plan(sides, collector.features, config, rule, seed, collector.failures)


class _Collector:
    """Makes items of recordings and, with a store, their features.

    Attributes
    ----------
    features : dict of Item to dict
    failures : list of RecordingError
        One for each recording that could not be read.
    """

    def __init__(self, store: FeatureStore | None, jobs: int | None, quiet: bool) -> None:
        self._store, self._jobs, self._quiet = store, jobs, quiet
        self.features: dict[Item, dict[str, np.ndarray]] = {}
        self.failures: list[RecordingError] = []

    def items(self, utterances: Sequence[Utterance],
              alterations: Sequence[str] = ()) -> list[Item]:
        """An item for each stretch of each utterance; without a store, one for each utterance."""
        if self._store is None:
            return [Item(utterance) for utterance in utterances]
        alterations = alterations or [""] * len(utterances)
        keys = [(u.path, alteration) for u, alteration in zip(utterances, alterations)]
        results = self._store.of(keys, jobs=self._jobs, quiet=self._quiet)
        items = []
        for utterance, alteration, result in zip(utterances, alterations, results):
            if isinstance(result, RecordingError):
                self.failures.append(result)
                continue
            for window, features in enumerate(result):
                item = Item(utterance, window, alteration)
                items.append(item)
                self.features[item] = features
        return items

    def altered_copies(self, items: Iterable[Item], fraction: float, seed: int) -> list[Item]:
        """Altered copies of a fraction of the recordings, at least one if any is wanted."""
        if self._store is None:
            return []
        utterances = list({item.utterance.path: item.utterance for item in items}.values())
        rng = np.random.default_rng(seed)
        count = min(len(utterances), int(np.ceil(fraction * len(utterances))))
        chosen = [utterances[i] for i in sorted(rng.permutation(len(utterances))[:count])]
        return self.items(chosen, [ALTERATIONS[i % len(ALTERATIONS)] for i in range(count)])


def _split(items: Sequence[Item], rule: str, fraction: float,
           seed: int) -> tuple[list[Item], list[Item]]:
    rest, chosen = splits.split([item.speaker for item in items],
                                [item.utterance.gender for item in items], rule, fraction, seed)
    return [items[i] for i in rest], [items[i] for i in chosen]
