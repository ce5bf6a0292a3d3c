"""Does a map depend on what it claims to explain: the network's weights and the sound's place?"""

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from voxsight.explanation.maps import enlarge
from voxsight.pictures import cepstra, jpeg
from voxsight.pictures.recipe import Recipe

if TYPE_CHECKING:
    from voxsight.network.architecture import Network

SHIFT_FRAMES = 2


def randomised(network: "Network", stages: Sequence[str], seed: int) -> "Network":
    """Copy of a network with some stages as they are before training.

    The batch normalisation after the first convolution belongs to ``conv1``.

    Parameters
    ----------
    network : Network
        The network, which is not changed.
    stages : sequence of str
        Names among `voxsight.network.architecture.STAGES`.
    seed : int
        Of the random weights.

    Returns
    -------
    Network
    """
    import torch

    result = copy.deepcopy(network)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for stage in stages:
            modules = list(getattr(result.resnet, stage).modules())
            if stage == "conv1":
                modules.insert(0, result.resnet.bn1)
            for module in modules:
                if hasattr(module, "reset_parameters"):
                    module.reset_parameters()
    return result.eval()


def cascade(network: "Network", maps_of: Callable[["Network"], np.ndarray],
            size: tuple[int, int], seed: int = 0) -> dict[str, np.ndarray]:
    """Rank correlation of maps with those of more and more randomised networks.

    From the head down to the first convolution, each stage that was randomised stays so
    (Adebayo et al., "Sanity Checks for Saliency Maps", 2018).

    Parameters
    ----------
    network : Network
        The trained network.
    maps_of : callable
        From a network to maps [shape=(n, h, w)].
    size : (int, int)
        Height and width of the pictures, to which maps are enlarged first.
    seed : int
        Of the random weights.

    Returns
    -------
    dict of str to np.ndarray [shape=(n,)]
        Per stage, in the order in which they are randomised; NaN for a constant map.
    """
    from voxsight.network.architecture import STAGES

    original = enlarge(maps_of(network), size)
    correlations: dict[str, np.ndarray] = {}
    stages: list[str] = []
    for stage in reversed(STAGES):
        stages.append(stage)
        heat = enlarge(maps_of(randomised(network, stages, seed)), size)
        correlations[stage] = np.array([rank_correlation(one, other)
                                        for one, other in zip(original, heat)])
    return correlations


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
