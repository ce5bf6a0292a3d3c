"""Rows of the tables: what was measured, the bar that it has to keep, and whether it does."""

HEAD = ["measured", "bar (aim)", "found", "", "note"]
DIRECTIONS = ("at least", "at most", "within")


def row(what, value, spec, unit="", note="", *, aim=None, **limit):
    """A row, as it is stored.

    Parameters
    ----------
    what : str
        What was measured.
    value : float
        What was found.
    spec, unit : str
        How the value is written, such as ``".1f"`` and ``" s"``.
    note : str
        Figures beside it, in words.
    aim : float, optional
        A better value than the bar asks for.
    **limit
        The bar: one of ``at_least``, ``at_most`` and ``within`` (either side of zero), or none.

    Returns
    -------
    dict
    """
    (direction, bar), = limit.items() or [("", None)]
    direction = direction.replace("_", " ")
    if direction and direction not in DIRECTIONS:
        raise ValueError(f"bar {direction}: expected one of {', '.join(DIRECTIONS)}")
    value = value if isinstance(value, int) else float(value)
    return {"what": what, "value": value, "format": spec, "unit": unit, "is": direction,
            "limit": bar, "aim": aim, "note": note}


def is_met(found):
    """Whether a row keeps its bar; None where it has none. The value is judged, not its text."""
    value, limit = found["value"], found["limit"]
    if limit is None:
        return None
    return {"at least": value >= limit, "at most": value <= limit,
            "within": abs(value) <= limit}[found["is"]]


def cells(what, found):
    """Cells of a row of the Markdown table, under `HEAD`."""
    bar = ""
    if found["limit"] is not None:
        bar = f"{found['is']} {found['limit']:g}{found['unit']}"
        bar += f" ({found['aim']:g})" if found["aim"] is not None else ""
    verdict = {True: "met", False: "**missed**", None: ""}[is_met(found)]
    return [what, bar, f"{found['value']:{found['format']}}{found['unit']}", verdict,
            found["note"]]
