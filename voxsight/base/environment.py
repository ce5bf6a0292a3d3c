"""Environment variables that keep libraries from calling out and from failing without a home.

They are set before any of these libraries is imported, and workers inherit them. What the user
has set stays as it is, unless it cannot be written to.
"""

import os
from pathlib import Path

# ONNX Runtime asks when its library is loaded, and its own function to turn it off comes too late:
# by then it has written a number of this machine into the home folder.
SILENT = {"ORT_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
# Folders of models below that of caches: they are read where they are, also if that is read-only.
MODELS = {"HF_HOME": "huggingface", "TORCH_HOME": "torch"}


def prepare_environment() -> None:
    """Turn telemetry off, and move caches where the home folder cannot be written to."""
    for variable, value in SILENT.items():
        os.environ.setdefault(variable, value)
    settings = _home(".config", "MPLCONFIGDIR", "XDG_CONFIG_HOME")
    caches = _home(".cache", "XDG_CACHE_HOME")
    if _is_writable(settings) and _is_writable(caches):
        return
    from voxsight.base.private import private_folder
    from voxsight.errors import UsageError

    try:
        folder = private_folder()
    except UsageError:  # then each library looks for a place of its own
        return
    if not _is_writable(settings):
        os.environ["MPLCONFIGDIR"] = str(folder / "matplotlib")
    if not _is_writable(caches):  # also those of numba, and of fontconfig, which has no other name
        for variable, name in MODELS.items():
            if (caches / name).is_dir():
                os.environ.setdefault(variable, str(caches / name))
        os.environ["XDG_CACHE_HOME"] = str(folder)


def _home(name: str, *variables: str) -> Path:
    """The folder that the first of the variables names, or else one in the home folder."""
    named = filter(None, map(os.environ.get, variables))
    return Path(next(named, os.path.expanduser(f"~/{name}")))


def _is_writable(folder: Path) -> bool:
    """Whether a folder can be written to or, if it does not exist, be made."""
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    # A path that is not absolute names no home at all.
    return folder.is_absolute() and folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
