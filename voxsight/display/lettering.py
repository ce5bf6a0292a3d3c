"""Names of people and files in figures, in letters that the fonts of this system have."""

import functools
import unicodedata

from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.font_manager import FontEntry, FontProperties
from matplotlib.text import Text

_BOXES = "Last Resort"  # fonts of this name have a box for every character


def legible(text: str, longest: int = 40) -> str:
    """A name on one line, with escapes for what no font of this system can draw.

    Parameters
    ----------
    text : str
    longest : int
        Characters. The middle of a longer name is left out, so that it leaves room for the rest
        of the figure.

    Returns
    -------
    str

    Examples
    --------
    >>> legible("first\\tname\\nzoë")
    'first\\\\tname\\\\nzoë'
    """
    name = "".join(map(_legible, text))
    side = longest // 2 - 2
    return name if len(name) <= longest else f"{name[:side]}...{name[-side:]}"


def legible_lines(text: str) -> str:
    """Whole lines of text, with the same escapes."""
    return "\n".join("".join(map(_legible, line)) for line in text.split("\n"))


def set_fonts(figure: Figure) -> None:
    """Let each text of a figure be drawn with fonts that have its letters, and as it stands."""
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        content = text.get_text()
        if "$" in content and r"\mathdefault" not in content:  # which matplotlib's own numbers have
            text.set_parse_math(False)
        if families := set(filter(None, map(_family, content))):
            text.set_fontfamily([*text.get_fontfamily(), *sorted(families)])


def _legible(character: str) -> str:
    if unicodedata.category(character) == "Zs":
        return " "
    if character.isprintable() and _family(character) is not None:
        return character
    return character.encode("unicode_escape").decode()


@functools.cache
def _family(character: str) -> str | None:
    """Family of a font that has a character: empty for the usual one, None if no font has it."""
    if character.isascii() or _has(font_manager.findfont(FontProperties()), character):
        return ""
    return next((family for family, path in _others() if _has(path, character)), None)


@functools.lru_cache
def _others() -> list[tuple[str, str]]:
    """Family and path of a font of every family, upright and of usual weight if there is one."""
    def is_unusual(entry: FontEntry) -> bool:
        return entry.style != "normal" or entry.weight not in (400, "normal", "regular")

    fonts: dict[str, str] = {}
    for entry in sorted(font_manager.fontManager.ttflist, key=is_unusual):
        if _BOXES not in entry.name:
            fonts.setdefault(entry.name, entry.fname)
    return list(fonts.items())


def _has(path: str, character: str) -> bool:
    try:
        font = font_manager.get_font(path)
    except (OSError, RuntimeError):  # a file that FreeType cannot read
        return False
    return bool(font.scalable and font.get_char_index(ord(character)))
