"""Where weights come from: a folder, or NAME or NAME@REVISION of Hugging Face's hub.

What a name stands for may change on the hub. Figures, saved models and stored embeddings
therefore name the commit, as far as it is known.
"""

import contextlib
import os
from pathlib import Path
from typing import Any


def name_and_revision(source: str | os.PathLike) -> tuple[str, dict[str, Any]]:
    """The name or folder, and the argument ``revision`` of the hub's functions if there is one.

    Examples
    --------
    >>> name_and_revision("facebook/wav2vec2-base@0b5b8e8"), name_and_revision("somebody/model")
    (('facebook/wav2vec2-base', {'revision': '0b5b8e8'}), ('somebody/model', {}))
    """
    source = os.fspath(source)
    name, _, revision = source.partition("@")
    if os.path.isdir(source) or not revision:
        return source, {}
    return name, {"revision": revision}


def pinned(source: str | os.PathLike, file: str) -> str:
    """The source with the commit that lies in the hub's cache, if there is one.

    Parameters
    ----------
    source : str or os.PathLike
    file : str
        One of the source's files.

    Returns
    -------
    str
        ``NAME@COMMIT``; a folder, or what is not in the cache, as it is given.
    """
    name, revision = name_and_revision(source)
    if not os.path.isdir(name):
        # The hub's own errors, such as that of a name that it cannot have, are ValueErrors.
        with contextlib.suppress(ImportError, OSError, ValueError):
            from huggingface_hub import try_to_load_from_cache

            place = try_to_load_from_cache(name, file, **revision)
            if isinstance(place, str):
                return f"{name}@{Path(place).parent.name}"
    return os.fspath(source)


def state_of(source: str | os.PathLike) -> list[tuple[str, int, int]]:
    """Names, sizes and modification times of the files of a folder; empty for other sources."""
    if not os.path.isdir(source):
        return []
    return sorted((path.name, path.stat().st_size, path.stat().st_mtime_ns)
                  for path in Path(source).iterdir() if path.is_file())
