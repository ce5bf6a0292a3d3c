"""ImageNet's weights: found in torch's cache, checked, and trained on in two phases."""

import json

import numpy as np
import pytest
import torch
import torchvision
from safetensors.numpy import load_file

from voxsight.base import files
from voxsight.errors import UsageError
from voxsight.evaluation.audiomnist import make_audiomnist_table
from voxsight.network.fine_tuning import TrainConfig, fit, make_learner
from voxsight.network.weights import initial_weights
from voxsight.pictures.dataset import read_dataset

PUBLISHED = torchvision.models.ResNet34_Weights.IMAGENET1K_V1


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of torch, and no way to the internet."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    folder = tmp_path / "torch/hub/checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def state(cache, monkeypatch):
    """Random weights with torchvision's keys, cached under a published name.

    The name of a published file holds the start of its SHA-256, here that of this file.
    """
    torch.manual_seed(7)
    state = torchvision.models.resnet34().state_dict()
    torch.save(state, cache / "new.pth")
    name = f"resnet34-{files.sha256(cache / 'new.pth')[:8]}.pth"
    (cache / "new.pth").rename(cache / name)
    url = PUBLISHED.url.replace("resnet34-b627a593.pth", name)
    monkeypatch.setattr(PUBLISHED.value, "url", url)
    return state


@pytest.fixture
def dataset(tmp_path):
    """A few pictures of twelve speakers, told apart by which half is bright."""
    from PIL import Image

    from voxsight.pictures.recipe import RECIPES

    folder, rng = tmp_path / "mfc_dataset", np.random.default_rng(0)
    folder.mkdir()
    lines = ["image,source,start_s,end_s,speaker,gender,corpus,age,accent,text,augmentation"]
    for i in range(24):
        gender = ("female", "male")[i % 2]
        pixels = rng.integers(0, 60, (32, 32, 3), np.uint8)
        pixels[16 * (i % 2): 16 * (i % 2) + 16] += 150
        Image.fromarray(pixels).save(folder / f"{gender}_{i}.jpg")
        lines.append(f"{gender}_{i}.jpg,/{i}.wav,0,1,s{i % 12},{gender},made,,,,")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    (folder / "recipe.json").write_text(json.dumps({"recipe": RECIPES["voxsight"].to_dict()}))
    return folder


def test_a_training_from_imagenet(script, state, dataset, tmp_path):
    """No download; with the body frozen the filters stay the file's, and the head is new."""
    done = script("train_model", dataset, "--weights", "imagenet", "--size", "32x32", "--batch",
                  "8", "--head-epochs", "1", "--epochs", "0", "--quiet", "--out", tmp_path / "m",
                  cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Downloading" not in done.stdout + done.stderr
    stored = load_file(tmp_path / "m/weights.safetensors")
    for name, tensor in state.items():
        if "conv" in name or "downsample.0" in name:
            np.testing.assert_array_equal(stored[name], tensor.numpy().astype(np.float16))
    assert stored["fc.weight"].shape == (2, 512)
    card = " ".join((tmp_path / "m/README.md").read_text().split())
    assert f"started from weights: imagenet, torchvision's {PUBLISHED} ({PUBLISHED.url})" in card


def test_two_phases_with_discriminative_rates(state, dataset):
    pictures, _ = read_dataset(dataset)
    config = TrainConfig(weights="imagenet", head_epochs=1, epochs=1, lr=1e-3, batch=8)
    learn = make_learner(pictures, np.arange(8), (32, 32), config, quiet=True)
    filters, head = learn.model[0][0], learn.model[1][-1]
    torch.testing.assert_close(filters.weight.detach(), state["conv1.weight"], rtol=0, atol=0)
    assert head.weight.shape == (2, 512)
    rows = fit(learn, config)
    assert [row["phase"] for row in rows] == ["head", "everything"]
    assert not torch.equal(filters.weight, state["conv1.weight"])
    # Three groups: early and late filters, and the head, at lr / 100 to lr / 2.
    first, second, last = (hyper["lr"] for hyper in learn.opt.hypers)
    assert second / first == pytest.approx(50 ** 0.5) and last / second == pytest.approx(50 ** 0.5)
    # The second of two steps, a third of the way down the cosine of the one-cycle schedule.
    assert learn.recorder.lrs[-1] == pytest.approx(0.75 * 1e-3 / 2, rel=1e-3)


@pytest.mark.parametrize("content", ["foreign", "cut"])
def test_a_cached_file_that_is_not_the_published_one_is_refused(state, cache, monkeypatch,
                                                                content):
    """torch checks what it downloads, not what it finds."""
    (path,) = cache.iterdir()
    if content == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        path = path.rename(cache / "resnet34-b627a593.pth")
        monkeypatch.setattr(PUBLISHED.value, "url", f"https://example.org/{path.name}")
    with pytest.raises(UsageError, match=rf"{path.name}: found contents whose SHA-256 .*delete it"):
        initial_weights("imagenet", "resnet34")


def test_a_download_that_is_another_file_is_refused(state, cache, monkeypatch, tmp_path):
    (path,) = cache.iterdir()
    path.rename(tmp_path / "resnet34-b627a593.pth")
    monkeypatch.setattr(PUBLISHED.value, "url", f"file://{tmp_path}/resnet34-b627a593.pth")
    with pytest.raises(UsageError, match=r'expected "b627a593", got .*--weights none'):
        initial_weights("imagenet", "resnet34", quiet=True)
    assert not list(cache.iterdir())


def test_a_download_is_used_and_said_on_stderr(state, cache, monkeypatch, tmp_path, capsys):
    (path,) = cache.iterdir()
    path.rename(tmp_path / path.name)
    monkeypatch.setattr(PUBLISHED.value, "url", f"file://{tmp_path}/{path.name}")
    found = initial_weights("imagenet", "resnet34")
    np.testing.assert_array_equal(found["fc.weight"], state["fc.weight"].numpy())
    out, err = capsys.readouterr()
    assert not out and "Downloading" in err and (cache / path.name).is_file()


def test_without_internet_the_remedies_are_named(cache):
    with pytest.raises(UsageError) as refused:
        initial_weights("imagenet", "resnet34")
    text = str(refused.value)
    assert PUBLISHED.url in text and "\n" not in text
    assert "--weights none" in text and "--weights PATH" in text and not list(cache.iterdir())


@pytest.mark.slow
def test_the_audiomnist_table_sets_imagenet_beside_none(state, tmp_path):
    """The command of docs/transfer.md, on small pictures of its sixty speakers."""
    from PIL import Image

    females = {12, 26, 28, 36, 43, 47, 52, 56, 57, 58, 59, 60}
    maps, rng = {"female": {}, "male": {}}, np.random.default_rng(0)
    for folder in ("mfc_dataset", "maps"):
        (tmp_path / folder).mkdir()
    for speaker in range(1, 61):
        gender = "female" if speaker in females else "male"
        name = f"mfc_dataset/{gender}_{len(maps[gender])}.jpg"
        Image.fromarray(rng.integers(0, 255, (32, 32, 3), np.uint8)).save(tmp_path / name)
        maps[gender][name] = f"data/{speaker:02}/3_{speaker:02}_0.wav"
    for gender, images in maps.items():
        (tmp_path / f"maps/{gender}.json").write_text(json.dumps(images))
    table = make_audiomnist_table(tmp_path, tmp_path / "out", cells=("paper",), seeds=(1,),
                                  weights=("imagenet", "none"), size=(32, 32), quiet=True)
    assert list(table) == ["paper", "paper_imagenet"]
    assert [row["weights"] for row in table.values()] == ["none", "imagenet"]
    assert table["paper_imagenet"]["title"].endswith(", from imagenet")
    assert table["paper"]["figures"] != table["paper_imagenet"]["figures"]
