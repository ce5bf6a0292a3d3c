"""Pictures as JPEG: training and prediction see the same pixels, after compression."""

import io
import os
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from voxsight.errors import UsageError
from voxsight.pictures import cepstra
from voxsight.pictures.recipe import Recipe

if TYPE_CHECKING:
    from PIL import Image


def encode(pixels: np.ndarray, recipe: Recipe) -> bytes:
    """JPEG of a picture.

    Parameters
    ----------
    pixels : np.ndarray [shape=(height, width, 3), uint8]
    recipe : Recipe
        Its quality and subsampling are used.

    Returns
    -------
    bytes
    """
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=recipe.jpeg_quality,
                                 subsampling=recipe.jpeg_subsampling)
    return out.getvalue()


def decode(jpeg: "bytes | str | os.PathLike | BinaryIO | Image.Image",
           size: tuple[int, int] | None = None) -> np.ndarray:
    """Pixels of a JPEG, resized in the same way for training and for prediction.

    Parameters
    ----------
    jpeg : bytes, str, os.PathLike, file or PIL.Image.Image
        Contents, path, open file, or a picture that was decoded already.
    size : (int, int), optional
        Height and width wanted (default: those of the JPEG).

    Returns
    -------
    np.ndarray [shape=(height, width, 3), uint8]

    Raises
    ------
    UsageError
        If a file that was named holds no picture, or only a part of one.
    """
    from PIL import Image

    try:
        image = (jpeg if isinstance(jpeg, Image.Image) else
                 Image.open(io.BytesIO(jpeg) if isinstance(jpeg, bytes) else jpeg)).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        if not isinstance(jpeg, str | os.PathLike):
            raise
        found = getattr(error, "strerror", None) or "no picture that can be read"
        raise UsageError(f"{jpeg}: found {found}, expected a picture of the dataset; put it back "
                         "or make the dataset again") from error
    if size and (image.height, image.width) != tuple(size):
        image = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.asarray(image)


def as_seen(samples: np.ndarray, recipe: Recipe, size: tuple[int, int] | None = None,
            leading_zeros: int | None = None) -> np.ndarray:
    """Picture of a stretch of sound as the network sees it: through JPEG and back.

    The network was trained on pictures that were stored as JPEG, and sees the same pixels.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,)]
        Mono samples at the recipe's rate.
    recipe : Recipe
    size : (int, int), optional
        Height and width wanted (default: those of the recipe).
    leading_zeros : int, optional
        As for `cepstra.picture`.

    Returns
    -------
    np.ndarray [shape=(height, width, 3), uint8]
    """
    return decode(encode(cepstra.picture(samples, recipe, leading_zeros), recipe), size)
