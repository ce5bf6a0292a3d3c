"""Names of what is written about files, such that no two files share one."""

import itertools
import os
import unicodedata
from collections import defaultdict
from collections.abc import Sequence

from voxsight.base.files import fitting_name


def distinct_names(choices: Sequence[Sequence[str]], endings: Sequence[str] = ("",)) -> list[str]:
    """A name for each file, from several that would do, such that no two are alike.

    Names are alike if a file system that does not tell upper from lower case, or one way to write
    an accent from another, would take them for one, or if `as_one_word` would.

    Parameters
    ----------
    choices : sequence of sequence of str
        Names for each file, the best first, equally many for each; with ``/`` if they lie in
        folders. Files that share one get their next ones if these tell them apart. Where no
        choice does, names that are taken get ``_2``, ``_3`` and so on.
    endings : sequence of str
        What is put behind the names, if a name with one of these may be like another name.

    Returns
    -------
    list of str
        Each part of a path is cut so that it leaves room for an extension.

    Examples
    --------
    >>> distinct_names([("1", "anna/1"), ("1", "ben/1"), ("2", "ben/2")])
    ['anna/1', 'ben/1', '2']
    >>> distinct_names([["a b"], ["a_b"], ["A B"]])
    ['a b', 'a_b_2', 'A B_3']
    """
    names = [_fitting(names[0]) for names in choices]
    for choice in range(1, min(map(len, choices), default=0)):
        for alike in _alike(names):
            others = [_fitting(choices[i][choice]) for i in alike]
            if len(_alike(others)) > 1:
                for i, other in zip(alike, others):
                    names[i] = other
    taken: set[str] = set()
    for alike in sorted(_alike(names), key=len):  # those that need no number first
        for i in alike:
            names[i] = _free(names[i], taken, endings)
    return names


def below_common_folder(paths: Sequence[str]) -> list[str]:
    """Each path from the folder on that holds them all, with ``/``.

    Examples
    --------
    >>> below_common_folder(["voices/anna/1.wav", "voices/ben/1.wav"])
    ['anna/1.wav', 'ben/1.wav']
    """
    places = [os.path.abspath(path) for path in paths]
    try:
        common = os.path.commonpath([os.path.dirname(place) for place in places])
    except ValueError:  # none, or on several drives
        return [os.path.splitdrive(place)[1].strip(os.sep).replace(os.sep, "/")
                for place in places]
    return [os.path.relpath(place, common).replace(os.sep, "/") for place in places]


def as_one_word(name: str) -> str:
    """A name without white space of any kind and without what cannot be printed.

    Examples
    --------
    >>> as_one_word("a  b"), as_one_word("a\\u00a0b\\n")
    ('a_b', 'a_b')
    """
    printable = (c if c.isprintable() else " " for c in name)
    return "_".join("".join(printable).split()) or "_"


def _fitting(name: str) -> str:
    return "/".join(map(fitting_name, name.split("/")))


def _alike(names: Sequence[str]) -> list[list[int]]:
    """Places of names, those that are alike together."""
    places = defaultdict(list)
    for i, name in enumerate(names):
        places[_key(name)].append(i)
    return list(places.values())


def _key(name: str) -> str:
    """The same for names that are alike."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())
    return as_one_word(folded)


def _free(name: str, taken: set[str], endings: Sequence[str]) -> str:
    """The name, with a number if it is taken; it is taken afterwards."""
    for number in itertools.count(1):
        numbered = name if number == 1 else f"{name}_{number}"
        keys = {_key(numbered + ending) for ending in endings}
        if not keys & taken:
            break
    taken |= keys
    return numbered
