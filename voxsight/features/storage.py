"""Features of many recordings, each computed once and kept in the store."""

import dataclasses
import functools
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType

import numpy as np

from voxsight.base.parallel.workers import ordered_map
from voxsight.base.progress import progress
from voxsight.base.store import Store, file_key
from voxsight.errors import RecordingError
from voxsight.features import properties
from voxsight.features.acoustic import FeatureConfig, describe, stretches
from voxsight.sound import signal
from voxsight.sound.excerpts import RATE
from voxsight.sound.recording import Recording, undecodable

Features = list[dict[str, np.ndarray]]  # of each stretch of a recording


class FeatureStore:
    """Features of recordings, from the store if they were computed before.

    Parameters
    ----------
    folder : str or os.PathLike
        Folder of the store.
    config : FeatureConfig
    """

    def __init__(self, folder: str | os.PathLike, config: FeatureConfig) -> None:
        self._config, self._store = config, Store(folder)

    def of(self, items: Sequence[tuple[str, str]], *, jobs: int | None = None,
           quiet: bool = False) -> list[Features | RecordingError]:
        """Features of recordings.

        Parameters
        ----------
        items : sequence of (str, str)
            Path, and an alteration (one of `ALTERATIONS`) or an empty string.
        jobs : int, optional
            Worker processes (default: all cores).
        quiet : bool
            No progress bar.

        Returns
        -------
        list of (list of dict) or RecordingError
            For each stretch of a recording what `describe` returns and, if the config asks
            for them, ``properties``.
        """
        settings = dataclasses.astuple(self._config)
        keys = [file_key(path, "features", self._config.version, settings, alteration)
                for path, alteration in items]
        missing = {key: item for key, item in zip(keys, items) if key not in self._store}
        failures: dict[str, RecordingError] = {}
        results = ordered_map(functools.partial(_describer, self._config), list(missing.values()),
                              jobs, lambda item: undecodable(item[0]))
        for key, result in zip(missing, progress(results, len(missing), desc="features",
                                                 unit="recording", quiet=quiet or not missing)):
            if isinstance(result, RecordingError):
                failures[key] = result
            else:
                self._store.put(key, _flat(result))
        return [failures.get(key) or _by_stretch(self._store.get(key) or {}) for key in keys]

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def __enter__(self) -> "FeatureStore":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()


def _flat(features: Features) -> dict[str, np.ndarray]:
    return {f"{number}/{name}": values for number, stretch in enumerate(features)
            for name, values in stretch.items()}


def _by_stretch(arrays: Mapping[str, np.ndarray]) -> Features:
    features: dict[int, dict[str, np.ndarray]] = defaultdict(dict)
    for key, values in arrays.items():
        number, _, name = key.partition("/")
        features[int(number)][name] = values
    return [features[number] for number in sorted(features)]


def _describer(config: FeatureConfig) -> Callable:
    return functools.partial(_describe, config=config)


def _describe(item: tuple[str, str], *, config: FeatureConfig) -> Features | RecordingError:
    path, alteration = item
    try:
        recording = Recording(path)
        if not config.properties:
            return _described(recording.blocks(RATE), path, alteration, config)
        samples, rate = recording.read(remove_dc=False), recording.rate  # decoded once for both
        blocks = signal.resample([samples], rate, RATE) if rate != RATE else iter([samples])
        features = _described(signal.high_pass(blocks, RATE), path, alteration, config)
        values = dataclasses.astuple(properties.describe_properties(samples, rate))
        return [part | {"properties": np.array(values, np.float32)} for part in features]
    except RecordingError as error:
        return error


def _described(blocks: Iterable[np.ndarray], path: str, alteration: str,
               config: FeatureConfig) -> Features:
    """Features of the stretches of a recording; raises if they are digital silence."""
    parts = stretches(blocks, path, alteration, config)
    if not any(part.any() for part in parts):
        raise RecordingError(path, "found zeros only", "a voice",
                             "record it again or leave it out")
    return [describe(part, config) for part in parts]
