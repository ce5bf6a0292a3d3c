"""Progress bars."""

import sys
from collections.abc import Iterable
from typing import Any


def progress(items: Iterable | None, total: int | None, *, desc: str, unit: str,
             quiet: bool = False) -> Any:
    """A tqdm bar on stderr around an iterable; none when quiet, or if stderr is no terminal.

    Parameters
    ----------
    items : iterable, optional
        Without it the bar is moved by its ``update``.
    total : int, optional
        Number of items, if known.
    desc, unit : str
        What is counted.
    quiet : bool
        No bar.

    Returns
    -------
    tqdm.tqdm
        Iterates over the items.
    """
    from tqdm import tqdm

    # Without a stderr, as under pythonw, tqdm would fail on its own test for a terminal.
    hidden = quiet or sys.stderr is None or not sys.stderr.isatty()
    return tqdm(items, total=total, desc=desc, unit=unit, disable=hidden)
