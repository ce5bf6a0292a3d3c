"""Recipes: every number that shapes a picture, stored with whatever it made."""

import dataclasses

VIEWS = ("mfcc", "log_mel", "delta")


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Every number that shapes a picture.

    Frequencies are in Hz, lengths in samples at ``sample_rate``, levels in dB.
    """

    name: str
    sample_rate: int
    window_samples: int  # what one picture shows; shorter sound is padded with zeros
    height: int  # pixels
    width: int  # pixels
    win_length: int
    hop_length: int
    n_fft: int
    n_mels: int
    fmin: float
    fmax: float
    mel_scale: str  # "slaney" or "htk"
    n_mfcc: int
    lifter: int
    views: tuple  # what the red, green and blue channel show
    mfcc_zero: float  # grey level of a coefficient of 0
    mfcc_gain: float  # grey levels per unit of a liftered coefficient
    delta_gain: float = 0.0  # grey levels per dB and second
    level: str = "relative"  # "stored" keeps sample values and absolute levels
    pre_emphasis: float = 0.97
    top_db: float = 80.0  # floor below the maximum
    jpeg_quality: int = 75
    jpeg_subsampling: int = 2  # Pillow's number: 0 keeps colours at full resolution
    dtype: str = "float32"

    def __post_init__(self):
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
    def window_s(self):
        """Seconds that one picture shows."""
        return self.window_samples / self.sample_rate

    @property
    def frames(self):
        """How many frames one picture shows."""
        return 1 + (self.window_samples - self.win_length) // self.hop_length

    @property
    def remove_dc(self):
        """Whether recordings are freed of their offset first."""
        return self.level != "stored"

    def to_dict(self):
        """The recipe as it stands in ``recipe.json``."""
        return {**dataclasses.asdict(self), "views": list(self.views)}

    @classmethod
    def from_dict(cls, values):
        """Recipe from the contents of a ``recipe.json``.

        Raises
        ------
        ValueError
            if a field is missing, unknown or out of its range
        """
        try:
            return cls(**values)
        except TypeError as error:
            raise ValueError(f"not a recipe: {error}") from error


RECIPES = {
    # The published AudioMNIST picture: 12 coefficients, negative ones clipped to black.
    "audiomnist": Recipe(
        name="audiomnist", sample_rate=48_000, window_samples=47_998, height=224, width=224,
        win_length=1200, hop_length=480, n_fft=1200, n_mels=40, fmin=0.0, fmax=24_000.0,
        mel_scale="slaney", n_mfcc=12, lifter=22, views=("mfcc", "mfcc", "mfcc"),
        mfcc_zero=0.0, mfcc_gain=1.0, level="stored", dtype="float64",
    ),
    # For recordings of any origin: telephone band, indifferent to level, three views.
    "voxsight": Recipe(
        name="voxsight", sample_rate=16_000, window_samples=15_760, height=64, width=64,
        win_length=640, hop_length=240, n_fft=1024, n_mels=64, fmin=50.0, fmax=4_000.0,
        mel_scale="htk", n_mfcc=64, lifter=128, views=("mfcc", "log_mel", "delta"),
        mfcc_zero=128.0, mfcc_gain=0.2, delta_gain=0.2, jpeg_quality=95, jpeg_subsampling=0,
    ),
}
