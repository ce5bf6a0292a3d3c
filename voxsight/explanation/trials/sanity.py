"""Does a map depend on what it claims to explain: the network's weights and the sound's place?

Weights are randomised from the head down (cascading) and one stage at a time (independent), as by
Adebayo et al., "Sanity Checks for Saliency Maps", 2018.
"""

import copy
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from voxsight.pictures import cepstra, jpeg
from voxsight.pictures.recipe import Recipe

if TYPE_CHECKING:
    from voxsight.network.architecture import Network
    from voxsight.network.folder import Architecture

SHIFT_FRAMES = 2


def untrained(architecture: "Architecture", seed: int) -> "Network":
    """A network as it is before training, by torchvision's own initialisation.

    Parameters
    ----------
    architecture : Architecture
    seed : int
        Of the random weights.

    Returns
    -------
    Network
    """
    import torch

    from voxsight.network.architecture import Network

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Network(architecture).eval()


def randomised(network: "Network", stages: Sequence[str], random: "Network") -> "Network":
    """Copy of a network some stages of which come from an untrained one.

    The batch normalisation after the first convolution belongs to ``conv1``.

    Parameters
    ----------
    network : Network
        The network, which is not changed.
    stages : sequence of str
        Names among `voxsight.network.architecture.STAGES`.
    random : Network
        As `untrained` returns it.

    Returns
    -------
    Network
    """
    result = copy.deepcopy(network)
    for stage in stages:
        for name in (stage, "bn1") if stage == "conv1" else (stage,):
            getattr(result.resnet, name).load_state_dict(
                getattr(random.resnet, name).state_dict())
    return result


def cascading() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Stages to randomise: from the head down, each that was randomised stays so.

    Yields
    ------
    stage : str
        The stage that is added.
    stages : tuple of str
        All that are random.
    """
    from voxsight.network.architecture import STAGES

    order = STAGES[::-1]
    for i, stage in enumerate(order, start=1):
        yield stage, order[:i]


def independent() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Stages to randomise: one alone, while the others stay trained; as `cascading`."""
    for stage, _ in cascading():
        yield stage, (stage,)


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's rank correlation of two maps.

    Parameters
    ----------
    one, other : np.ndarray [shape=(height, width)]
        Maps of the same shape.

    Returns
    -------
    float
        NaN if either is constant.

    Examples
    --------
    >>> round(rank_correlation(np.array([[1, 2, 9]]), np.array([[0, 3, 4]])), 6)
    1.0
    """
    from scipy.stats import rankdata

    if not (np.ptp(one) and np.ptp(other)):
        return float("nan")
    return float(np.corrcoef(rankdata(one), rankdata(other))[0, 1])


def shifted_pair(samples: np.ndarray, recipe: Recipe, frames: int = SHIFT_FRAMES) -> np.ndarray:
    """Two pictures of one sound, the second of which shows it a few frames earlier.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,)]
        Mono samples at the recipe's rate.
    recipe : Recipe
        Of the pictures.
    frames : int
        The shift.

    Returns
    -------
    np.ndarray [shape=(2, height, width, 3), uint8]
    """
    step = frames * recipe.hop_length
    samples = cepstra.pad(samples, recipe.window_samples)[: recipe.window_samples]
    return np.stack([jpeg.as_seen(part, recipe, leading_zeros=0)
                     for part in (samples[:-step], samples[step:])])


def stability(pair: np.ndarray, recipe: Recipe, frames: int = SHIFT_FRAMES) -> float:
    """Rank correlation of the maps of a `shifted_pair`, where both show the same sound.

    Parameters
    ----------
    pair : np.ndarray [shape=(2, height, width)]
        Maps, enlarged to the pictures.
    recipe : Recipe
        Of the pictures.
    frames : int
        The shift.

    Returns
    -------
    float
        NaN if a map is constant there.
    """
    step = round(frames * pair.shape[2] / recipe.frames)
    width = pair.shape[2] - 2 * step  # without the columns that show padding
    return rank_correlation(pair[0][:, step: step + width], pair[1][:, :width])
