"""voxsight: is this voice labelled female or male, how sure, and what was heard?

A recording becomes a picture of mel-frequency cepstra (`voxsight.mfc`), a ResNet reads it
(`voxsight.prediction`) and maps show where it looked (`voxsight.explanation`).

    import voxsight
    voxsight.classify("a.wav")
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("voxsight")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0.0.0"


def __getattr__(name):
    if name == "classify":  # imported when asked for, since it takes half a second
        from voxsight.answering import classify

        return classify
    raise AttributeError(f"module 'voxsight' has no attribute {name!r}")
