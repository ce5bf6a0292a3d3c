"""Who is trained on and who is tested on, and whether anyone is on both sides."""

from collections import defaultdict

import numpy as np

from voxsight.errors import UsageError

FOLDS = 5
# The speakers that train, validate and test in the four folds of the AudioMNIST paper
# (Becker et al., 2018), which has 12 female speakers and as many of the males.
PAPER_FOLDS = tuple(tuple(part.split() for part in fold) for fold in (
    ("36 47 56 26 12 57 2 44 50 25 37 45", "43 28 52 48 53 41", "58 59 60 7 23 38"),
    ("26 12 57 43 28 52 25 37 45 48 53 41", "58 59 60 7 23 38", "36 47 56 2 44 50"),
    ("43 28 52 58 59 60 48 53 41 7 23 38", "36 47 56 2 44 50", "26 12 57 25 37 45"),
    ("58 59 60 36 47 56 7 23 38 2 44 50", "26 12 57 25 37 45", "43 28 52 48 53 41"),
))
RULES = "speaker, random, chapter, fold:K, fold:K/N or paper:K"


def split(speakers, genders, rule="speaker", valid=0.2, seed=42, chapters=None):
    """Divide items into training and validation.

    Parameters
    ----------
    speakers, genders : sequence of str [shape=(n,)]
        one per item
    rule : str
        ``speaker``: no speaker on both sides, both genders on each; ``random``: items
        at random, which shares speakers; ``chapter``: no chapter on both sides, which
        shares speakers too; ``fold:K`` or ``fold:K/N``: speakers of the K-th of N (5)
        folds validate, K from 0; ``paper:K``: the training and validation speakers of
        a fold of the AudioMNIST paper, ``paper:K/test``: its test speakers validate.
        Other speakers are on neither side of these.
    valid : float
        share of speakers (or items) that validate; not used by folds
    seed : int
    chapters : sequence of str [shape=(n,)], optional
        what ``chapter`` keeps together

    Returns
    -------
    train, valid : np.ndarray of int
        indices, ascending

    Raises
    ------
    UsageError
        if the rule is unknown or leaves a side without one of the genders
    """
    if not 0 < valid < 1:
        raise UsageError(f"--valid {valid}: expected a share between 0 and 1, such as 0.2")
    rng = np.random.default_rng(seed)
    speakers, genders = np.asarray(speakers), np.asarray(genders)
    used = np.ones(len(speakers), bool)
    if rule == "random":
        chosen = np.zeros(len(speakers), bool)
        chosen[rng.permutation(len(speakers))[: round(valid * len(speakers))]] = True
    elif rule == "speaker":
        chosen = np.isin(speakers, _share_of_names(speakers, genders, valid, rng))
    elif rule == "chapter":
        if chapters is None or None in chapters:
            raise UsageError("--split chapter: found recordings whose chapter is not known, "
                             "expected LibriSpeech's <speaker>-<chapter>-<utterance>")
        chosen = np.isin(chapters, _share_of_names(chapters, genders, valid, rng))
    elif rule.startswith("fold:"):
        fold, folds = _parse_fold(rule)
        chosen = np.isin(speakers, speaker_folds(speakers, genders, folds, seed)[fold])
    elif rule.startswith("paper:"):
        trained, held = _paper_speakers(rule)
        numbers = [str(speaker).rpartition(":")[2].lstrip("0") for speaker in speakers]
        chosen = np.isin(numbers, held)
        used = chosen | np.isin(numbers, trained)
    else:
        raise UsageError(f"--split {rule}: expected {RULES}")
    sides = np.flatnonzero(used & ~chosen), np.flatnonzero(chosen)
    for name, side in zip(("training", "validation"), sides):
        if set(genders[side]) != set(genders):
            raise UsageError(f"--split {rule}: the {name} side would hold "
                             f"{sorted(set(genders[side].tolist())) or 'nobody'} only; "
                             "choose another share, fold or seed, or add speakers")
    return sides


def speaker_folds(speakers, genders, folds=FOLDS, seed=42):
    """Disjoint lists of speakers, each with its share of both genders.

    Returns
    -------
    list of list of str
    """
    rng = np.random.default_rng(seed)
    result = [[] for _ in range(folds)]
    dealt = 0
    for names in _speakers_by_gender(speakers, genders).values():
        for name in rng.permutation(names):
            result[dealt % folds].append(str(name))
            dealt += 1
    return result


def shared_speakers(train, valid):
    """What a result says of the speakers on both sides.

    Parameters
    ----------
    train, valid : sequence of str
        the speaker of each item of the two sides

    Returns
    -------
    str
        such as ``speakers shared 0 of 60``

    Examples
    --------
    >>> shared_speakers(["a", "a", "b"], ["b", "c"])
    'speakers shared 1 of 3'
    """
    both = set(train) & set(valid)
    return f"speakers shared {len(both)} of {len(set(train) | set(valid))}"


def _share_of_names(names_of, genders, share, rng):
    chosen = []
    for names in _speakers_by_gender(names_of, genders).values():
        count = min(max(1, round(share * len(names))), len(names) - 1)
        chosen += rng.permutation(names)[:count].tolist()
    return chosen


def _speakers_by_gender(speakers, genders):
    names = defaultdict(set)
    for speaker, gender in zip(speakers, genders):
        names[str(gender)].add(str(speaker))
    return {gender: sorted(names[gender]) for gender in sorted(names)}


def _paper_speakers(rule):
    fold, _, part = rule.removeprefix("paper:").partition("/")
    if fold not in ("0", "1", "2", "3") or part not in ("", "test"):
        raise UsageError(f"--split {rule}: expected paper:K or paper:K/test with K from 0 to 3")
    trained, validating, tested = PAPER_FOLDS[int(fold)]
    return trained, tested if part else validating


def _parse_fold(rule):
    try:
        fold, slash, folds = rule.removeprefix("fold:").partition("/")
        fold, folds = int(fold), int(folds) if slash else FOLDS
    except ValueError:
        fold, folds = -1, 0
    if not (folds >= 2 and 0 <= fold < folds):
        raise UsageError(f"--split {rule}: expected fold:K with K from 0 to {FOLDS - 1}, or "
                         "fold:K/N with K below N")
    return fold, folds
