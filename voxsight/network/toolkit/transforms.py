"""Random changes of training pictures."""

import torch
from fastai.torch_core import TensorImage
from fasttransform import Transform

# One unit of strength in `JitterRows`; standard deviations of the shift in units of the
# normalised picture, and of the logarithm of the gain.
_SHIFT, _LOG_GAIN = 0.3, 0.2


class MaskBands(Transform):
    """Set a stretch of time and a band of rows to the mean, in some of the pictures.

    This is SpecAugment (Park et al., "SpecAugment: a simple data augmentation method for
    automatic speech recognition", 2019) without time warping. Pictures are never flipped,
    rotated or warped, since their axes are not interchangeable.

    Parameters
    ----------
    fraction : float
        Fraction of the pictures that are masked.
    time, rows : float
        The longest mask, as a fraction of the width and of the height.
    """

    order, split_idx = 100, 0  # after normalisation, on training batches only

    def __init__(self, fraction: float, time: float = 0.25, rows: float = 0.15) -> None:
        self.fraction, self.time, self.rows = fraction, time, rows

    def encodes(self, x: TensorImage) -> TensorImage:
        """The batch with its masks."""
        n, _, height, width = x.shape
        is_masked = torch.rand(n, 1, 1, 1) < self.fraction
        masks = (_random_bands(n, height, self.rows)[:, None, :, None]
                 | _random_bands(n, width, self.time)[:, None, None, :])
        return x.masked_fill((is_masked & masks).to(x.device), 0.0)


class JitterRows(Transform):
    """Multiply and shift each band of rows at random, for every training picture.

    A network that saw few speakers recognises them by the mean and spread of each cepstral
    coefficient. With those changed at random for every picture, it has to use the rest.

    Parameters
    ----------
    strength : float
        With 1 a band is shifted by 0.3 of the normalised unit and multiplied by exp(0.2),
        both standard deviations.
    bands : int
        Number of bands.
    """

    order, split_idx = 99, 0  # before MaskBands, so that masks keep their value

    def __init__(self, strength: float, bands: int = 12) -> None:
        self.strength, self.bands = strength, bands

    def encodes(self, x: TensorImage) -> TensorImage:
        """The batch with its rows changed."""
        if not self.strength:
            return x
        n, _, height, _ = x.shape
        band_of_row = torch.arange(height) * self.bands // height
        normal = torch.randn(2, n, self.bands)[..., band_of_row][:, :, None, :, None].to(x.device)
        gain = (_LOG_GAIN * self.strength * normal[0]).exp()
        return x * gain + _SHIFT * self.strength * normal[1]


def _random_bands(n: int, length: int, longest: float) -> torch.Tensor:
    """One random band of up to `longest` of `length` in each of n rows, shape (n, length)."""
    extent = torch.rand(n, 1) * longest * length
    start = torch.rand(n, 1) * (length - extent)
    steps = torch.arange(length)
    return (steps >= start) & (steps < start + extent)
