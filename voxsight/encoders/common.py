"""What several encoders share."""

import numpy as np

from voxsight.errors import UsageError
from voxsight.sound.excerpts import RATE

SHORTEST_S = 0.5  # shorter speech is repeated, not padded with silence


def at_least(speech: np.ndarray, seconds: float = SHORTEST_S) -> np.ndarray:
    """Speech at 16 kHz, repeated until it lasts `seconds`; shape (m,), float32.

    Examples
    --------
    >>> len(at_least(np.ones(1)))
    8000
    """
    return np.resize(speech, max(len(speech), int(seconds * RATE))).astype(np.float32)


def missing_extra(encoder: str, error: ImportError) -> UsageError:
    """Error of an encoder whose package is not installed."""
    return UsageError(f"the encoder {encoder} could not be imported ({error}); it needs the "
                      "extra: pip install 'voxsight[embeddings]'")


def first_line(error: Exception) -> str:
    """First line of an error's message, or its kind."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
