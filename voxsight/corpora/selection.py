"""Selecting some of the speakers and recordings of a corpus."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from voxsight.base.texts import listed
from voxsight.corpora.utterance import LABELS, Utterance
from voxsight.errors import UsageError


def draw_speakers(utterances: Sequence[Utterance], count: int | None = None,
                  balanced: bool = False, seed: int = 42) -> list[Utterance]:
    """Recordings of some of the speakers, which are drawn at random.

    Parameters
    ----------
    utterances : sequence of Utterance
        All recordings.
    count : int, optional
        Number of speakers (default: as many as possible).
    balanced : bool
        Draw equally many speakers of each gender; if `count` is odd, one fewer.
    seed : int
        Of the random choice.

    Returns
    -------
    list of Utterance
        In their order.

    Raises
    ------
    UsageError
        If there are fewer speakers.
    """
    rng = np.random.default_rng(seed)
    shuffled = {gender: rng.permutation(sorted({(u.corpus, u.speaker) for u in utterances
                                                if u.gender == gender})).tolist()
                for gender in LABELS}
    if balanced:
        each = count // 2 if count else min(map(len, shuffled.values()))
        drawn = [name for names in shuffled.values() for name in names[:each]]
        wanted = 2 * each
    else:
        names = rng.permutation(sorted(shuffled["female"] + shuffled["male"])).tolist()
        wanted = count or len(names)
        drawn = names[:wanted]
    chosen = {tuple(name) for name in drawn}
    if len(chosen) < wanted:
        raise UsageError(f"--speakers {count}: found {len(chosen)} to draw, expected {wanted}; "
                         "ask for fewer, or name more recordings")
    return [u for u in utterances if (u.corpus, u.speaker) in chosen]


def first_speakers(utterances: Sequence[Utterance], count: int) -> list[Utterance]:
    """Recordings of the first voices by name, females and males in turn.

    Parameters
    ----------
    utterances : sequence of Utterance
        All recordings.
    count : int
        Number of speakers.

    Returns
    -------
    list of Utterance
        In their order.
    """
    by_gender = {gender: sorted({(u.speaker, u.corpus) for u in utterances if u.gender == gender})
                 for gender in LABELS}
    turns: list[tuple[str, str]] = []
    for rank in range(max(map(len, by_gender.values()))):
        turns += [by_gender[g][rank] for g in LABELS if rank < len(by_gender[g])]
    chosen = set(turns[:count])
    return [u for u in utterances if (u.speaker, u.corpus) in chosen]


def without_speaker(utterances: Sequence[Utterance], name: str) -> list[Utterance]:
    """Recordings of all voices but one.

    Parameters
    ----------
    utterances : sequence of Utterance
    name : str
        The speaker, or CORPUS:SPEAKER.

    Returns
    -------
    list of Utterance

    Raises
    ------
    UsageError
        If nobody is called so, or several are.
    """
    voices = sorted({u.voice for u in utterances if name in (u.speaker, u.voice)})
    if len(voices) != 1:
        raise UsageError(f"--without {name}: found {listed(voices) or 'nobody of that name'}, "
                         "expected one voice; name it as CORPUS:SPEAKER")
    return [u for u in utterances if u.voice != voices[0]]


def spread_per_speaker(utterances: Sequence[Utterance], count: int) -> list[Utterance]:
    """Some recordings of each speaker, spread evenly over all of them.

    Parameters
    ----------
    utterances : sequence of Utterance
        All recordings.
    count : int
        Recordings per speaker; a speaker with fewer keeps all.

    Returns
    -------
    list of Utterance
        In their order.
    """
    by_speaker = defaultdict(list)
    for utterance in utterances:
        by_speaker[utterance.corpus, utterance.speaker].append(utterance)
    chosen: set[str] = set()
    for group in by_speaker.values():
        places = np.linspace(0, len(group) - 1, min(count, len(group))).round().astype(int)
        chosen.update(group[i].path for i in places)
    return [u for u in utterances if u.path in chosen]
