"""Who is trained on and who is tested on, and whether anyone is on both sides."""

from collections import defaultdict

import numpy as np

from voxsight.errors import UsageError

FOLDS = 5


def split(speakers, genders, rule="speaker", valid=0.2, seed=42):
    """Divide items into training and validation.

    Parameters
    ----------
    speakers, genders : sequence of str [shape=(n,)]
        one per item
    rule : str
        ``speaker``: no speaker on both sides, both genders on each; ``random``: items
        at random, which shares speakers; ``fold:K`` or ``fold:K/N``: speakers of the
        K-th of N (5) folds validate, K from 0
    valid : float
        share of speakers (or items) that validate; not used by folds
    seed : int

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
    if rule == "random":
        chosen = np.zeros(len(speakers), bool)
        chosen[rng.permutation(len(speakers))[: round(valid * len(speakers))]] = True
    elif rule == "speaker":
        chosen = np.isin(speakers, _share_of_speakers(speakers, genders, valid, rng))
    elif rule.startswith("fold:"):
        fold, folds = _parse_fold(rule)
        chosen = np.isin(speakers, speaker_folds(speakers, genders, folds, seed)[fold])
    else:
        raise UsageError(f"--split {rule}: expected speaker, random, fold:K or fold:K/N")
    sides = np.flatnonzero(~chosen), np.flatnonzero(chosen)
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
    """
    both = set(train) & set(valid)
    return f"speakers shared {len(both)} of {len(set(train) | set(valid))}"


def _share_of_speakers(speakers, genders, share, rng):
    chosen = []
    for names in _speakers_by_gender(speakers, genders).values():
        count = min(max(1, round(share * len(names))), len(names) - 1)
        chosen += rng.permutation(names)[:count].tolist()
    return chosen


def _speakers_by_gender(speakers, genders):
    names = defaultdict(set)
    for speaker, gender in zip(speakers, genders):
        names[str(gender)].add(str(speaker))
    return {gender: sorted(names[gender]) for gender in sorted(names)}


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
