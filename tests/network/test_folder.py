"""A model's folder is resolved once, checked once, and passed on."""

import pickle
import shutil
from pathlib import Path

import pytest
from conftest import ROOT

from voxsight.answer.picture_model import PictureModel
from voxsight.base import checksums, files
from voxsight.errors import UsageError
from voxsight.network.folder import ModelFolder


@pytest.fixture
def hashed(monkeypatch):
    """Files whose checksums were computed."""
    seen, compute = [], files.sha256

    def counted(path):
        seen.append(Path(path).name)
        return compute(path)

    monkeypatch.setattr(checksums, "sha256", counted)
    return seen


def test_weights_are_hashed_once_however_often_the_model_is_opened(hashed, tiny_model):
    folder = ModelFolder(tiny_model[0])
    assert hashed == []  # reading the config needs none of it
    for _ in range(2):
        PictureModel(ModelFolder.of(folder))
    assert sorted(hashed) == sorted(set(hashed)) and "weights.safetensors" in hashed


def test_a_worker_need_not_check_again(hashed, tiny_model):
    folder = ModelFolder(tiny_model[0])
    folder.check_files()
    hashed.clear()
    PictureModel(pickle.loads(pickle.dumps(folder)))  # as processes are sent it
    assert hashed == []


def test_a_cut_file_is_found(tiny_model, tmp_path):
    shutil.copytree(tiny_model[0], tmp_path / "model")
    weights = tmp_path / "model" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    folder = ModelFolder(tmp_path / "model")
    with pytest.raises(UsageError, match=r"weights.safetensors is not as it was written"):
        folder.check_files()


def test_the_shipped_model_is_found_from_everywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = ModelFolder("models/default+resemblyzer")
    assert (folder.path, folder.encoder) == (ROOT / "models/default", "resemblyzer")
    assert folder.portable_name == "models/default+resemblyzer"
    assert ModelFolder.exists("models/default") and not ModelFolder.exists("models/none")
    assert not ModelFolder.exists("imagenet")


def test_another_model_is_named_by_its_whole_path(tiny_model, monkeypatch):
    folder, _ = tiny_model
    monkeypatch.chdir(folder.parent)
    assert ModelFolder(folder.name).portable_name == str(folder.resolve())


def test_no_model_is_said(tmp_path):
    with pytest.raises(UsageError, match=r"found no config.json.*train_model.py"):
        ModelFolder(tmp_path)
