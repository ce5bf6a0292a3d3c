"""Pretrained voice encoders and their embeddings.

An encoder is a class in a module of its own, registered in `ENCODERS`. It has a ``name`` and the
method ``embed(speech)``; see `Encoder`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, NamedTuple, Protocol

from voxsight.errors import UsageError

if TYPE_CHECKING:
    import numpy as np


class Entry(NamedTuple):
    """Where an encoder is, and how long its embeddings are (None if that depends)."""

    module: str
    class_name: str
    size: int | None


ENCODERS = {
    "resemblyzer": Entry("resemblyzer", "Resemblyzer", 256),
    "ecapa": Entry("ecapa", "Ecapa", 192),
    "wav2vec2": Entry("wav2vec2", "Wav2Vec2", 768),
    "mfcc": Entry("mfcc", "Mfcc", None),
}
NETWORKS = ("resemblyzer", "ecapa", "wav2vec2")  # those that are neural networks
TEACHERS = ("resemblyzer",)  # those that the picture network can learn from


class Encoder(Protocol):
    """Turns speech into a vector."""

    name: str

    def embed(self, speech: np.ndarray) -> np.ndarray:
        """Embedding, shape (size,), of speech at 16 kHz without long pauses, shape (n,)."""


def find_encoder(name: str, **options: object) -> Encoder:
    """An encoder, loaded.

    Parameters
    ----------
    name : str
        Key of `ENCODERS`.
    **options
        ``source`` or ``layer``, if the encoder has them.

    Returns
    -------
    Encoder

    Raises
    ------
    UsageError
        If there is none of that name, or its package or weights are missing.
    """
    if name not in ENCODERS:
        raise UsageError(f"encoder {name}: expected one of {', '.join(ENCODERS)}")
    entry = ENCODERS[name]
    encoder = getattr(importlib.import_module(f"{__name__}.{entry.module}"), entry.class_name)
    try:
        return encoder(**options)
    except TypeError as error:
        raise UsageError(f"encoder {name}: has no {' and no '.join(options)}; omit --source and "
                         "--layer") from error
