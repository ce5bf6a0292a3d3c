"""voxsight: would speech corpora label this voice female or male, and why?

A recording becomes a picture of mel-frequency cepstra, a ResNet reads it, and attribution maps
show what the answer is based on.

    import voxsight
    voxsight.classify("a.wav")

The folders of this package are the stages from sound to answer; names are imported when they
are first used.
"""

from importlib.metadata import PackageNotFoundError, version

import lazy_loader

from voxsight.base.environment import prepare_environment

# Here, since whatever of this package is used first, in whatever process, imports this first.
prepare_environment()
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

try:
    __version__ = version("voxsight")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0.0.0"
