import numpy as np
import pytest
import torch

from voxsight.explanation import enlarge, grad_cam, scaled
from voxsight.prediction import PictureModel


@pytest.mark.parametrize("label", ["female", "male"])
def test_class_maps_are_grad_cam(tiny_model, rng, label):
    """Equal to pytorch-grad-cam's maps of the last stage, gradients and all."""
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    folder, network = tiny_model
    pictures = rng.integers(0, 256, (4, 64, 96, 3), np.uint8)
    _, maps = PictureModel(folder).run(pictures)

    mean, std = torch.tensor((0.485, 0.456, 0.406)), torch.tensor((0.229, 0.224, 0.225))
    batch = ((torch.from_numpy(pictures) / 255 - mean) / std).permute(0, 3, 1, 2)
    target = ClassifierOutputTarget(["female", "male"].index(label))
    with GradCAM(model=network, target_layers=[network.layer4[-1]]) as cam:
        theirs = cam(input_tensor=batch, targets=[target] * 4)
    # pytorch-grad-cam brings each map to [0, 1], enlarges it and does so again.
    ours = unit(enlarge(unit(grad_cam(maps, label)), (64, 96)))
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def unit(heat):
    heat = heat - heat.min(axis=(1, 2), keepdims=True)
    return heat / (heat.max(axis=(1, 2), keepdims=True) + 1e-7)


def test_enlarging_keeps_place_and_range():
    heat = np.zeros((1, 4, 4))
    heat[0, 1, 2] = 2.0
    large = enlarge(heat, (64, 64))[0]
    row, column = np.unravel_index(large.argmax(), large.shape)
    assert 16 <= row < 32 and 32 <= column < 48
    assert large.max() <= 2.0 and large.min() == 0


def test_class_means_by_hand(tmp_path, monkeypatch):
    """Two females whose maps light one corner each, one male with his own."""
    import types

    from voxsight import mfc
    from voxsight.datasets import Picture
    from voxsight.explanation import class_means

    maps = np.zeros((3, 2, 2, 2))
    maps[0, 0, 0, 0] = 5.0
    maps[1, 0, 1, 1] = 0.5
    maps[2, 1, 0, 1] = 1.0
    classifier = types.SimpleNamespace(
        config=types.SimpleNamespace(architecture=types.SimpleNamespace(size=(2, 2))),
        run=lambda pictures: (None, maps))
    monkeypatch.setattr(mfc, "decode", lambda path, size: np.zeros((2, 2, 3), np.uint8))
    means = class_means(classifier, [Picture("", "", "", g, "") for g in
                                     ("female", "female", "male")], quiet=True)
    np.testing.assert_allclose(means["female"]["mean_map"], [[0.5, 0], [0, 0.5]])
    np.testing.assert_allclose(means["male"]["mean_map"], [[0, 1], [0, 0]])
    np.testing.assert_allclose(means["male"]["rows"], [0.5, 0])
    assert (means["female"]["n"], means["male"]["n"]) == (2, 1)


def test_no_evidence_stays_nothing():
    assert scaled(np.zeros((2, 4, 4))).max() == 0
    assert grad_cam(-np.ones((1, 2, 4, 4)), "male").max() == 0
