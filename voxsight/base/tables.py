"""Figures with their confidence intervals as text, tables in Markdown, cells of spreadsheets.

A figure is a dictionary with the numbers ``value``, ``low`` and ``high``, which are None where
the figure is not defined. Only the ends are None where nothing is known of its interval.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# What spreadsheets take for the beginning of a formula, the wide forms of East Asia included.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def interval(figure: Mapping[str, float | None]) -> str:
    """A figure with its interval in brackets, or a dash if it is not defined.

    Examples
    --------
    >>> interval({"value": 0.75, "low": 0.5, "high": 1.0})
    '0.750 (0.500 to 1.000)'
    >>> interval({"value": -0.75, "low": None, "high": None})
    '-0.750 (one speaker)'
    """
    if figure["value"] is None:
        return "-"
    if figure["low"] is None:
        return f"{figure['value']:.3f} (one speaker)"
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table.

    Parameters
    ----------
    head : sequence of str
        The names of the columns.
    rows : sequence of sequence of str
        The cells of each row.

    Returns
    -------
    list of str

    Examples
    --------
    >>> print("\\n".join(markdown_table(["model", "UAR"], [["mine", "0.9"]])))
    | model | UAR |
    | --- | --- |
    | mine | 0.9 |
    """
    return [_markdown_row(cells) for cells in (head, ["---"] * len(head), *rows)]


def figures_table(figures: Mapping[str, Any]) -> Iterator[str]:
    """Lines of a Markdown table of figures with their 95 % intervals.

    Parameters
    ----------
    figures : mapping
        Figures by name. Values that are not dictionaries, such as counts, are left out.

    Yields
    ------
    str
    """
    yield "| figure | value | 95 % interval |"
    yield "|---|---|---|"
    for name, figure in figures.items():
        if isinstance(figure, dict):
            value, low, high = (as_text(figure[key]) for key in ("value", "low", "high"))
            yield f"| {name} | {value} | {low} to {high} |"


def as_text(value: float | None, decimals: int = 4) -> str:
    """A number, or a dash if it is None."""
    return "-" if value is None else f"{value:.{decimals}f}"


def no_formula(value: Any) -> Any:
    """A value for a table that is opened in a spreadsheet: no text is taken for a formula.

    Tables that programs read keep the value as it is.

    Examples
    --------
    >>> no_formula("=1+1.wav"), no_formula("a.wav"), no_formula(-1.5)
    ("'=1+1.wav", 'a.wav', -1.5)
    """
    return f"'{value}" if is_formula(value) else value


def is_formula(value: Any) -> bool:
    """Whether a spreadsheet would take a value for a formula."""
    return isinstance(value, str) and value.startswith(_FORMULA)


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
