"""Every stored figure lies in its interval, and no interval is without width."""

import json

import pytest
from in_process import ROOT

STORED = sorted([*ROOT.glob("results/**/*.json"), ROOT / "models/default/config.json"])


def figures_in(value, name=""):
    """Names and figures of a JSON value, also of tables with ``_low`` and ``_high``."""
    if isinstance(value, dict):
        if {"value", "low", "high"} <= set(value):
            yield name, value
        for key, inside in value.items():
            if f"{key}_low" in value:
                yield f"{name}/{key}", {"value": inside, "low": value[f"{key}_low"],
                                        "high": value[f"{key}_high"]}
            yield from figures_in(inside, f"{name}/{key}")
    elif isinstance(value, list):
        for number, inside in enumerate(value):
            yield from figures_in(inside, f"{name}/{number}")


@pytest.mark.parametrize("path", STORED, ids=lambda path: str(path.relative_to(ROOT)))
def test_intervals_hold_their_values(path):
    wrong = []
    for name, figure in figures_in(json.loads(path.read_text(encoding="utf-8"))):
        value, low, high = (figure[key] for key in ("value", "low", "high"))
        if value is None or low is None:  # not defined, or of one speaker
            continue
        if not low <= value <= high or low == high:
            wrong.append(f"{name}: {value} ({low} to {high})")
    assert not wrong
