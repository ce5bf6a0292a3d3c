"""Figures and pages for people: the only folder that imports matplotlib.

The functions are imported, and matplotlib with them, when they are first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
