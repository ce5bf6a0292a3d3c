"""Whether a map depends on what it claims to explain: weights and place of the sound."""

import copy

import numpy as np

from voxsight import mfc
from voxsight.explanation import enlarge

SHIFT_FRAMES = 2


def randomised(network, stages, seed):
    """Copy of a network whose given stages are as before training.

    Parameters
    ----------
    network : network.Network
    stages : sequence of str
        names among `network.STAGES`
    seed : int

    Returns
    -------
    network.Network
    """
    import torch

    own = copy.deepcopy(network)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for name in stages:
            parts = [own.resnet.bn1] if name == "conv1" else []
            for module in [*parts, *getattr(own.resnet, name).modules()]:
                if hasattr(module, "reset_parameters"):
                    module.reset_parameters()
    return own.eval()


def cascade(network, maps_of, size, seed=0):
    """Rank correlation of maps with those of ever more randomised networks.

    From the head down to the first convolution, each stage randomised stays so (Adebayo et
    al., "Sanity Checks for Saliency Maps", 2018).

    Parameters
    ----------
    network : network.Network
    maps_of : callable
        network -> maps [shape=(n, h, w)]
    size : (int, int)
        of the pictures, to which maps are enlarged first
    seed : int

    Returns
    -------
    dict of str to np.ndarray [shape=(n,)]
        per stage, in the order in which they are randomised; NaN for a map that says the
        same everywhere
    """
    from voxsight.network import STAGES

    original = enlarge(maps_of(network), size)
    found, done = {}, []
    for stage in reversed(STAGES):
        done.append(stage)
        heat = enlarge(maps_of(randomised(network, done, seed)), size)
        found[stage] = np.array([rank_correlation(a, b) for a, b in zip(original, heat)])
    return found


def rank_correlation(one, other):
    """Spearman's correlation of two maps of one shape; NaN if either is constant."""
    from scipy.stats import rankdata

    if not (np.ptp(one) and np.ptp(other)):
        return float("nan")
    return float(np.corrcoef(rankdata(one), rankdata(other))[0, 1])


def shifted_pair(samples, recipe, frames=SHIFT_FRAMES):
    """Two pictures of one sound, the second of which shows it some frames earlier.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,)]
    recipe : recipes.Recipe
    frames : int

    Returns
    -------
    np.ndarray [shape=(2, height, width, 3), uint8]
    """
    step = frames * recipe.hop_length
    samples = mfc.pad(samples, recipe.window_samples)[: recipe.window_samples]
    parts = (samples[:-step], samples[step:])
    return np.stack([mfc.decode(mfc.encode(mfc.picture(part, recipe, 0), recipe))
                     for part in parts])


def stability(pair, recipe, frames=SHIFT_FRAMES):
    """Rank correlation of the maps of a `shifted_pair` where both show the same sound.

    Parameters
    ----------
    pair : np.ndarray [shape=(2, height, width)]
        maps, enlarged
    recipe, frames
        as for `shifted_pair`

    Returns
    -------
    float
    """
    step = round(frames * pair.shape[2] / recipe.frames)
    width = pair.shape[2] - 2 * step  # what was padded shows in neither
    return rank_correlation(pair[0][:, step: step + width], pair[1][:, :width])
