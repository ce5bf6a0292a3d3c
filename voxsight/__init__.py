"""voxsight: is this voice labelled female or male, how sure, and what was heard?

A recording becomes a picture of mel-frequency cepstra (`voxsight.mfc`), a ResNet reads it
(`voxsight.prediction`) and class maps show where it looked (`voxsight.explanation`).
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("voxsight")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0.0.0"
