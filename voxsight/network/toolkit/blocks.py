"""fastai's blocks for pictures and for their labels."""

import functools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from fastai.data.block import DataBlock, TransformBlock
from fastai.data.core import DataLoaders
from fastai.data.transforms import (
    Categorize,
    Category,
    IndexSplitter,
    IntToFloatTensor,
    Normalize,
)
from fastai.torch_core import TensorCategory
from fasttransform import Transform
from PIL.Image import Image

from voxsight.base.parallel.processes import available_cores
from voxsight.corpora.utterance import LABELS, UNLABELLED
from voxsight.errors import UsageError
from voxsight.network.distributed import processes
from voxsight.network.folder import Architecture
from voxsight.network.toolkit import showing  # noqa: F401  tells fastai how they are shown
from voxsight.network.toolkit.tensors import TensorMFC
from voxsight.network.toolkit.transforms import JitterRows, MaskBands
from voxsight.pictures.dataset import Picture, read_recipe
from voxsight.pictures.recipe import Recipe

_MOST_WORKERS = 8  # that decode JPEGs for a GPU
_PROBABILITY_OF_MALE = dict(zip((*LABELS, UNLABELLED), (0.0, 1.0, math.nan)))


class MFCBlock(TransformBlock):
    """fastai's block for pictures of mel cepstra; items are paths, `Picture` or PIL's images.

    Pictures are scaled and normalised as the networks of this project expect. They are not
    flipped, rotated or warped: time and coefficients are not interchangeable.

    Parameters
    ----------
    size : (int, int), optional
        Height and width that the network sees, pixels (default: those of each picture).
    recipe : Recipe, optional
        How the pictures were made, for their axes (default: as ``recipe.json`` beside each of
        them says).
    """

    def __init__(self, size: tuple[int, int] | None = None, recipe: Recipe | None = None) -> None:
        super().__init__(type_tfms=[_Read(size, recipe)], batch_tfms=[
            IntToFloatTensor(), Normalize.from_stats(Architecture.mean, Architecture.std)])


class LabelBlock(TransformBlock):
    """A `CategoryBlock` of female and male whose labels may be soft or missing.

    A target is ``female``, ``male`` or ``unlabelled``, or a `Picture`. It becomes the probability
    of male, NaN without a label. That is the index of the category where the label is sure.

    Parameters
    ----------
    embeddings : dict of str to np.ndarray [shape=(d,), float32], optional
        A teacher's embedding of the voice in each picture by its path. They follow the label in
        the target, where the callback `Teacher` finds them.
    sure : bool
        Every target is a `Picture` whose label is sure, and becomes the integer that fastai's
        own losses want.
    """

    def __init__(self, embeddings: Mapping[str, np.ndarray] | None = None,
                 sure: bool = False) -> None:
        super().__init__(type_tfms=[_SoftCategorize(embeddings, sure)])


def loaders(pictures: Sequence[Picture], valid: np.ndarray, size: tuple[int, int] | None = None,
            *, batch: int = 64, augment: float = 0.0, row_jitter: float = 0.0,
            recipe: Recipe | None = None, embeddings: np.ndarray | None = None) -> DataLoaders:
    """fastai's loaders of pictures and their labels.

    Parameters
    ----------
    pictures : sequence of Picture [shape=(n,)]
    valid : np.ndarray [shape=(m,), int]
        Indices of the pictures that validate.
    size : (int, int), optional
        Height and width that the network sees, pixels (default: those of the pictures).
    batch : int
        Pictures in a batch, of all processes together.
    augment : float
        Fraction of the training pictures that are masked, see `MaskBands`.
    row_jitter : float
        See `JitterRows`.
    recipe : Recipe, optional
        As for `MFCBlock`.
    embeddings : np.ndarray [shape=(n, d), float32], optional
        A teacher's embedding of the voice behind each picture.

    Returns
    -------
    fastai.data.core.DataLoaders
    """
    by_path = (None if embeddings is None
               else {picture.path: row for picture, row in zip(pictures, embeddings)})
    sure = by_path is None and all(picture.target in (0.0, 1.0) for picture in pictures)
    block = DataBlock((MFCBlock(size, recipe), LabelBlock(by_path, sure)),
                      splitter=IndexSplitter(valid),
                      batch_tfms=[JitterRows(row_jitter), MaskBands(augment)])
    # fastai drops a training batch that is not full, so that it must not be the only one.
    size_of_batch = max(1, min(batch, len(pictures) - len(valid)) // processes())
    return block.dataloaders(list(pictures), bs=size_of_batch, **_loading())


def _loading() -> dict[str, int | bool]:
    """How pictures are loaded: a GPU would wait for one process that decodes them.

    On the processor the network uses all cores itself, and further processes only disturb it.
    """
    if not torch.cuda.is_available():
        return {"num_workers": 0}
    return {"num_workers": min(_MOST_WORKERS, available_cores()), "pin_memory": True}


class _Read(Transform):
    """Read the picture of an item."""

    input_types = (Picture, str, Path, Image)  # those that fastai's predict and test_dl take

    def __init__(self, size: tuple[int, int] | None, recipe: Recipe | None) -> None:
        if isinstance(size, int):
            raise UsageError(f"found the size {size}, expected height and width in pixels, such "
                             f"as ({size}, {size})")
        self.size, self.recipe = size, recipe

    def encodes(self, item: Picture | str | Path | Image) -> TensorMFC:
        recipe = self.recipe
        if recipe is None and not isinstance(item, Image):
            path = item.path if isinstance(item, Picture) else item
            recipe = _recipe_beside(Path(path).parent)
        return TensorMFC.of(item, self.size, recipe)


@functools.lru_cache
def _recipe_beside(folder: Path) -> Recipe | None:
    return read_recipe(folder) if (folder / "recipe.json").is_file() else None


class _SoftCategorize(Categorize):
    """As `Categorize`, for labels that may be soft or missing, with what a teacher says."""

    def __init__(self, embeddings: Mapping[str, np.ndarray] | None, sure: bool) -> None:
        super().__init__(vocab=list(LABELS), sort=False)
        self.embeddings, self.sure = embeddings, sure

    def encodes(self, o: Picture | str) -> TensorCategory:
        if isinstance(o, str):
            if o not in _PROBABILITY_OF_MALE:
                raise UsageError(f"found the label {o!r}, expected "
                                 f"{', '.join(_PROBABILITY_OF_MALE)}; map yours to these in get_y")
            return TensorCategory(_PROBABILITY_OF_MALE[o])
        if self.embeddings is None:
            male = 1.0 - o.target
            return TensorCategory(int(male) if self.sure and male in (0.0, 1.0) else male)
        return TensorCategory([1.0 - o.target, *self.embeddings[o.path]])

    def decodes(self, o: torch.Tensor) -> Category:
        male = float(o.flatten()[0])
        if math.isnan(male):
            return Category(UNLABELLED)
        return Category(LABELS[round(male)] if male in (0.0, 1.0) else " or ".join(LABELS))
