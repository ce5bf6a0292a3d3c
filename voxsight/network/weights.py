"""The weights that a training starts from."""

import contextlib
import os
import re
import sys
from pathlib import Path

import numpy as np
import torch
import torchvision

from voxsight.base import files
from voxsight.errors import UsageError
from voxsight.network.folder import load_weights

_REMEDY = ("connect to the internet once, or train from scratch with --weights none, or name a "
           ".safetensors file of a torchvision state dict or a voxsight model folder with "
           "--weights PATH")


def initial_weights(weights: str | os.PathLike, arch: str, *,
                    quiet: bool = False) -> dict[str, np.ndarray]:
    """Tensors under torchvision's names to start from.

    Parameters
    ----------
    weights : str or os.PathLike
        ``imagenet``, a safetensors file or a voxsight model folder.
    arch : str
        torchvision's name of the network, for ``imagenet``.
    quiet : bool
        No progress bar of a download.

    Returns
    -------
    dict of str to np.ndarray

    Raises
    ------
    UsageError
        If they cannot be downloaded or read, or are not those that were published.
    """
    return _imagenet(arch, quiet) if weights == "imagenet" else load_weights(weights)


def origin_of(weights: str | os.PathLike, arch: str) -> str:
    """Where weights come from, in words for a model card.

    Parameters
    ----------
    weights, arch
        As for `initial_weights`.

    Returns
    -------
    str
    """
    if weights != "imagenet":
        return os.fspath(weights)
    return f"imagenet, torchvision's {_published(arch)} ({_published(arch).url})"


def _published(arch: str) -> torchvision.models.WeightsEnum:
    return torchvision.models.get_model_weights(arch)["IMAGENET1K_V1"]


def _imagenet(arch: str, quiet: bool) -> dict[str, np.ndarray]:
    """ImageNet's weights from torch's cache, into which they are downloaded if need be."""
    published = _published(arch)
    cached = Path(torch.hub.get_dir()) / "checkpoints" / Path(published.url).name
    _check_contents(cached)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # torch says there that it downloads
            state = published.get_state_dict(progress=not quiet, check_hash=True,
                                             weights_only=True)
    except (OSError, RuntimeError) as error:
        raise UsageError(f"--weights imagenet: {published.url} could not be fetched ({error}), "
                         f"expected a download of up to 83 MB; {_REMEDY}") from error
    return {name: tensor.numpy() for name, tensor in state.items()}


def _check_contents(cached: Path) -> None:
    """Refuse a cached file with other contents than its name says.

    torch compares the SHA-256, of which the name holds the start, when it downloads a file, but
    not when it finds one.
    """
    start = re.search(r"-([0-9a-f]{8,})\.", cached.name)
    assert start is not None  # as torchvision names all its files
    if cached.is_file() and not (found := files.sha256(cached)).startswith(start[1]):
        raise UsageError(f"--weights imagenet: {cached}: found contents whose SHA-256 starts with "
                         f"{found[:8]}, expected {start[1]}, since it was cut or is another file; "
                         "delete it, and it is downloaded anew")
