"""Exports load in the library they are for and answer like the model they came from."""

import json

import numpy as np
import pytest
import torch
from fastai.interpret import ClassificationInterpretation

from voxsight.answer.picture_model import PictureModel
from voxsight.errors import UsageError
from voxsight.network.export import hub_network, load_learner
from voxsight.network.toolkit.losses import LabelLoss


@pytest.fixture
def pictures(rng):
    return rng.integers(0, 256, (5, 64, 64, 3), np.uint8)


def p_female(logits):
    return 1 / (1 + np.exp(-(logits[:, 0] - logits[:, 1]).astype(float)))


@pytest.fixture
def exported(script, tiny_model, tmp_path):
    def run(kind, *flags):
        done = script("export_model", tiny_model[0], "--to", kind, "--out", tmp_path / kind, *flags)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == str(tmp_path / kind)
        return tmp_path / kind

    return run


def test_onnx_is_one_file_that_stands_alone(exported, tiny_model, pictures, tmp_path):
    import onnxruntime

    path = exported("onnx")
    (tmp_path / "elsewhere").mkdir()
    moved = path.rename(tmp_path / "elsewhere/model.onnx")
    session = onnxruntime.InferenceSession(moved, providers=["CPUExecutionProvider"])
    logits, maps = session.run(None, {"pictures": pictures})
    expected, expected_maps = PictureModel(tiny_model[0]).run(pictures)
    np.testing.assert_allclose(p_female(logits), p_female(expected), atol=1e-4)
    np.testing.assert_allclose(maps, expected_maps, atol=1e-3)
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["labels"]) == ["female", "male"]
    assert json.loads(about["recipe"])["name"] == "voxsight"
    assert json.loads(about["calibration"])["temperature"] == 2.0


def test_fastai_goes_on_with_it(exported, tiny_model, pictures, tmp_path):
    from fastai.vision.data import ImageDataLoaders
    from PIL import Image

    folder = exported("fastai")
    assert {path.suffix for path in folder.iterdir()} == {".safetensors", ".json"}
    for i, picture in enumerate(pictures):
        label = ("female", "male")[i % 2]
        (tmp_path / "pictures" / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(tmp_path / f"pictures/{label}/{i}.png")
    dls = ImageDataLoaders.from_folder(tmp_path / "pictures", valid_pct=0.4, seed=0, bs=2,
                                       num_workers=0)
    assert list(dls.vocab) == ["female", "male"]
    learn = load_learner(folder, dls)
    own = dls.test_dl([tmp_path / f"pictures/{('female', 'male')[i % 2]}/{i}.png"
                       for i in range(len(pictures))])
    with learn.no_bar(), learn.no_logging():
        found, _ = learn.get_preds(dl=own)
    expected = p_female(PictureModel(tiny_model[0]).run(pictures)[0])
    np.testing.assert_allclose(found[:, 0].numpy(), expected, atol=1e-4)
    before = learn.model[1][2].weight.detach().clone()
    with learn.no_bar(), learn.no_logging():
        learn.fine_tune(1)
    assert not torch.equal(before, learn.model[1][2].weight)
    assert isinstance(learn.loss_func, LabelLoss)
    assert learn.predict(tmp_path / "pictures/male/1.png")[0] in ("female", "male")
    assert len(ClassificationInterpretation.from_learner(learn).confusion_matrix()) == 2


def test_a_learner_of_other_labels_is_refused(exported, pictures, tmp_path):
    from fastai.vision.data import ImageDataLoaders
    from PIL import Image

    for i, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / f"{('f', 'm')[i % 2]}_{i}.png")
    dls = ImageDataLoaders.from_name_func(tmp_path, sorted(tmp_path.glob("*.png")),
                                          lambda name: name[0], bs=2, num_workers=0)
    with pytest.raises(UsageError, match="found the labels f, m, expected female, male"):
        load_learner(exported("fastai"), dls)


def test_the_hugging_face_folder_is_one_that_the_hub_takes(exported, tiny_model, pictures):
    from huggingface_hub import ModelCard

    folder = exported("huggingface")
    assert {"config.json", "model.safetensors", "README.md"} == {p.name for p in folder.iterdir()}
    network = hub_network().from_pretrained(folder).eval()
    with torch.no_grad():
        logits = network(torch.from_numpy(pictures).permute(0, 3, 1, 2).float()).numpy()
    expected = PictureModel(tiny_model[0]).run(pictures)[0]
    np.testing.assert_allclose(p_female(logits), p_female(expected), atol=1e-4)
    assert ModelCard.load(folder / "README.md").data.library_name == "voxsight"
    stored = json.loads((folder / "config.json").read_text())["voxsight"]
    assert stored["labels"] == ["female", "male"] and stored["recipe"]["name"] == "voxsight"


def test_what_cannot_be_exported_is_said(script, tmp_path, tiny_model):
    done = script("export_model", tmp_path / "none")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    (tmp_path / "folder").mkdir()
    done = script("export_model", tiny_model[0], "--out", tmp_path / "folder")
    assert done.returncode == 2 and "found a folder" in done.stderr
