"""Any corpus as a list of utterances; no recording is opened.

A layout is a module of this folder with the text `LAYOUT`, which describes it, and two
functions: ``check(source)`` raises UsageError if `source` does not have the layout, and
``read(source, subset)`` returns its utterances.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from voxsight.corpora import LABELLED_KINDS, audiomnist, folder, librispeech, table, unlabelled
from voxsight.corpora.selection import first_speakers, spread_per_speaker
from voxsight.corpora.utterance import Utterance
from voxsight.errors import UsageError


class Layout(Protocol):
    """What a module of a layout has."""

    LAYOUT: str

    def check(self, source: Path) -> None:
        """Raise UsageError unless `source` has this layout."""

    def read(self, source: Path, subset: str | None) -> list[Utterance]:
        """Utterances of a corpus, sorted by path."""


LAYOUTS: dict[str, Layout] = {"audiomnist": audiomnist, "librispeech": librispeech, "csv": table,
                              "folder": folder, "unlabelled": unlabelled}


def read_corpus(source: str | os.PathLike, kind: str, *, subset: str | None = None,
                speakers: int | None = None, per_speaker: int | None = None) -> list[Utterance]:
    """Utterances of a corpus, sorted, optionally fewer of them.

    Parameters
    ----------
    source : str or os.PathLike
        Folder or CSV file.
    kind : {"audiomnist", "librispeech", "csv", "folder", "unlabelled"}
        Its layout; the last is a CSV whose gender, if it has any, is not read.
    subset : str, optional
        LibriSpeech subset, such as ``dev-clean``; for a CSV, a value of ``corpus``.
    speakers, per_speaker : int, optional
        Keep the first so many speakers (females and males in turn), and of each speaker so
        many recordings, spread evenly over all of them.

    Returns
    -------
    list of Utterance

    Raises
    ------
    UsageError
        If the corpus is missing, empty, or not laid out as its kind says.
    """
    source, layout = Path(source), LAYOUTS[kind]
    if not source.exists():
        raise UsageError(f"{source}: found nothing there, expected a {kind} corpus; check the "
                         "path, or fetch a public corpus first")
    layout.check(source)
    utterances = layout.read(source, subset)
    if not utterances:
        what = f"subset {subset} of a" if subset else "a"
        labelled = "labelled " if kind in LABELLED_KINDS else ""
        raise UsageError(f"{source}: found no {labelled}recording, expected {what} {kind} "
                         f"corpus ({layout.LAYOUT}); check the path or --corpus")
    if speakers:
        utterances = first_speakers(utterances, speakers)
    if per_speaker:
        utterances = spread_per_speaker(utterances, per_speaker)
    return utterances


def read_sources(sources: Sequence[str], *, per_speaker: int | None = None) -> list[Utterance]:
    """Utterances of several corpora; voices have the names that `read_corpus` gives them.

    Parameters
    ----------
    sources : sequence of str
        Each ``KIND:PATH`` or ``KIND:PATH:SUBSET``, or the path of a CSV alone.
    per_speaker : int, optional
        As for `read_corpus`.

    Returns
    -------
    list of Utterance

    Raises
    ------
    UsageError
        If a source is not written like this, or cannot be read.
    """
    utterances = []
    for source in sources:
        kind, path, subset = _parts(source)
        utterances += read_corpus(path, kind, subset=subset or None, per_speaker=per_speaker)
    return utterances


def _parts(source: str) -> tuple[str, str, str]:
    """Kind, path and subset of a source."""
    kind, _, place = source.partition(":")
    if kind in LABELLED_KINDS and place and not os.path.isfile(source):
        return kind, *_path_and_subset(place)
    path, subset = _path_and_subset(source)
    if not os.path.isfile(path):
        raise UsageError(f"{source}: found no such file, expected a CSV, or KIND:PATH or "
                         f"KIND:PATH:SUBSET with KIND one of {', '.join(LABELLED_KINDS)}")
    return "csv", path, subset


def _path_and_subset(place: str) -> tuple[str, str]:
    """Splits at the last colon before which there is a file or folder: paths may have colons."""
    ends = [len(place), *(i for i, letter in enumerate(place) if letter == ":")]
    end = max((end for end in ends if os.path.exists(place[:end])), default=len(place))
    return place[:end], place[end + 1:]
