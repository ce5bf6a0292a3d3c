"""Draws the folders of the package from sound to answer; writes ``folders.svg`` beside this file.

The drawing comes from the project itself: the layers of the import contract in ``setup.cfg``, the
first line of each folder's docstring, and the number of its modules. The same project always gives
the same text, so a test can tell whether the stored drawing is up to date.

    python docs/diagram.py
"""

import ast
import configparser
import dataclasses
import textwrap
from html import escape
from itertools import pairwise
from pathlib import Path

PACKAGE = "voxsight"
# What a recording passes, from the ground up, and what each folder hands to the next one.
PATH = {"sound": "windows of speech", "pictures": "pictures", "network": "log-odds and maps",
        "answer": "Prediction"}
START = "a recording"
LEGEND = ("Blue: what a recording passes.", "Grey: imports, which only go downwards.",
          "Folders in one frame do not import each other.")

WIDTH, MARGIN, GAP = 400, 8, 16  # units of the drawing; a phone is nearly as many pixels wide
DISPLAYED_WIDTH = 440  # pixels, if there is room
NAME_SIZE, TEXT_SIZE, LINE = 15, 12.5, 16
CHARACTER = 0.56  # width of a character in font sizes, rather more than the mean
HANDOVER = 38  # height of the gap in which a blue label stands
FRAME = 6  # between a frame and the folders in it
COLUMN = (WIDTH - 2 * MARGIN - 2 * GAP) / 2
GREY, BLUE = "#64748b", "#1d4ed8"


@dataclasses.dataclass(frozen=True)
class Folder:
    """A folder of the package, or a module that is a layer by itself.

    Attributes
    ----------
    name : str
    purpose : str
        First line of its docstring.
    modules : int
        Modules in it and in its subfolders, without ``__init__``.
    """

    name: str
    purpose: str
    modules: int


@dataclasses.dataclass(frozen=True)
class Box:
    """A rectangle of the drawing, and the folder in it."""

    folder: Folder
    x: float
    y: float
    width: float

    @property
    def lines(self) -> list[str]:
        """The purpose, cut into lines that fit."""
        return textwrap.wrap(self.folder.purpose, int((self.width - 20) / TEXT_SIZE / CHARACTER))

    @property
    def count(self) -> str:
        """How many modules there are, in words."""
        return f"{self.folder.modules} module{'' if self.folder.modules == 1 else 's'}"

    @property
    def narrow(self) -> bool:
        """Whether the number of modules has no room beside the name."""
        return self.width < WIDTH / 2

    @property
    def bottom(self) -> float:
        """Lower edge."""
        return self.y + 28 + LINE * (len(self.lines) + self.narrow)


@dataclasses.dataclass(frozen=True)
class Layer:
    """Folders that do not import each other, in a frame if there are several."""

    boxes: list[Box]

    @property
    def framed(self) -> bool:
        """Whether there is a frame."""
        return len(self.boxes) > 1

    @property
    def edges(self) -> tuple[float, float, float, float]:
        """Left, upper, right and lower edge."""
        pad = FRAME if self.framed else 0
        return (min(box.x for box in self.boxes) - pad, min(box.y for box in self.boxes) - pad,
                max(box.x + box.width for box in self.boxes) + pad,
                max(box.bottom for box in self.boxes) + pad)


def read_layers(root: str | Path) -> list[list[str]]:
    """Names of the folders, layer by layer from the top, as ``setup.cfg`` has them.

    Parameters
    ----------
    root : str or Path
        Folder of the project.

    Returns
    -------
    list of list of str
    """
    config = configparser.ConfigParser()
    config.read(Path(root) / "setup.cfg")
    lines = config["importlinter:contract:layers"]["layers"].split("\n")
    return [[name.strip() for name in line.split("|")] for line in lines if line.strip()]


def read_folder(root: str | Path, name: str) -> Folder:
    """What a folder is for, and how many modules it has.

    Parameters
    ----------
    root : str or Path
        Folder of the project.
    name : str
        Of a folder of the package, or of a module.

    Returns
    -------
    Folder
    """
    place = Path(root) / PACKAGE / name
    source = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    docstring = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    modules = [path for path in place.rglob("*.py") if path.name != "__init__.py"]
    purpose = docstring.partition("\n\n")[0].replace("\n", " ").replace("`", "")
    return Folder(name, purpose, len(modules) if place.is_dir() else 1)


def draw(root: str | Path) -> str:
    """The drawing of a project's folders, as SVG.

    Parameters
    ----------
    root : str or Path
        Folder of the project.

    Returns
    -------
    str
    """
    folders = [[read_folder(root, name) for name in names] for names in read_layers(root)]
    layers = _placed(folders)
    boxes = {box.folder.name: box for layer in layers for box in layer.boxes}
    bottom = layers[-1].edges[3]
    parts = [_head(folders, bottom + GAP + LINE * len(LEGEND))]
    parts += [_frame(layer) for layer in layers if layer.framed]
    parts += [_box(box) for box in boxes.values()]
    parts += [_import(upper, lower) for upper, lower in pairwise(layers)]
    parts += _way(boxes)
    parts += [_text(MARGIN, bottom + GAP + LINE * i + 6, line, "#1f2937")
              for i, line in enumerate(LEGEND)]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _placed(folders: list[list[Folder]]) -> list[Layer]:
    """Layers from the top, each below the one before.

    Between the first and the last folder that a recording passes there are two columns: these
    folders on the left, the others on the right.
    """
    passed = [i for i, row in enumerate(folders) if row[0].name in PATH]
    layers: list[Layer] = []
    left = right = float(MARGIN)  # where the next box of each column may begin
    for i, row in enumerate(folders):
        in_columns = passed[0] <= i <= passed[-1]
        beside = layers[-1].edges[1] + 40 if layers else 0.0  # lower than the layer before
        if not in_columns:
            layers.append(_side_by_side(row, max(left, right)))
            left = right = layers[-1].edges[3] + GAP
            left += HANDOVER - GAP if i == passed[0] - 1 else 0
        elif i in passed:
            layers.append(Layer([Box(row[0], MARGIN, max(left, beside), COLUMN)]))
            left = layers[-1].edges[3] + HANDOVER
        else:
            layers.append(_stacked(row, max(right, beside)))
            right = layers[-1].edges[3] + GAP
    return layers


def _side_by_side(row: list[Folder], y: float) -> Layer:
    if len(row) == 1:
        return Layer([Box(row[0], MARGIN, y, WIDTH - 2 * MARGIN)])
    width = (WIDTH - 2 * MARGIN - FRAME * (len(row) + 1)) / len(row)
    return Layer([Box(folder, MARGIN + FRAME + i * (width + FRAME), y + FRAME, width)
                  for i, folder in enumerate(row)])


def _stacked(row: list[Folder], y: float) -> Layer:
    pad = FRAME if len(row) > 1 else 0
    boxes: list[Box] = []
    for folder in row:
        boxes.append(Box(folder, MARGIN + COLUMN + 2 * GAP + pad, y + pad, COLUMN - 2 * pad))
        y = boxes[-1].bottom
    return Layer(boxes)


def _head(folders: list[list[Folder]], height: float) -> str:
    order = ", ".join(folder.name for row in reversed(folders) for folder in row)
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" \
width="{DISPLAYED_WIDTH}" height="{height * DISPLAYED_WIDTH / WIDTH:.0f}" \
font-family="system-ui, sans-serif" role="img" aria-labelledby="title description">
<title id="title">The folders of {PACKAGE}, from sound to answer</title>
<desc id="description">A recording passes {", ".join(PATH)} and becomes a prediction. \
From the ground up the folders are {order}. Each imports only from those below it.</desc>
<defs>
<marker id="import" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" \
orient="auto"><path d="M0 0 8 4 0 8z" fill="{GREY}"/></marker>
<marker id="way" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="4" markerHeight="4" \
orient="auto"><path d="M0 0 8 4 0 8z" fill="{BLUE}"/></marker>
</defs>
<rect width="{WIDTH}" height="{height:g}" fill="#fff"/>"""


def _frame(layer: Layer) -> str:
    left, top, right, bottom = layer.edges
    return (f'<rect x="{left:g}" y="{top:g}" width="{right - left:g}" height="{bottom - top:g}" '
            f'rx="8" fill="none" stroke="{GREY}" stroke-dasharray="4 3"/>')


def _box(box: Box) -> str:
    style = (f'fill="#dbeafe" stroke="{BLUE}" stroke-width="2"' if box.folder.name in PATH
             else f'fill="#f8fafc" stroke="{GREY}"')
    parts = [f'<rect x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" '
             f'height="{box.bottom - box.y:g}" rx="6" {style}/>',
             f'<text x="{box.x + 10:g}" y="{box.y + 20:g}" font-size="{NAME_SIZE}" '
             f'font-weight="600" fill="#111">{box.folder.name}</text>']
    parts += [_text(box.x + 10, box.y + 38 + LINE * i, line, "#1f2937")
              for i, line in enumerate(box.lines)]
    if box.narrow:
        parts.append(_text(box.x + 10, box.bottom - 6, box.count, "#4b5563"))
    else:
        parts.append(_text(box.x + box.width - 10, box.y + 20, box.count, "#4b5563", "end"))
    return "\n".join(parts)


def _text(x: float, y: float, words: str, colour: str, anchor: str = "start") -> str:
    return (f'<text x="{x:g}" y="{y:g}" font-size="{TEXT_SIZE}" text-anchor="{anchor}" '
            f'fill="{colour}">{escape(words)}</text>')


def _import(upper: Layer, lower: Layer) -> str:
    """Arrow from a layer to the next one below: downwards, or from one column to the other."""
    left, _, right, bottom = upper.edges
    lower_left, lower_top, lower_right, lower_bottom = lower.edges
    if lower_top >= bottom:
        # In the left column it runs beside the blue labels.
        x = min(right, lower_right) - 24 if min(right, lower_right) < WIDTH / 2 else (
            max(left, lower_left) + min(right, lower_right)) / 2
        path = f"M{x:g} {bottom:g}V{lower_top:g}"
    else:
        y = (lower_top + min(bottom, lower_bottom)) / 2
        path = f"M{right:g} {y:g}H{lower_left:g}" if right < lower_left else (
            f"M{left:g} {y:g}H{lower_right:g}")
    return (f'<path d="{path}" fill="none" stroke="{GREY}" stroke-width="1.2" '
            'marker-end="url(#import)"/>')


def _way(boxes: dict[str, Box]) -> list[str]:
    """What a recording passes, upwards, with what each folder hands to the next one."""
    first, *_, last = PATH
    ends = [(boxes[lower].y, boxes[upper].bottom, PATH[lower])
            for lower, upper in pairwise(PATH)]
    ends = [(boxes[first].bottom + HANDOVER - 6, boxes[first].bottom, START), *ends,
            (boxes[last].y, boxes[last].y - HANDOVER + 6, PATH[last])]
    x = MARGIN + 20
    return [f'<path d="M{x} {start:g}V{end + 4:g}" fill="none" stroke="{BLUE}" '
            'stroke-width="3.5" marker-end="url(#way)"/>\n'
            + _text(x + 12, (start + end) / 2 + 5, label, BLUE) for start, end, label in ends]


def main() -> None:
    """Write ``folders.svg`` beside this file."""
    folder = Path(__file__).resolve().parent
    (folder / "folders.svg").write_text(draw(folder.parent), encoding="utf-8")


if __name__ == "__main__":
    main()
