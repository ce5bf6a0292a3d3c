"""The recordings of a benchmark: labelled, described independently of every model."""

import dataclasses
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from voxsight.base import files
from voxsight.base.names import distinct_names
from voxsight.base.parallel.workers import ordered_map
from voxsight.base.progress import progress
from voxsight.base.store import Store, file_key
from voxsight.base.texts import note, readable
from voxsight.corpora.reading import read_sources
from voxsight.corpora.utterance import Utterance
from voxsight.errors import RecordingError, UsageError
from voxsight.evaluation.labelled import LabelledPrediction
from voxsight.sound.pitch import median_f0
from voxsight.sound.recording import Recording, undecodable

PITCH_RATE, PITCH_S = 16_000, 20.0  # Hz; seconds from the start that pitch is taken from
_VERSION = 1  # of what is stored


@dataclasses.dataclass(frozen=True)
class Description:
    """What is known of a recording before any model hears it.

    Attributes
    ----------
    sha256 : str
        Of the file; empty if it could not be read.
    duration_s, f0_hz : float or None
        Seconds; median fundamental frequency, Hz.
    error : str
        Why it could not be decoded.
    """

    sha256: str = ""
    duration_s: float | None = None
    f0_hz: float | None = None
    error: str = ""


class Material:
    """The recordings that every model of a benchmark is given.

    Recordings that cannot be decoded are left out for every model.

    Parameters
    ----------
    corpora : dict of str to list of Utterance
        By the names of the corpora.
    descriptions : dict of str to Description
        By path.

    Attributes
    ----------
    utterances : list of Utterance
        Those that can be decoded.
    unreadable : dict of str to str
        Why others cannot, by path.
    corpora : dict
        For each corpus ``n``, ``n_speakers``, ``female``, ``male``, ``unreadable`` and
        ``sha256``, which is the same wherever the recordings lie.

    Raises
    ------
    UsageError
        If no recording can be decoded.
    """

    def __init__(self, corpora: dict[str, list[Utterance]],
                 descriptions: dict[str, Description]) -> None:
        self._descriptions = descriptions
        self.unreadable = {path: found.error for path, found in descriptions.items()
                           if found.error}
        self._corpus_of = [(utterance, name) for name, members in corpora.items()
                           for utterance in members if utterance.path not in self.unreadable]
        self.utterances = [utterance for utterance, _ in self._corpus_of]
        if not self.utterances:
            raise UsageError("--corpora: found no recording that can be decoded, expected some; "
                             "check their paths")
        self.corpora = {name: self._summary(members) for name, members in corpora.items()}

    @property
    def key(self) -> str:
        """Digest of all corpora: models with another cannot be set side by side."""
        return _digest(self.corpora)

    def completed(self, answers: Sequence[LabelledPrediction]) -> list[LabelledPrediction]:
        """Answers to the utterances with corpus, duration and pitch as all models get them.

        Parameters
        ----------
        answers : list of LabelledPrediction
            In the order of `utterances`.

        Returns
        -------
        list of LabelledPrediction
        """
        return [dataclasses.replace(answer, corpus=name,
                                    duration_s=self._descriptions[utterance.path].duration_s,
                                    f0_hz=self._descriptions[utterance.path].f0_hz)
                for answer, (utterance, name) in zip(answers, self._corpus_of, strict=True)]

    def _summary(self, members: Sequence[Utterance]) -> dict[str, Any]:
        readable = [u for u in members if u.path not in self.unreadable]
        labels = Counter(utterance.gender for utterance in readable)
        content = sorted((self._descriptions[u.path].sha256, u.speaker, u.gender)
                         for u in readable)
        return {"n": len(readable), "n_speakers": len({u.voice for u in readable}),
                "female": labels["female"], "male": labels["male"],
                "unreadable": len(members) - len(readable), "sha256": _digest(content)}


def read_material(sources: Sequence[str], store: Store, *, jobs: int | None = None,
                  quiet: bool = False) -> Material:
    """The recordings of some corpora, described.

    Parameters
    ----------
    sources : sequence of str
        As for `read_sources`. Corpora of one name in different sources are told apart by the
        names of the files.
    store : Store
        Keeps descriptions.
    jobs : int, optional
        Worker processes (default: all cores).
    quiet : bool
        No progress bar.

    Returns
    -------
    Material

    Raises
    ------
    UsageError
        If a source cannot be read, sources share a speaker or a recording, or no recording can be
        decoded.
    """
    corpora = _read_corpora(sources)
    paths = list(dict.fromkeys(u.path for members in corpora.values() for u in members))
    described = _described(paths, store, jobs, quiet)
    copies = Counter(found.sha256 for found in described.values() if found.sha256)
    if repeated := sum(count - 1 for count in copies.values()):
        note(f"--corpora: {repeated} recordings are copies of others, byte for byte; each counts")
    return Material(corpora, described)


def _read_corpora(sources: Sequence[str]) -> dict[str, list[Utterance]]:
    """Utterances by the name of their corpus."""
    by_source = {source: read_sources([source]) for source in dict.fromkeys(sources)}
    _check_apart(by_source)
    read = [(source, name, members) for source, utterances in by_source.items()
            for name, members in _by_corpus(utterances).items()]
    names = distinct_names([(name, f"{name}/{Path(source).stem}") for source, name, _ in read])
    return {name: members for name, (_, _, members) in zip(names, read)}


def _check_apart(by_source: Mapping[str, Sequence[Utterance]]) -> None:
    """Raise UsageError if sources share a recording, or speakers known by the same name."""
    found_in: dict[str, str] = {}
    for source, utterances in by_source.items():
        names = {os.path.realpath(u.path) for u in utterances} | {u.voice for u in utterances}
        for name in sorted(names):
            if (other := found_in.setdefault(name, source)) != source:
                raise UsageError(f"--corpora: found {readable(name)} in {other} and in {source}, "
                                 "expected corpora that share no recording and no speaker; leave "
                                 "one out, or tell speakers apart by the column corpus")


def _by_corpus(utterances: Sequence[Utterance]) -> dict[str, list[Utterance]]:
    result: dict[str, list[Utterance]] = {}
    for utterance in utterances:
        result.setdefault(utterance.corpus, []).append(utterance)
    return result


def _described(paths: Sequence[str], store: Store, jobs: int | None,
               quiet: bool) -> dict[str, Description]:
    keys = {path: file_key(path, "benchmark recording", _VERSION, PITCH_S) for path in paths}
    missing = [path for path in paths if keys[path] not in store]
    results = ordered_map(_describer, missing, jobs, _lost)
    for path, found in zip(missing, progress(results, len(missing), desc="descriptions",
                                             unit="recording", quiet=quiet)):
        put_json(store, keys[path], dataclasses.asdict(found))
    return {path: Description(**get_json(store, keys[path])) for path in paths}


def put_json(store: Store, key: str, value: Any) -> None:
    """Keep a value that JSON can hold."""
    store.put(key, {"json": np.frombuffer(json.dumps(value).encode(), np.uint8)})


def get_json(store: Store, key: str) -> Any:
    """What `put_json` kept; None if there is nothing."""
    arrays = store.get(key)
    return None if arrays is None else json.loads(arrays["json"].tobytes())


def _describer() -> Callable[[str], Description]:
    return _describe


def _describe(path: str) -> Description:
    try:
        recording = Recording(path)
        samples = recording.read(PITCH_RATE)
        return Description(files.sha256(path), recording.duration_s,
                           median_f0(samples[: int(PITCH_S * PITCH_RATE)], PITCH_RATE))
    except RecordingError as error:
        return Description(error=error.reason)


def _lost(path: str) -> Description:
    """Of a recording on which a worker process died."""
    return Description(error=undecodable(path).reason)


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
