"""Pretrained voice encoders and their embeddings.

An encoder is a class in a module of its own, registered in `ENCODERS`. It has a ``name`` and the
method ``embed(speech)``; see `Encoder`.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from voxsight.encoders.hub import pinned, state_of
from voxsight.errors import UsageError

if TYPE_CHECKING:
    import numpy as np


class Entry(NamedTuple):
    """Where an encoder is.

    Attributes
    ----------
    module, class_name : str
    size : int or None
        Length of its embeddings; None if that depends.
    published, file : str
        Where its weights are published on Hugging Face's hub, and one of the files there; empty
        if they come with a package.
    """

    module: str
    class_name: str
    size: int | None
    published: str = ""
    file: str = ""


ENCODERS = {
    "resemblyzer": Entry("resemblyzer", "Resemblyzer", 256),
    "ecapa": Entry("ecapa", "Ecapa", 192, "Wespeaker/wespeaker-ecapa-tdnn512-LM",
                   "voxceleb_ECAPA512_LM.onnx"),
    "wav2vec2": Entry("wav2vec2", "Wav2Vec2", 768, "facebook/wav2vec2-base", "config.json"),
    "mfcc": Entry("mfcc", "Mfcc", None),
}
NETWORKS = ("resemblyzer", "ecapa", "wav2vec2")  # those that are neural networks
TEACHERS = ("resemblyzer",)  # those that the picture network can learn from


class Encoder(Protocol):
    """Turns speech into a vector."""

    name: str

    def embed(self, speech: np.ndarray) -> np.ndarray:
        """Embedding, shape (size,), of speech at 16 kHz without long pauses, shape (n,)."""


def pinned_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of an encoder, with the commit of its weights in ``source`` if it is known.

    Parameters
    ----------
    name : str
        Key of `ENCODERS`.
    options : mapping
        As for `find_encoder`.

    Returns
    -------
    dict
    """
    entry = ENCODERS.get(name)
    if not entry or not entry.file:
        return dict(options)
    return {**options, "source": pinned(options.get("source") or entry.published, entry.file)}


def settings_of(name: str, options: Mapping[str, Any]) -> tuple[object, ...]:
    """What tells the embeddings of an encoder from those of others.

    Parameters
    ----------
    name : str
        Key of `ENCODERS`.
    options : mapping
        As for `find_encoder`.

    Returns
    -------
    tuple
        The name, the options with the commit of the weights, and the state of their folder.

    Raises
    ------
    UsageError
        If the weights have to be fetched to know their commit, and cannot be.
    """
    known = pinned_options(name, options)
    source = known.get("source", "")
    if source and not os.path.isdir(source) and "@" not in source:
        find_encoder(name, **options)  # which fetches the weights
        known = pinned_options(name, options)
    return name, sorted(known.items()), state_of(source)


def find_encoder(name: str, **options: object) -> Encoder:
    """An encoder, loaded.

    Parameters
    ----------
    name : str
        Key of `ENCODERS`.
    **options
        ``source`` (a folder, or NAME or NAME@REVISION of the hub) or ``layer``, if the encoder
        has them.

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
