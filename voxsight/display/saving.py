"""How every figure is written."""

from matplotlib.backends.backend_agg import FigureCanvasAgg

from voxsight import files


def save(figure, path):
    """Write a matplotlib figure as PNG, whole or not at all."""
    with files.replacing(path) as temporary:
        FigureCanvasAgg(figure).print_figure(temporary, dpi=110, format="png")
