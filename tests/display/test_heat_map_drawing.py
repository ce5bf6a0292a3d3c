"""Drawings of heat maps and sweeps, by the colours that are seen."""

from collections import Counter

import numpy as np
from PIL import Image

from voxsight import display
from voxsight.answer.prediction import WindowPrediction
from voxsight.explanation.sweeps import TITLES
from voxsight.pictures.recipe import RECIPES


def test_where_windows_overlap_the_shade_is_no_stronger(tmp_path):
    """Of the same evidence everywhere, the waveform has one shade."""
    recipe = RECIPES["voxsight"]
    windows = [WindowPrediction(start, start + 1, ((start, start + 1),), 0.0,
                                np.full((64, 64, 3), 90, np.uint8),
                                np.zeros(recipe.window_samples, np.float32), None)
               for start in (0.0, 0.6)]
    display.save_heat_map(tmp_path / "a.png", windows, np.ones((2, 64, 64)), recipe, "two windows")
    image = Image.open(tmp_path / "a.png").convert("RGB")
    width, height = image.size
    waveform = np.asarray(image.crop((width // 2, height // 8, width * 9 // 10, height // 7)))
    colours = Counter(map(tuple, waveform.reshape(-1, 3).tolist()))
    shades = [colour for colour, count in colours.items() if count > 50 and np.ptp(colour) > 40]
    assert len(shades) == 1, shades


def test_a_sweep_without_a_value_leaves_a_gap(tmp_path):
    values = {name: ([None, *[0.9] * (len(x) - 1)],) * 3 for name, (_, _, x) in TITLES.items()}
    display.save_sensitivity(tmp_path / "a.png", {
        name: {"title": title, "unit": unit, "x": x, "lines": {"anna": values[name]}}
        for name, (title, unit, x) in TITLES.items()})
    assert np.asarray(Image.open(tmp_path / "a.png").convert("L")).std() > 5
