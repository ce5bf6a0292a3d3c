"""A model's folder is resolved once, checked once, and passed on."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import MY_WAVS, ROOT
from safetensors.numpy import load_file, save_file

from voxsight.answer.picture_model import PictureModel
from voxsight.base import checksums, files
from voxsight.errors import UsageError
from voxsight.metrics.calibration import Calibration
from voxsight.network.folder import (
    CONFIG,
    GRAPH,
    WEIGHTS,
    ModelFolder,
    load_weights,
    save_model,
)
from voxsight.network.voice_head import VoiceHead, save_voice_head


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


@pytest.mark.parametrize("value", [np.nan, np.inf, 70_000.0])  # float16 ends at 65504
def test_weights_that_are_not_finite_are_not_saved(tiny_model, tmp_path, value):
    state = load_weights(tiny_model[0])
    state["fc.bias"] = np.array([0.0, value], np.float32)
    with pytest.raises(UsageError, match=r"infinite \(fc.bias\), expected finite ones of at"):
        save_model(tmp_path / "m", state, ModelFolder(tiny_model[0]).config)
    assert not (tmp_path / "m").exists()


def test_weights_that_are_not_finite_are_not_loaded(tmp_path):
    save_file({"a": np.array([1, np.inf], np.float16)}, tmp_path / "a.safetensors")
    with pytest.raises(UsageError, match="found weights that are NaN or infinite"):
        load_weights(tmp_path / "a.safetensors")


def test_a_voice_head_that_is_not_finite_is_not_saved(tmp_path):
    head = VoiceHead("resemblyzer", np.array([np.nan]), 0.0, Calibration())
    with pytest.raises(UsageError, match="NaN or infinite"):
        save_voice_head(tmp_path, head)


def test_a_model_that_answers_nan_gives_an_error_and_no_label(tiny_model, tmp_path):
    folder = shutil.copytree(tiny_model[0], tmp_path / "model")
    state = load_file(folder / WEIGHTS)
    state["fc.bias"][:] = np.nan
    save_file(state, folder / WEIGHTS, metadata={"format": "pt"})  # the graph knows its length
    checksums.write_checksummed_json(folder / CONFIG, ModelFolder(folder).config.to_dict(),
                                     (WEIGHTS, GRAPH))
    prediction = PictureModel(folder).predict(MY_WAVS / "slt_fox.wav")
    assert (prediction.label, prediction.p_female) == ("", None)
    assert "found NaN" in prediction.error
