"""Recipes: feature-extraction settings, saved with every dataset and model.

Two are built in. ``audiomnist`` reproduces the pictures of the published AudioMNIST project,
number by number. ``voxsight`` is the default, for recordings from any source:

- It keeps to the telephone band, up to 4 kHz, and is independent of level and offset, so that
  recordings from different sources look alike. 16 kHz is a rate that nearly every recording
  has at least.
- A window of 15,760 samples (0.985 s) has exactly 64 frames. With 64 mel bands and 64
  coefficients every view is 64 x 64 values, one per pixel, and nothing is resized.
- Frames of 40 ms every 15 ms and 64 coefficients keep the fine structure of the spectrum, pitch
  included, which the 12 coefficients of ``audiomnist`` leave out.
- The lifter is twice the number of coefficients, so that its weights rise up to the last one and
  fine detail, whose coefficients are small, is visible.
- A coefficient of 0 is grey level 128, so that negative coefficients are kept; ``audiomnist``
  clips them to black.
- The three channels show different views of the sound, so colours are stored at full resolution
  and at JPEG quality 95.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from voxsight.sound.windows import WindowSettings

VIEWS = ("mfcc", "log_mel", "delta")


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Feature-extraction settings of a picture.

    Attributes
    ----------
    name : str
    sample_rate : int
        Sampling rate to which recordings are converted, Hz.
    window_samples : int
        Sound that one picture shows, samples; shorter sound is padded with zeros.
    height, width : int
        Size of the picture, pixels.
    win_length : int
        Length of a frame, samples.
    hop_length : int
        Distance between the starts of frames, samples; at most `win_length`.
    n_fft : int
        Length of the Fourier transform of a frame, samples; at least `win_length`.
    n_mels : int
        Number of mel bands.
    fmin, fmax : float
        Lower end of the first and upper end of the last mel band, Hz.
    mel_scale : {"slaney", "htk"}
        Formula of the mel scale.
    n_mfcc : int
        Number of cepstral coefficients, at most `n_mels`.
    lifter : int
        Parameter L of the sinusoidal lifter. Coefficient k, from 0, is multiplied by
        ``1 + L / 2 * sin(pi * (k + 1) / L)``.
    views : tuple of str
        What the red, green and blue channel show: ``mfcc`` (the cepstrum), ``log_mel`` (the mel
        bands) or ``delta`` (their change over time).
    mfcc_zero : float
        Grey level of a coefficient of 0.
    mfcc_gain : float
        Grey levels per unit of a liftered coefficient.
    delta_gain : float
        Grey levels per dB per second, around 128.
    level : {"relative", "stored"}
        ``relative``: the mean level and the offset of a recording are removed. ``stored``: levels
        are absolute, 32768 for full scale. Floating-point PCM alone keeps its values unscaled, as
        in the published pictures.
    pre_emphasis : float
        Each sample is reduced by this fraction of the one before.
    top_db : float
        Levels in mel bands are at most this far below the maximum of the picture, dB.
    jpeg_quality : int
        Pillow's number, from 1 to 95.
    jpeg_subsampling : int
        Pillow's number: 0 keeps colours at full resolution, 2 halves it in both directions.
    dtype : {"float32", "float64"}
        Precision of the computation.

    Raises
    ------
    ValueError
        If fields contradict each other.
    """

    name: str
    sample_rate: int
    window_samples: int
    height: int
    width: int
    win_length: int
    hop_length: int
    n_fft: int
    n_mels: int
    fmin: float
    fmax: float
    mel_scale: str
    n_mfcc: int
    lifter: int
    views: tuple[str, ...]
    mfcc_zero: float
    mfcc_gain: float
    delta_gain: float = 0.0
    level: str = "relative"
    pre_emphasis: float = 0.97
    top_db: float = 80.0
    jpeg_quality: int = 75
    jpeg_subsampling: int = 2
    dtype: str = "float32"

    def __post_init__(self) -> None:
        object.__setattr__(self, "views", tuple(self.views))
        unknown = set(self.views) - set(VIEWS)
        if unknown or len(self.views) != 3:
            raise ValueError(f"views={self.views}: three of {VIEWS} are expected")
        if self.hop_length > self.win_length:
            raise ValueError(f"hop_length={self.hop_length} exceeds win_length="
                             f"{self.win_length}: samples would be skipped")
        if not self.win_length <= self.n_fft:
            raise ValueError(f"win_length={self.win_length} exceeds n_fft={self.n_fft}")
        if not 0 <= self.fmin < self.fmax <= self.sample_rate / 2:
            raise ValueError(f"fmin={self.fmin}, fmax={self.fmax}: expected 0 <= fmin < fmax"
                             f" <= {self.sample_rate / 2} Hz")
        if self.n_mfcc > self.n_mels:
            raise ValueError(f"n_mfcc={self.n_mfcc} exceeds n_mels={self.n_mels}")

    @property
    def window_s(self) -> float:
        """Duration that one picture shows, seconds."""
        return self.window_samples / self.sample_rate

    @property
    def frames(self) -> int:
        """Number of frames that one picture shows.

        Examples
        --------
        >>> RECIPES["voxsight"].frames
        64
        """
        return 1 + (self.window_samples - self.win_length) // self.hop_length

    @property
    def window_settings(self) -> WindowSettings:
        """How recordings are read and cut into windows."""
        return WindowSettings(self.sample_rate, self.window_samples, self.level == "stored")

    def to_dict(self) -> dict[str, Any]:
        """The recipe as it is written to ``recipe.json``."""
        return {**dataclasses.asdict(self), "views": list(self.views)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Recipe":
        """Recipe from the contents of a ``recipe.json``.

        Parameters
        ----------
        values : dict
            As `to_dict` returns it.

        Returns
        -------
        Recipe

        Raises
        ------
        ValueError
            If a field is missing, unknown or out of its range.

        Examples
        --------
        >>> Recipe.from_dict(RECIPES["voxsight"].to_dict()) == RECIPES["voxsight"]
        True
        """
        try:
            return cls(**values)
        except TypeError as error:
            raise ValueError(f"not a recipe: {error}") from error


RECIPES = {
    "audiomnist": Recipe(
        name="audiomnist", sample_rate=48_000, window_samples=47_998, height=224, width=224,
        win_length=1200, hop_length=480, n_fft=1200, n_mels=40, fmin=0.0, fmax=24_000.0,
        mel_scale="slaney", n_mfcc=12, lifter=22, views=("mfcc", "mfcc", "mfcc"),
        mfcc_zero=0.0, mfcc_gain=1.0, level="stored", dtype="float64",
    ),
    "voxsight": Recipe(
        name="voxsight", sample_rate=16_000, window_samples=15_760, height=64, width=64,
        win_length=640, hop_length=240, n_fft=1024, n_mels=64, fmin=50.0, fmax=4_000.0,
        mel_scale="htk", n_mfcc=64, lifter=128, views=("mfcc", "log_mel", "delta"),
        mfcc_zero=128.0, mfcc_gain=0.2, delta_gain=0.2, jpeg_quality=95, jpeg_subsampling=0,
    ),
}
