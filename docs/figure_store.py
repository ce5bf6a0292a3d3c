"""The stored results that pages are written from, and how a figure of them is shown."""

import csv
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voxsight.base import files
from voxsight.base.tables import interval


class FigureError(Exception):
    """A figure that a page asks for is not in the stored results."""


class Results:
    """The stored results below a folder.

    Parameters
    ----------
    root : str or Path
        Folder of the project.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self.read = functools.cache(self._read)

    def __call__(self, path: str, *keys: str) -> Any:
        """What is stored under keys, one within the other.

        Raises
        ------
        FigureError
            If there is no such file or key.
        """
        found = self.read(path)
        for depth, key in enumerate(keys):
            if not isinstance(found, Mapping) or key not in found:
                known = ", ".join(found) if isinstance(found, Mapping) else "none below it"
                raise FigureError(f"{path}: found no {' / '.join(keys[:depth + 1])!r}, expected "
                                  f"one of {known}; measure again, or correct who asks for it")
            found = found[key]
        return found

    def _read(self, path: str) -> Any:
        if not (self.root / path).is_file():
            raise FigureError(f"{path}: found no such file, expected stored results; measure "
                              "again, or correct who asks for it")
        if path.endswith(".csv"):
            return _read_csv(self.root / path)
        return files.read_json(self.root / path)


def _read_csv(path: Path) -> dict[str, dict[str, Any]]:
    """Rows by their first cell or, where that is not unique, by their first two."""
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    first = [next(iter(row.values())) for row in rows]
    width = 1 if len(set(first)) == len(first) else 2
    return {", ".join(list(row.values())[:width]): _with_intervals(row) for row in rows}


def _with_intervals(row: Mapping[str, str]) -> dict[str, Any]:
    """A row with numbers as numbers, and ``x``, ``x_low`` and ``x_high`` as one figure."""
    values: dict[str, Any] = {name: _number(text) for name, text in row.items()}
    return {name: {"value": value, "low": values[f"{name}_low"], "high": values[f"{name}_high"]}
            if f"{name}_low" in values else value
            for name, value in values.items() if not name.endswith(("_low", "_high"))}


def _number(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text or None


def shown(figure: Any, form: str | None = None) -> str:
    """A stored figure as a page shows it.

    Parameters
    ----------
    figure : dict, float, int, str or None
        A dictionary has ``value``, ``low`` and ``high``.
    form : str, optional
        Format of the value, such as ``.0%``; by default three decimals, and the interval if
        there is one.

    Returns
    -------
    str

    Examples
    --------
    >>> shown({"value": 0.75, "low": 0.5, "high": 1.0}), shown(0.75, ".0%"), shown(1584)
    ('0.750 (0.500 to 1.000)', '75 %', '1,584')
    """
    if isinstance(figure, Mapping):
        if form is None and figure.get("low") is not None:
            return interval(figure)
        figure = figure["value"]
    if figure is None or isinstance(figure, str):
        return figure or "-"
    form = form or (",d" if isinstance(figure, int) else ".3f")
    return format(figure, form).replace("%", " %")
