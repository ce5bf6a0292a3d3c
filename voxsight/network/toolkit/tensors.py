"""Pictures as tensors that know what they show, so that they draw their axes and can be heard."""

import base64
import dataclasses
import html
import itertools
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from fastai.torch_core import TensorImage
from fastcore.imports import in_notebook
from PIL.Image import Image

from voxsight.errors import RecordingError
from voxsight.pictures import jpeg
from voxsight.pictures.dataset import Picture
from voxsight.pictures.recipe import Recipe
from voxsight.sound.recording import Recording
from voxsight.sound.writing import as_wav


@dataclasses.dataclass(frozen=True)
class Shown:
    """What one picture of a tensor shows.

    Attributes
    ----------
    recipe : Recipe or None
        How it was made; None if that is not known.
    picture : Picture or None
        With the recording behind it; None if only a path was given.
    """

    recipe: Recipe | None = None
    picture: Picture | None = None

    def sound(self) -> tuple[np.ndarray, int] | None:
        """The stretch of the recording that is shown, and its rate in Hz.

        Returns
        -------
        tuple or None
            None if there is no such recording here, or it cannot be decoded.
        """
        if self.recipe is None or self.picture is None or not os.path.isfile(self.picture.source):
            return None
        rate, length = self.recipe.sample_rate, self.recipe.window_samples
        start = round(self.picture.start_s * rate)
        blocks, n_samples = [], 0
        try:
            for block in Recording(self.picture.source).blocks(rate, remove_dc=False):
                blocks.append(block)
                n_samples += len(block)
                if n_samples >= start + length:
                    break
        except (RecordingError, OSError):
            return None
        samples = np.concatenate(blocks)[start: start + length] if blocks else np.zeros(0)
        return (samples, rate) if len(samples) else None


class Rows(tuple[Shown, ...]):
    """What each picture of a batch shows."""

    def __deepcopy__(self, memo: object) -> "Rows":
        """The same: fastai copies it with every operation on a batch, and nothing changes it."""
        return self


class TensorMFC(TensorImage):
    """Pictures of mel-frequency cepstra, one or a batch.

    Attributes
    ----------
    shows : Rows
        What each of them shows; empty if that is not known. It follows the pictures into
        batches and out of them.
    """

    shows = Rows()

    @classmethod
    def of(cls, item: Picture | str | os.PathLike | Image, size: tuple[int, int] | None = None,
           recipe: Recipe | None = None) -> "TensorMFC":
        """Read a picture, shape (3, height, width), uint8.

        Parameters
        ----------
        item : Picture, str, os.PathLike or PIL.Image.Image
        size : (int, int), optional
            Height and width wanted, pixels (default: its own).
        recipe : Recipe, optional
            How it was made.

        Returns
        -------
        TensorMFC

        Raises
        ------
        UsageError
            If it cannot be read.
        """
        picture = item if isinstance(item, Picture) else None
        pixels = jpeg.decode(picture.path if picture else item, size)  # type: ignore[arg-type]
        made = cls(torch.from_numpy(pixels.copy()).permute(2, 0, 1))
        made.shows = Rows([Shown(recipe, picture)])
        return made

    @classmethod
    def __torch_function__(cls, func: Callable, types: Any, args: Any = (),
                           kwargs: Any = None) -> Any:
        """As fastai's, which gives all results the attributes of the first tensor."""
        result = super().__torch_function__(func, types, args, kwargs)
        if isinstance(result, TensorMFC):
            if func in (torch.stack, torch.cat):
                result.shows = Rows(itertools.chain.from_iterable(
                    getattr(tensor, "shows", ()) for tensor in args[0]))
            elif func is torch.Tensor.__getitem__ and args[0].ndim == 4:
                result.shows = _taken(args[0].shows, args[1])
        return result

    def show(self, ctx: Any = None, title: str | None = None, **kwargs: Any) -> Any:
        """Draw one picture over time in seconds and coefficients.

        Rows of a channel that shows mel bands are bands, as many as there are coefficients.

        Parameters
        ----------
        ctx : matplotlib.axes.Axes, optional
            Where to draw. Without it a figure is made, and in a notebook a player is put below
            it if the recording is here.
        title : str, optional
        **kwargs
            Go to fastai's `show_image`.

        Returns
        -------
        matplotlib.axes.Axes
        """
        shown = self.shows[0] if len(self.shows) == 1 else Shown()
        axes = super().show(ctx=ctx, title=title, **_placement(shown), **kwargs)
        _label(axes, shown)
        if ctx is None:
            show_players([shown], [title or ""])
        return axes


def show_players(shown: Sequence[Shown], captions: Sequence[str]) -> None:
    """In a notebook, show a player for each picture whose recording is here.

    Parameters
    ----------
    shown : sequence of Shown [shape=(n,)]
    captions : sequence of str [shape=(n,)]
    """
    if in_notebook() and (text := players(shown, captions)):
        from IPython.display import HTML, display

        display(HTML(text))


def players(shown: Iterable[Shown], captions: Iterable[str]) -> str:
    """HTML with a play button for each picture whose recording is here.

    Parameters
    ----------
    shown : iterable of Shown [shape=(n,)]
    captions : iterable of str [shape=(n,)]

    Returns
    -------
    str
        Empty if there is no recording.
    """
    parts = []
    for what, caption in zip(shown, captions):
        if (sound := what.sound()) is None:
            continue
        data = base64.b64encode(as_wav(*sound)).decode()
        if what.picture is not None and what.picture.augmentation:
            caption += " (before it was altered)"
        parts.append('<figure style="display:inline-block;margin:4px">'
                     f"<figcaption>{html.escape(caption)}</figcaption>"
                     f'<audio controls src="data:audio/wav;base64,{data}"></audio></figure>')
    return "".join(parts)


def _taken(shows: Rows, index: Any) -> Rows:
    """What the pictures show that an index takes from a batch."""
    first = index[0] if isinstance(index, tuple) else index
    if not shows or first is None or first is Ellipsis:
        return shows
    if isinstance(first, torch.Tensor):
        first = torch.as_tensor(first).numpy(force=True)
    return Rows(shows[i] for i in np.atleast_1d(np.arange(len(shows))[first]))


def _placement(shown: Shown) -> dict[str, Any]:
    """Where `imshow` draws a picture: time to the right, the first coefficient at the bottom."""
    placement = {"origin": "lower", "aspect": "auto", "interpolation": "nearest"}
    if shown.recipe is None:
        return placement
    start_s = shown.picture.start_s if shown.picture else 0.0
    return placement | {"extent": (start_s, start_s + shown.recipe.window_s, -0.5,
                                   shown.recipe.n_mfcc - 0.5)}


def _label(axes: Any, shown: Shown) -> None:
    """Draw the axes, which fastai leaves out."""
    axes.axis("on")
    axes.tick_params(labelsize="small")
    known = shown.recipe is not None
    # Only a `Picture` knows where in the recording it starts.
    time = "time (s)" if shown.picture else "time in the picture (s)"
    axes.set_xlabel(time if known else "column", fontsize="small")
    axes.set_ylabel("coefficient" if known else "row", fontsize="small")
