"""Splits into training and validation, and which speakers both sides share."""

import functools
import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from voxsight.base.store import file_state
from voxsight.corpora.utterance import LABELS
from voxsight.errors import UsageError

FOLDS = 5  # unless the rule says how many
FINGERPRINT, FINGERPRINT_BYTES = 10, 1 << 16  # characters; bytes of a recording that it is of
# The speakers for training, validation and test in the four folds of the AudioMNIST paper
# (Becker et al., 2018), which has 12 female speakers and as many of the males.
PAPER_FOLDS = tuple(tuple(part.split() for part in fold) for fold in (
    ("36 47 56 26 12 57 2 44 50 25 37 45", "43 28 52 48 53 41", "58 59 60 7 23 38"),
    ("26 12 57 43 28 52 25 37 45 48 53 41", "58 59 60 7 23 38", "36 47 56 2 44 50"),
    ("43 28 52 58 59 60 48 53 41 7 23 38", "36 47 56 2 44 50", "26 12 57 25 37 45"),
    ("58 59 60 36 47 56 7 23 38 2 44 50", "26 12 57 25 37 45", "43 28 52 48 53 41"),
))
RULES = "speaker, random, chapter, fold:K, fold:K/N or paper:K"


def split(speakers: Sequence[str], genders: Sequence[str], rule: str = "speaker",
          valid_fraction: float = 0.2, seed: int = 42,
          chapters: Sequence[str | None] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Divide items into training and validation.

    Parameters
    ----------
    speakers, genders : sequence of str [shape=(n,)]
        One per item.
    rule : str
        ``speaker``: no speaker is on both sides, and both genders are on each. ``random``:
        items at random, so that speakers are on both sides. ``chapter``: no chapter is on both
        sides, but speakers are. ``fold:K`` or ``fold:K/N``: the speakers of fold K, counted from
        0, of N (default: 5) validate. ``paper:K``: the training and validation speakers of a
        fold of the AudioMNIST paper; ``paper:K/test``: its test speakers validate. Speakers that
        the paper does not use there are on neither side.
    valid_fraction : float
        Fraction of the speakers (or items, or chapters) that validate; folds do not use it.
    seed : int
        Of the random choice.
    chapters : sequence of str [shape=(n,)], optional
        Chapter of each item, for ``chapter``.

    Returns
    -------
    train, valid : np.ndarray of int
        Indices, ascending.

    Raises
    ------
    UsageError
        If the rule is unknown, or a side would lack one of the genders.

    Examples
    --------
    >>> train, valid = split(["a", "a", "b", "c", "d"], ["female"] * 3 + ["male"] * 2, "fold:0/2")
    >>> train.tolist(), valid.tolist()
    ([0, 1, 4], [2, 3])
    """
    if not 0 < valid_fraction < 1:
        raise UsageError(f"--valid {valid_fraction}: expected a fraction between 0 and 1, such "
                         "as 0.2")
    rng = np.random.default_rng(seed)
    unused = np.zeros(len(speakers), bool)
    if rule == "random":
        validates = _random_items(len(speakers), valid_fraction, rng)
    elif rule == "speaker":
        validates = np.isin(speakers, _draw_names(speakers, genders, valid_fraction, rng))
    elif rule == "chapter":
        names = _known_chapters(chapters)
        validates = np.isin(names, _draw_names(names, genders, valid_fraction, rng))
    elif rule.startswith("fold:"):
        fold, folds = _parse_fold(rule)
        validates = np.isin(speakers, speaker_folds(speakers, genders, folds, seed)[fold])
    elif rule.startswith("paper:"):
        validates, unused = _by_paper(rule, speakers)
    else:
        raise UsageError(f"--split {rule}: expected {RULES}")
    train, valid = np.flatnonzero(~validates & ~unused), np.flatnonzero(validates)
    _check_genders(rule, np.asarray(genders), train, "training")
    _check_genders(rule, np.asarray(genders), valid, "validation")
    return train, valid


def speaker_folds(speakers: Sequence[str], genders: Sequence[str], folds: int = FOLDS,
                  seed: int = 42) -> list[list[str]]:
    """Divide speakers into disjoint folds, with the genders spread evenly.

    Parameters
    ----------
    speakers, genders : sequence of str [shape=(n,)]
        One per item; speakers may repeat.
    folds : int
        Number of folds.
    seed : int
        Of the random order.

    Returns
    -------
    list of list of str
        The speakers of each fold.
    """
    rng = np.random.default_rng(seed)
    result: list[list[str]] = [[] for _ in range(folds)]
    dealt = 0
    for names in _speakers_by_gender(speakers, genders).values():
        for name in rng.permutation(names):
            result[dealt % folds].append(str(name))
            dealt += 1
    return result


def check_labels(speakers: Iterable[str], genders: Iterable[str], what: str = "recordings",
                 fewest: int = 1) -> None:
    """Raise UsageError unless both labels have some speakers.

    Parameters
    ----------
    speakers, genders : sequence of str [shape=(n,)]
        One per item.
    what : str
        What the items are, for the message.
    fewest : int
        Speakers that each label needs.

    Raises
    ------
    UsageError
        Says what was found.
    """
    names = _speakers_by_gender(speakers, genders)
    counts = {label: len(names.get(label, ())) for label in LABELS}
    there = [label for label, count in counts.items() if count]
    if len(there) < len(LABELS):
        found = f"{what} of {there[0]} only" if there else f"no labelled {what}"
        raise UsageError(f"found {found}, expected some of female and some of male; add the "
                         "others")
    if min(counts.values()) < fewest:
        raise UsageError(f"found {counts['female']} female and {counts['male']} male speakers, "
                         f"expected at least {fewest} of each; add {what} of other speakers")


def shared_speakers(train: Iterable[str], valid: Iterable[str], *,
                    train_paths: Iterable[str] = (), valid_paths: Sequence[str] = ()) -> str:
    """How many speakers are on both sides, as results state it.

    Parameters
    ----------
    train, valid : sequence of str
        The speaker of each item of the two sides.
    train_paths, valid_paths : sequence of str
        Recordings; those of `valid_paths` are of the speakers of `valid`, one by one. Who has a
        recording on the other side is shared, whatever name the voice has there.

    Returns
    -------
    str
        Such as ``speakers shared 0 of 60``.

    Examples
    --------
    >>> shared_speakers(["a", "a", "b"], ["b", "c"])
    'speakers shared 1 of 3'
    """
    train, valid = set(train), list(valid)
    both = train & set(valid)
    if valid_paths:
        met = {fingerprint(path) for path in set(train_paths)} - {None}
        both |= {voice for voice, path in zip(valid, valid_paths, strict=True)
                 if voice not in both and fingerprint(path) in met}
    return f"speakers shared {len(both)} of {len(train | set(valid))}"


def fingerprints(paths: Iterable[str]) -> str:
    """Short digests of recordings, in a row, so that a copy under another name is known again.

    Parameters
    ----------
    paths : iterable of str
        Files that are not there are left out.

    Returns
    -------
    str
        Sorted hexadecimal digests of `FINGERPRINT` characters each.
    """
    found = {fingerprint(path) for path in set(paths)}
    return "".join(sorted(digest for digest in found if digest))


def fingerprint(path: str) -> str | None:
    """Digest of the size and the beginning of a recording; None if it cannot be read."""
    return _fingerprint(path, file_state(path))


@functools.cache
def _fingerprint(path: str, state: tuple[int, int] | None) -> str | None:
    """The fingerprint of a file in a state; read once, however many ask for it."""
    try:
        with open(path, "rb") as file:
            start = f"{os.fstat(file.fileno()).st_size} ".encode() + file.read(FINGERPRINT_BYTES)
    except (OSError, ValueError):
        return None
    return hashlib.sha256(start).hexdigest()[:FINGERPRINT]


def voices_met(recordings: Mapping[str, Iterable[str]], speakers_trained_on: Iterable[str],
               recordings_trained_on: str = "") -> tuple[set[str], set[str], set[str]]:
    """Which voices a model was trained on, and of which that cannot be told.

    Parameters
    ----------
    recordings : mapping of str to iterable of str
        Paths of the recordings of each voice. A voice is ``CORPUS:SPEAKER``.
    speakers_trained_on : iterable of str
        Voices.
    recordings_trained_on : str
        Their `fingerprints`, if they are known.

    Returns
    -------
    known : set of str
        Voices that were trained on under this name, or with one of these recordings.
    doubtful : set of str
        Others whose names were trained on in a corpus of another name, if they are at least half
        of the voices of their corpus: it may be the same corpus.
    corpora : set of str
        The corpora of other names.

    Examples
    --------
    >>> known, doubtful, corpora = voices_met({"mine:a": [], "mine:b": []}, ["theirs:x/a"])
    >>> sorted(known), sorted(doubtful), sorted(corpora)
    ([], ['mine:a'], ['theirs'])
    """
    trained, heard = set(speakers_trained_on), recordings_trained_on
    digests = {heard[i: i + FINGERPRINT] for i in range(0, len(heard), FINGERPRINT)}
    known = {voice for voice, paths in recordings.items()
             if voice in trained or (digests and any(fingerprint(p) in digests for p in paths))}
    trained_names, names = _names_by_corpus(trained), _names_by_corpus(set(recordings) - known)
    doubtful, corpora = set(), set()
    for corpus, voices in names.items():
        for other, there in trained_names.items():
            alike = voices.keys() & there.keys()
            if other != corpus and 2 * len(alike) >= len(voices):
                doubtful |= {voices[name] for name in alike}
                corpora.add(other)
    return known, doubtful, corpora


def _names_by_corpus(voices: Iterable[str]) -> dict[str, dict[str, str]]:
    """For each corpus the voices by the last part of their name, as readers add folders to it."""
    names: dict[str, dict[str, str]] = defaultdict(dict)
    for voice in voices:
        corpus, _, speaker = voice.partition(":")
        names[corpus][speaker.rpartition("/")[2].lower()] = voice
    return names


def _random_items(n: int, fraction: float, rng: np.random.Generator) -> np.ndarray:
    """True for the items that validate, shape (n,)."""
    validates = np.zeros(n, bool)
    validates[rng.permutation(n)[: round(fraction * n)]] = True
    return validates


def _draw_names(names_of_items: Iterable[str], genders: Iterable[str], fraction: float,
                rng: np.random.Generator) -> list[str]:
    """A fraction of the names of each gender, but at least one, and never all."""
    drawn: list[str] = []
    for names in _speakers_by_gender(names_of_items, genders).values():
        count = min(max(1, round(fraction * len(names))), len(names) - 1)
        drawn += rng.permutation(names)[:count].tolist()
    return drawn


def _speakers_by_gender(speakers: Iterable[str], genders: Iterable[str]) -> dict[str, list[str]]:
    names = defaultdict(set)
    for speaker, gender in zip(speakers, genders):
        names[str(gender)].add(str(speaker))
    return {gender: sorted(names[gender]) for gender in sorted(names)}


def _known_chapters(chapters: Sequence[str | None] | None) -> list[str]:
    known = [] if chapters is None else [name for name in chapters if name is not None]
    if chapters is None or len(known) < len(chapters):
        raise UsageError("--split chapter: found recordings whose chapter is not known, "
                         "expected LibriSpeech's <speaker>-<chapter>-<utterance>")
    return known


def _parse_fold(rule: str) -> tuple[int, int]:
    """Fold and number of folds of a rule ``fold:K`` or ``fold:K/N``."""
    try:
        number, slash, count = rule.removeprefix("fold:").partition("/")
        fold, folds = int(number), int(count) if slash else FOLDS
    except ValueError:
        fold, folds = -1, 0
    if not (folds >= 2 and 0 <= fold < folds):
        raise UsageError(f"--split {rule}: expected fold:K with K from 0 to {FOLDS - 1}, or "
                         "fold:K/N with K below N")
    return fold, folds


def _by_paper(rule: str, speakers: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
    """Which items validate, and which are on neither side, in a fold of the paper."""
    fold, _, part = rule.removeprefix("paper:").partition("/")
    if fold not in ("0", "1", "2", "3") or part not in ("", "test"):
        raise UsageError(f"--split {rule}: expected paper:K or paper:K/test with K from 0 to 3")
    training, validation, test = PAPER_FOLDS[int(fold)]
    # The paper's numbers; in corpora they look like "audiomnist:07".
    numbers = [str(speaker).rpartition(":")[2].lstrip("0") for speaker in speakers]
    validates = np.isin(numbers, test if part else validation)
    return validates, ~validates & ~np.isin(numbers, training)


def _check_genders(rule: str, genders: np.ndarray, side: np.ndarray, name: str) -> None:
    """Raise UsageError unless a side has all of the genders."""
    if set(genders[side]) != set(genders):
        found = "nobody" if not len(side) else f"{genders[side[0]]} only"
        raise UsageError(f"--split {rule}: the {name} side would hold {found}, expected "
                         f"{' and '.join(sorted(set(genders.tolist())))}; choose another "
                         "fraction, fold or seed, or add speakers")
