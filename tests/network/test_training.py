import contextlib
import csv
import dataclasses
import json
import shutil
import signal
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch
from conftest import ROOT
from fastai.torch_core import TensorImage
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from safetensors.torch import load_file as load_file_torch
from safetensors.torch import save_file as save_file_torch

from voxsight.answer.picture_model import PictureModel
from voxsight.metrics.calibration import Calibration
from voxsight.network.architecture import load_into
from voxsight.network.fine_tuning import TrainConfig
from voxsight.network.resuming import NAME, Epochs
from voxsight.network.toolkit.transforms import MaskBands
from voxsight.pictures.recipe import RECIPES


@pytest.fixture(scope="session")
def dataset(tmp_path_factory):
    """Pictures of two kinds that a network tells apart: bright above or bright below."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("data") / "mfc_dataset"
    folder.mkdir()
    rng = np.random.default_rng(0)
    lines = ["image,source,start_s,end_s,speaker,gender,corpus,age,accent,text,augmentation"]
    for i in range(96):
        gender = ("female", "male")[i % 3 == 0]
        pixels = rng.integers(0, 60, (32, 32, 3), np.uint8)
        half = slice(0, 16) if gender == "female" else slice(16, 32)
        pixels[half] += 150
        Image.fromarray(pixels).save(folder / f"{gender}_{i}.jpg")
        lines.append(f"{gender}_{i}.jpg,/{i}.wav,0,1,s{i % 24},{gender},made,,,,")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    recipe = dataclasses.replace(RECIPES["audiomnist"], height=32, width=32)
    (folder / "recipe.json").write_text(json.dumps({"recipe": recipe.to_dict()}))
    return folder


@pytest.fixture(scope="session")
def trained(dataset, tmp_path_factory):
    from voxsight.network.training import train

    folder = tmp_path_factory.mktemp("models") / "learnt"
    config = TrainConfig(arch="resnet18", weights="none", head_epochs=1, epochs=6, batch=16,
                         lr=1e-3, augment=0.2)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder.parent)  # TensorBoard's runs/ lie where the command is run
        train(dataset, folder, config, argv=["voxsight", "train"], quiet=True)
    return folder


def test_it_learns_and_records_how(trained):
    config = json.loads((trained / "config.json").read_text())
    assert config["figures"]["accuracy"]["value"] >= 0.9
    assert config["figures"]["n_speakers"] == 5
    assert config["training"]["shared_speakers"] == "speakers shared 0 of 24"
    with open(trained / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["phase"] for row in rows] == ["head"] + ["everything"] * 6
    assert float(rows[-1]["train_loss"]) < 0.5 * float(rows[0]["train_loss"])
    assert list((trained.parent / "runs" / "learnt").glob("events*"))
    card = (trained / "README.md").read_text()
    assert "made | 16/8/0 | 96 | 96 | not known" in card and "must not be used" in card


def test_nothing_in_the_folder_is_a_pickle(trained):
    assert sorted(path.name for path in trained.iterdir()) == [
        "README.md", "config.json", "evidence.onnx", "history.csv", "model.onnx",
        "weights.safetensors"]
    stored = load_file(trained / "weights.safetensors")
    assert {str(tensor.dtype) for tensor in stored.values()} == {"float16"}


@pytest.mark.parametrize("size", [(64, 64), (48, 96), (224, 224)])
def test_graph_gives_torchs_logits_at_any_size(tiny_model, rng, size):
    folder, network = tiny_model
    pictures = rng.integers(0, 256, (3, *size, 3), np.uint8)
    logits, maps = PictureModel(folder).run(pictures)
    mean, std = torch.tensor((0.485, 0.456, 0.406)), torch.tensor((0.229, 0.224, 0.225))
    scaled = (torch.from_numpy(pictures) / 255 - mean) / std
    with torch.no_grad():
        expected = network(scaled.permute(0, 3, 1, 2)).numpy()
    np.testing.assert_allclose(logits, expected, atol=2e-4)
    assert maps.shape[2:] == (size[0] // 16, size[1] // 16)
    bias = network.fc.bias.detach().numpy()
    np.testing.assert_allclose(maps.mean(axis=(2, 3)) + bias, logits, atol=1e-4)


def test_trained_network_is_the_graph(trained, dataset, rng):
    """The folder answers as the learner that wrote it, on pictures from disk."""
    from voxsight.pictures import jpeg

    pictures = np.stack([jpeg.decode(str(dataset / f"female_{i}.jpg")) for i in (1, 2, 4)])
    logits, _ = PictureModel(trained).run(pictures)
    assert (logits[:, 0] > logits[:, 1]).all()


@pytest.mark.slow
def test_a_teachers_embeddings_are_learnt_and_left_out(dataset):
    """The teacher hears which half is bright, and so the network says in its last outputs."""
    from voxsight.network.architecture import torchvision_state
    from voxsight.network.fine_tuning import TrainConfig, fit, log_odds, make_learner
    from voxsight.network.training import label_by_embedding
    from voxsight.pictures.dataset import read_dataset

    pictures, _ = read_dataset(dataset)
    valid = np.arange(80, 96)
    heard = np.array([[1.0, 0, 0] if p.gender == "female" else [0, 0.6, 0.8] for p in pictures])
    config = TrainConfig(arch="resnet18", weights="none", head_epochs=0, epochs=6, batch=16,
                         lr=1e-3, row_jitter=0.1)
    learn = make_learner(pictures, valid, (32, 32), config, quiet=True,
                         embeddings=heard.astype(np.float32))
    history = fit(learn, config)
    assert list(history[0]) == ["epoch", "phase", "train_loss", "valid_loss", "accuracy"]
    x, _ = learn.dls.valid.one_batch()
    with torch.no_grad():
        outputs = learn.model.eval()(torch.as_tensor(x)).numpy()[:, 2:]
    alike = np.sum(outputs * heard[valid], 1) / np.linalg.norm(outputs, axis=1)
    assert alike.mean() > 0.9
    state = torchvision_state(learn.model)
    assert state["fc.weight"].shape == (2, 512) and state["fc.bias"].shape == (2,)
    label_by_embedding(learn, np.float32([2, 0, -1]))
    with torch.no_grad():
        label = learn.model(torch.as_tensor(x)).numpy()
    np.testing.assert_allclose(label[:, 0] - label[:, 1], 2 * outputs[:, 0] - outputs[:, 2],
                               rtol=1e-3, atol=1e-3)
    evidence = log_odds(learn, [pictures[i].path for i in valid])
    assert np.mean((evidence > 0) == (heard[valid, 0] == 1)) > 0.9


def test_calibration_hears_windows_recordings_and_copies_apart():
    """Two windows with two copies each: the n-th copies make the n-th altered recording."""
    from voxsight.network.training import _copies_apart, by_recording
    from voxsight.pictures.dataset import Picture

    altered = [Picture(f"{i}.jpg", "a.wav", "s", "female", "c", "noise", start_s)
               for i, start_s in enumerate((0.0, 0.0, 1.0, 1.0))]
    evidence, is_female, speakers = by_recording(_copies_apart(altered), [1.0, 10.0, 3.0, 30.0])
    assert evidence.tolist() == [2.0, 20.0] and is_female.all() and speakers == ["s", "s"]


def test_copies_that_sound_like_children_are_no_men(rng):
    """They move no probability, whatever is heard in them, but the confidence that is needed."""
    from voxsight.network.training import _calibrated
    from voxsight.pictures.dataset import Picture

    pictures = [Picture(f"{i}.jpg", f"{i}.wav", f"s{i}", ("female", "male")[i % 2], "c")
                for i in range(200)]
    heard = np.where(np.arange(200) % 2, -1, 1) * rng.uniform(1, 5, 200) + rng.normal(0, 1, 200)
    copies = [dataclasses.replace(p, augmentation="noise") for p in pictures]
    children = [dataclasses.replace(p, augmentation="child") for p in pictures[:60]]
    without = _calibrated(pictures, heard, copies, heard)
    among = _calibrated(pictures, heard, [*copies, *children], np.append(heard, np.full(60, 3.0)))
    assert (among.temperature, among.bias) == (without.temperature, without.bias)
    assert among.min_confidence > without.min_confidence


@pytest.mark.slow
def test_calibrated_on_altered_copies_where_there_are_any(dataset, tmp_path):
    """Copies that are wrong half of the time leave nothing to be sure of."""
    from voxsight.network.fine_tuning import TrainConfig, fit, make_learner
    from voxsight.network.training import finish
    from voxsight.pictures.dataset import read_dataset

    pictures, recipe = read_dataset(dataset)
    valid = np.arange(72, 96)
    config = TrainConfig(arch="resnet18", weights="none", head_epochs=0, epochs=3, batch=16,
                         lr=1e-3)
    learn = make_learner(pictures, valid, (32, 32), dataclasses.replace(config, size=(32, 32)),
                         quiet=True)
    fit(learn, config)
    config = dataclasses.replace(config, size=(32, 32))
    altered = [dataclasses.replace(p, gender=("female", "male")[i % 2], augmentation="noise")
               for i, p in enumerate(pictures[72:])]
    sure, doubtful = (finish(learn, recipe, pictures, valid, config, tmp_path / name,
                             altered=copies)[0].calibration
                      for name, copies in (("clean", ()), ("altered", altered)))
    assert doubtful.temperature > 2 * sure.temperature


def rows_of(folder):
    with open(folder / "history.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_a_killed_training_goes_on(script, dataset, tmp_path):
    """With the history and the weights of one that was not killed."""
    command = [dataset, "--arch", "resnet18", "--weights", "none", "--head-epochs", "2", "--epochs",
               "3", "--batch", "16", "--augment", "0.5", "--quiet", "--out"]
    done = script("train_model", *command, tmp_path / "whole", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    whole = rows_of(tmp_path / "whole")
    for phase, other in (("head", ["--lr", "1e-3"]), ("everything", ["--seed", "1"])):
        out = tmp_path / phase
        stored = kill_in(phase, [*command, out], out, tmp_path)
        anew = tmp_path / f"{phase}_anew"
        anew.mkdir()
        shutil.copy(stored, anew)
        done = script("train_model", *command, anew, *other, "--epochs", "1", cwd=tmp_path)
        assert done.returncode == 0 and "starting anew" in done.stderr
        marked = marked_history(stored)
        assert script("train_model", *command, out, cwd=tmp_path).returncode == 0
        rows = rows_of(out)
        assert rows[0]["train_loss"] == "123.0"  # taken from what was stored
        for row, expected in zip(rows[1:], whole[1:], strict=True):
            assert row["phase"] == expected["phase"]
            for name in ("train_loss", "valid_loss", "accuracy"):
                assert float(row[name]) == pytest.approx(float(expected[name]), abs=1e-5)
        assert marked < len(rows) and not stored.exists()
        for name, tensor in load_file(out / "weights.safetensors").items():
            np.testing.assert_allclose(
                tensor, load_file(tmp_path / "whole" / "weights.safetensors")[name], atol=1e-3)


@pytest.mark.slow
def test_two_processes_reach_the_accuracy_of_one(script, dataset, tmp_path):
    """Killed and taken up again between; gloo carries what they tell each other."""
    command = [dataset, "--arch", "resnet18", "--weights", "none", "--head-epochs", "0", "--epochs",
               "6", "--batch", "16", "--lr", "1e-3", "--quiet", "--out"]
    assert script("train_model", *command, tmp_path / "one", cwd=tmp_path).returncode == 0
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node",
              "2"]
    stored = kill_in("everything", [*command, tmp_path / "two"], tmp_path / "two", tmp_path,
                     launch)
    known = marked_history(stored)
    done = subprocess.run([*launch, ROOT / "scripts/train_model.py", *command, tmp_path / "two"],
                          cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and "starting anew" not in done.stderr, done.stderr
    assert done.stdout.count("validation recordings") == 1, "one of them says it"
    one, two = rows_of(tmp_path / "one"), rows_of(tmp_path / "two")
    assert two[0]["train_loss"] == "123.0" and 0 < known < len(two) == len(one)
    for count, name in enumerate(("one", "two"), 1):
        config = json.loads((tmp_path / name / "config.json").read_text())
        assert config["training"]["processes"] == count
        assert config["figures"]["accuracy"]["value"] >= 0.95


def test_a_damaged_state_is_left_alone(tmp_path, capsys):
    (tmp_path / NAME).write_bytes(b"cut")
    assert Epochs(1, tmp_path, "settings").begin("head") == 0
    assert "starting anew" in capsys.readouterr().err


def kill_in(phase, command, out, cwd, launch=(sys.executable,)):
    process = psutil.Popen([*launch, ROOT / "scripts" / "train_model.py", *command], cwd=cwd)
    stored = out / NAME
    while process.poll() is None:
        if stored.is_file():
            with safe_open(stored, "pt") as file:
                if json.loads(file.metadata()["about"])["phase"] == phase:
                    for own in [process, *process.children(recursive=True)]:
                        own.kill()
        with contextlib.suppress(psutil.TimeoutExpired):
            process.wait(0.02)
    assert process.returncode == -signal.SIGKILL
    return stored


def marked_history(stored):
    """Write a loss into the stored history that no training has; how many rows it holds."""
    with safe_open(stored, "pt") as file:
        about = json.loads(file.metadata()["about"])
    about["history"][0]["train_loss"] = 123.0
    save_file_torch(load_file_torch(stored), stored, metadata={"about": json.dumps(about)})
    return len(about["history"])


def test_loss_by_hand():
    from voxsight.network.toolkit.losses import LabelLoss

    loss = LabelLoss(0.375)
    outputs = torch.tensor([[2.0, 0.0], [0.0, 0.0]])
    female, male = 0.5 / 0.375, 0.5 / 0.625
    wrong = -np.log(1 / (1 + np.exp(-2)))
    weights = female + 0.5 * female + 0.5 * male
    expected = (female * wrong + 0.5 * (female + male) * np.log(2)) / weights
    assert float(loss(outputs, torch.tensor([0.0, 0.5]))) == pytest.approx(expected, rel=1e-5)
    nan = float("nan")  # not labelled
    assert float(loss(outputs, torch.tensor([0.0, nan]))) == pytest.approx(wrong, rel=1e-5)
    assert float(loss(outputs, torch.tensor([nan, nan]))) == 0


def test_rows_are_jittered_in_bands():
    from voxsight.network.toolkit.transforms import JitterRows

    torch.manual_seed(1)
    pictures = TensorImage(torch.rand(200, 3, 24, 10))
    same = torch.as_tensor(JitterRows(0.0).encodes(pictures))
    assert torch.equal(same, torch.as_tensor(pictures))
    moved = torch.as_tensor(JitterRows(1.0).encodes(pictures))
    flat = TensorImage(torch.zeros(200, 3, 24, 10))
    offsets = torch.as_tensor(JitterRows(1.0).encodes(flat))
    assert (offsets.std((1, 3)) < 1e-6).all()  # one value per row of a picture
    assert torch.equal(offsets[:, 0, 0], offsets[:, 0, 1])  # two rows to a band
    assert not torch.equal(offsets[:, 0, 1], offsets[:, 0, 2])
    assert 0.27 < float(offsets[:, 0, ::2, 0].std()) < 0.33
    assert not torch.equal(moved, torch.as_tensor(pictures))


@pytest.mark.slow
def test_weights_from_a_folder_and_from_a_state_dict(script, dataset, trained, tmp_path):
    import torchvision

    state = torchvision.models.resnet18().state_dict()  # 1000 classes, as ImageNet's
    save_file({name: tensor.numpy() for name, tensor in state.items()}, tmp_path / "w.safetensors")
    for weights in (trained, tmp_path / "w.safetensors"):
        done = script("train_model", dataset, "--weights", weights, "--arch", "resnet18",
                      "--head-epochs", "1", "--epochs", "0", "--quiet", "--out", tmp_path / "m",
                      cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "speakers shared 0 of 24" in done.stdout
        assert "Traceback" not in done.stderr


def test_a_training_says_what_it_brought(script, dataset, trained, tmp_path):
    """Against the model it started from, on the same recordings, calibrated as that was."""
    done = script("train_model", dataset, "--arch", "resnet18", "--weights", trained, "--out",
                  tmp_path / "m", "--head-epochs", "1", "--epochs", "0", "--quiet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    before, after = (json.loads((folder / "config.json").read_text())
                     for folder in (trained, tmp_path / "m"))
    assert after["calibration"] == before["calibration"], "five speakers do not calibrate"
    gain = after["training"]["start"]
    assert gain["before"] == pytest.approx(before["figures"]["uar"]["value"])
    assert gain["after"] == pytest.approx(after["figures"]["uar"]["value"])
    assert gain["value"] == pytest.approx(gain["after"] - gain["before"])
    assert gain["low"] <= gain["value"] <= gain["high"] and gain["speakers_known"] == 0
    assert f"has UAR {gain['before']:.3f} on the same recordings" in done.stdout
    assert ("no gain is shown" in done.stdout) == (gain["low"] <= 0 <= gain["high"])
    assert "start" not in before["training"], "it started from nothing"


def test_voices_that_the_start_knows_by_another_name_are_counted(tmp_path, monkeypatch):
    from voxsight.network import training
    from voxsight.pictures.dataset import Picture

    for name in "ab":
        (tmp_path / name).write_text(name)
    pictures = [Picture(f"{name}.jpg", str(tmp_path / name), f"new:{name}", gender, "new")
                for name, gender in (("a", "female"), ("b", "male"))]
    record = training._training_record([dataclasses.replace(pictures[0], speaker="old:x")],
                                       np.array([], int), TrainConfig())
    start = SimpleNamespace(calibration=Calibration(), training=record)
    monkeypatch.setattr(training, "_start_log_odds", lambda *args: np.array([1.0, -1.0]))
    gain = training._gain(start, "old", pictures, training.by_recording(pictures, [1, -1]),
                          np.array([0.9, 0.1]))
    assert gain["speakers_known"] == 1


def test_pictures_made_anew_do_not_continue_a_training(tmp_path):
    from voxsight.network.training import _settings
    from voxsight.pictures.dataset import Picture

    pictures = [Picture(str(tmp_path / "a.jpg"), "a.wav", "a", "female", "c")]
    found = set()
    for content in (b"one", b"another"):
        (tmp_path / "a.jpg").write_bytes(content)
        found.add(_settings(TrainConfig(), pictures, np.array([], int)))
    assert len(found) == 2


@pytest.mark.slow
def test_one_epoch_of_the_head_leaves_the_filters(script, dataset, tmp_path):
    import torchvision

    state = torchvision.models.resnet18(num_classes=2).state_dict()
    before = {name: tensor.numpy() for name, tensor in state.items()}
    save_file(before, tmp_path / "w.safetensors")
    done = script("train_model", dataset, "--weights", tmp_path / "w.safetensors", "--arch",
                  "resnet18", "--head-epochs", "1", "--epochs", "0", "--batch", "8", "--quiet",
                  "--out", tmp_path / "m", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    after = load_file(tmp_path / "m" / "weights.safetensors")
    kernel = "layer4.0.conv1.weight"
    np.testing.assert_array_equal(before[kernel].astype(np.float16), after[kernel])
    assert np.abs(before["fc.weight"] - after["fc.weight"]).max() > 1e-3


def test_without_imagenet_weights_the_remedies_are_named(script, dataset, tmp_path):
    done = script("train_model", dataset, "--out", tmp_path / "m", cwd=tmp_path,
                  TORCH_HOME=str(tmp_path), https_proxy="http://127.0.0.1:9")
    assert done.returncode == 2
    assert "--weights none" in done.stderr and "--weights PATH" in done.stderr
    assert "Traceback" not in done.stderr and not (tmp_path / "m").exists()


@pytest.mark.parametrize("flags, message", [
    (("--weights", "missing.safetensors"), "no weights in the safetensors format"),
    (("--weights", "none", "--split", "fold:9"), "expected fold:K"),
    (("--weights", "none", "--valid", "1.5"), "expected a number from 0")])
def test_wrong_usage(script, dataset, tmp_path, flags, message):
    done = script("train_model", dataset, "--arch", "resnet18", *flags, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr and "Traceback" not in done.stderr


def test_weights_of_another_network_are_refused(tiny_model):
    from torch import nn

    from voxsight.errors import UsageError

    model = nn.Sequential(nn.Sequential(nn.Conv2d(3, 8, 5)), nn.Sequential(nn.Linear(1, 1)))
    with pytest.raises(UsageError, match=r"no matching tensor conv1.weight"):
        load_into(model, {"conv1.weight": np.zeros((64, 3, 7, 7))})


def test_state_has_torchvisions_names(trained):
    import torchvision

    names = set(load_file(trained / "weights.safetensors"))
    expected = {name for name in torchvision.models.resnet18().state_dict()
                if not name.endswith("num_batches_tracked")}
    assert names == expected


def test_masks_are_bands_in_a_share_of_pictures():
    torch.manual_seed(1)
    pictures = TensorImage(torch.ones(400, 3, 20, 40))
    masked = torch.as_tensor(MaskBands(0.5).encodes(pictures)) == 0
    touched = masked.flatten(1).any(1)
    assert 0.4 < touched.float().mean() < 0.6
    assert (masked[:, 0] == masked[:, 2]).all()
    one = masked[touched][0, 0]
    rows, columns = one.all(1), one.all(0)
    assert (one == (rows[:, None] | columns[None, :])).all()


@pytest.mark.parametrize("content, found", [
    (b"", "no picture that can be read"), (b"text", "no picture that can be read"),
    (None, "No such file")])
def test_a_picture_that_cannot_be_read_is_named(script, tmp_path, dataset, content, found):
    shutil.copytree(dataset, tmp_path / "d")
    broken = tmp_path / "d" / "female_1.jpg"
    broken.unlink()
    if content is not None:
        broken.write_bytes(content)
    done = script("train_model", tmp_path / "d", "--out", tmp_path / "m", *FROM_NOTHING,
                  cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.startswith(f"{broken}: found {found}")


FROM_NOTHING = ("--arch", "resnet18", "--weights", "none", "--head-epochs", "0", "--quiet")


@pytest.mark.parametrize("flags, words", [
    (["--lr", "1e9"], "--lr 1e+09: the training diverged, found training loss"),
    (["--epochs", "0"], "found no epochs with --weights none")])
def test_trainings_that_learn_nothing_end_in_a_sentence(script, tmp_path, dataset, flags, words):
    done = script("train_model", dataset, "--out", tmp_path / "m", *FROM_NOTHING, *flags,
                  cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.startswith(words)
    assert not (tmp_path / "m" / "config.json").exists()


def test_pictures_of_one_label_cannot_be_trained_on(script, tmp_path, dataset):
    shutil.copytree(dataset, tmp_path / "d")
    lines = (dataset / "manifest.csv").read_text().splitlines(keepends=True)
    (tmp_path / "d" / "manifest.csv").write_text(
        "".join(line for line in lines if not line.startswith("male_")))
    done = script("train_model", tmp_path / "d", "--out", tmp_path / "m", *FROM_NOTHING,
                  cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.startswith("found pictures of female only")
