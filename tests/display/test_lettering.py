"""Names in figures: what no font has is escaped, and what another font has is drawn with it."""

import warnings

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from PIL import Image

from voxsight import display
from voxsight.display import lettering

RARE = "\U00016800"  # Bamum; in no font of a usual system
ODD = "name\twith\nlines\r and \udce9, $a_b$, 50 %, \N{NO-BREAK SPACE}声"


@pytest.fixture
def rare_font(tmp_path):
    """A font with one letter, a black square, which matplotlib finds while the test runs."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 1000), (1000, 1000), (1000, 0)):
        pen.lineTo(corner)
    pen.closePath()
    builder = FontBuilder(1000)
    builder.setupGlyphOrder([".notdef", "square"])
    builder.setupCharacterMap({ord(RARE): "square"})
    builder.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "square": pen.glyph()})
    builder.setupHorizontalMetrics({".notdef": (1000, 0), "square": (1000, 0)})
    builder.setupHorizontalHeader(ascent=1000, descent=0)
    builder.setupNameTable({"familyName": "Squares", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(tmp_path / "squares.ttf")
    known = list(font_manager.fontManager.ttflist)
    font_manager.fontManager.addfont(tmp_path / "squares.ttf")
    forget()
    yield
    font_manager.fontManager.ttflist[:] = known
    forget()


def forget():
    lettering._family.cache_clear()
    lettering._others.cache_clear()


def drawn(path, name):
    """A figure with a name as a title, on an axis and in a legend; its pixels."""
    display.save_intervals(path, [(name, 0.1, 0.0, 0.2), (f"{name} 2", 0.3, 0.2, 0.4)], name)
    with Image.open(path) as image:
        return np.asarray(image.convert("L"))


def test_names_are_on_one_line_in_letters_that_are_there():
    assert display.legible("Zoë Žižek, Ωμέγα, Жанна") == "Zoë Žižek, Ωμέγα, Жанна"
    assert display.legible(ODD.replace("声", RARE), 99) == (
        r"name\twith\nlines\r and \udce9, $a_b$, 50 %,  \U00016800")
    assert display.legible(display.legible(ODD)) == display.legible(ODD)
    assert display.legible("a" * 30 + "b" * 30) == "a" * 18 + "..." + "b" * 18


def test_what_another_font_has_is_drawn_with_it(rare_font, tmp_path):
    assert display.legible(RARE) == RARE
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        squares, spaces = drawn(tmp_path / "a.png", RARE * 3), drawn(tmp_path / "b.png", "   ")
    assert squares.shape == spaces.shape
    assert (squares == 0).sum() > (spaces == 0).sum() + 3 * 3 * 9**2, "black squares"


@pytest.mark.parametrize("draw", [
    lambda path, name: drawn(path, name),
    lambda path, name: display.save_spectrogram(
        path, np.sin(np.arange(4000) ** 2), 8000, np.zeros(2), np.ones(2), name),
    lambda path, name: display.save_speaker_confusions(
        path, np.array([name, "b"]), np.array([name, "b"]), {name: "female", "b": "male"}),
    lambda path, name: display.save_projection(
        path, {name: np.eye(2)}, {name: [name, "b"]}, np.array([True, False]), name),
    lambda path, name: display.save_boxes(path, {name: {name: np.ones(3), "b": np.ones(3)}}),
    lambda path, name: display.save_confusion_matrix(path, {("female", "male"): 1}, name),
    lambda path, name: display.save_learning_curve(
        path, [{"epoch": 1, "train_loss": 1.0, "valid_loss": 1.0}], name),
    lambda path, name: display.save_importance(path, {name: 0.5}, name),
    lambda path, name: display.save_distributions(path, {name: (np.ones(3), np.ones(3))}, name),
    lambda path, name: display.save_leaderboard(path, [{
        "classifier": name, "figures": {"uar": {"value": 0.9, "low": 0.8, "high": 1.0}},
        "uar": {name: {"value": 0.9}}}], name)])
def test_no_figure_complains_of_a_name(tmp_path, draw):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw(tmp_path / "a.png", f"{RARE}\t\n$\\nothing{{$")
        draw(tmp_path / "a.png", "long " * 50)
    assert (tmp_path / "a.png").is_file()
