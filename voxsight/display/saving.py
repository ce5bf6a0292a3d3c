"""How every figure is written."""

from typing import TYPE_CHECKING

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from voxsight.base import files
from voxsight.display.lettering import set_fonts

if TYPE_CHECKING:
    from voxsight.base.files import AnyPath

DPI = 110


def save(figure: Figure, path: "AnyPath") -> None:
    """Write a matplotlib figure as PNG, whole or not at all; its title is also kept as text."""
    set_fonts(figure)
    title = figure.get_suptitle()
    with files.replacing(path) as temporary:
        FigureCanvasAgg(figure).print_figure(temporary, dpi=DPI, format="png",
                                                metadata={"Title": title} if title else {})
