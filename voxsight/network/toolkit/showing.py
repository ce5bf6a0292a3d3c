"""How fastai shows batches, results and top losses of these pictures: like images, and heard.

fastai calls the version of each function that fits the types of its arguments, of all that were
given to plum's ``dispatch`` under the same name. These differ from those for images in that their
figures have room for axes, and that there are players below.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from fastai.torch_core import TensorCategory
from fastai.vision.data import get_grid
from plum import dispatch

from voxsight.network.toolkit.tensors import Rows, TensorMFC, show_players


@dispatch
def show_batch(x: TensorMFC, y: Any, samples: Any, ctxs: Any = None, max_n: int = 10,
               nrows: int | None = None, ncols: int | None = None,
               figsize: tuple[float, float] | None = None, **kwargs: Any) -> Any:
    """Draw pictures and their labels."""
    samples = _of_their_own(x, samples, max_n)
    ctxs = ctxs or _grid(len(samples), nrows, ncols, figsize)
    for (picture, *labels), axes in zip(samples, ctxs):  # none of pictures to be answered
        picture.show(ctx=axes, **kwargs)
        for label in labels[:1]:
            label.show(ctx=axes, **kwargs)
    _show_players(samples)
    return ctxs


@dispatch
def show_results(x: TensorMFC, y: TensorCategory, samples: Any, outs: Any, ctxs: Any = None,
                 max_n: int = 10, nrows: int | None = None, ncols: int | None = None,
                 figsize: tuple[float, float] | None = None, **kwargs: Any) -> Any:
    """Draw pictures, their labels, and what was predicted."""
    samples = _of_their_own(x, samples, max_n)
    ctxs = ctxs or _grid(len(samples), nrows, ncols, figsize)
    for (picture, label, *_), (predicted, *_), axes in zip(samples, outs, ctxs):
        picture.show(ctx=axes, **kwargs)
        label.show(ctx=axes, **kwargs)
        predicted.show(ctx=axes, color="green" if predicted == label else "red", **kwargs)
    _show_players(samples)
    return ctxs


@dispatch
def plot_top_losses(x: TensorMFC, y: TensorCategory, samples: Any, outs: Any, raws: Any,
                    losses: Any, nrows: int | None = None, ncols: int | None = None,
                    figsize: tuple[float, float] | None = None, **kwargs: Any) -> None:
    """Draw the pictures whose loss is largest."""
    samples = _of_their_own(x, samples, len(samples))
    axes = _grid(len(samples), nrows, ncols, figsize, "Predicted/Labelled/Loss/Probability")
    for axis, sample, out, raw, loss in zip(axes, samples, outs, raws, losses):
        title = f"{out[0]}/{sample[1]} / {loss.item():.2f} / {raw.max().item():.2f}"
        sample[0].show(ctx=axis, title=title, **kwargs)
        axis.title.set_fontsize("small")
    _show_players(samples)


def _of_their_own(x: TensorMFC, samples: Iterable[Any], max_n: int) -> Any:
    """The samples, each of which knows what it shows; fastai gives each what the batch shows."""
    samples = type(samples)(list(samples)[:max_n])  # type: ignore[call-arg]
    for sample, shown in zip(samples, x.shows):
        sample[0].shows = Rows([shown])
    return samples


def _grid(n: int, nrows: int | None, ncols: int | None, figsize: tuple[float, float] | None,
          title: str | None = None) -> Any:
    """Axes for so many pictures, with room for what stands beside each."""
    if not (nrows or ncols):
        ncols = min(n, 3)
    columns = ncols or -(-n // nrows)  # type: ignore[operator]
    rows = nrows or -(-n // columns)
    return get_grid(n, rows, columns, figsize or (3.2 * columns, 2.9 * rows), title=title,
                    layout="constrained")


def _show_players(samples: Sequence[Any]) -> None:
    shown = [sample[0].shows[0] for sample in samples if len(sample[0].shows) == 1]
    captions = [": ".join([str(number), *map(str, sample[1:2])])
                for number, sample in enumerate(samples, 1)]
    if len(shown) == len(captions):
        show_players(shown, captions)
