"""Maps against pytorch-grad-cam and by hand; heat maps, class means and what is marked."""

import dataclasses
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch
from conftest import MY_WAVS, ROOT
from PIL import Image

from voxsight.answer.inputs import find_inputs
from voxsight.answer.picture_model import PictureModel
from voxsight.explanation.inspection import ENDINGS
from voxsight.explanation.maps import enlarge, grad_cam, scaled, speaking_for
from voxsight.explanation.methods import GRAPH_METHODS, SHIPPED, Explainer, Method, cam_maps

LOG_ODDS = {"female": lambda y: y[0] - y[1], "male": lambda y: y[1] - y[0]}


def theirs(network, pictures, kind, layer, target):
    """pytorch-grad-cam's maps, in [0, 1] and enlarged."""
    import pytorch_grad_cam

    mean, std = torch.tensor((0.485, 0.456, 0.406)), torch.tensor((0.229, 0.224, 0.225))
    batch = ((torch.from_numpy(pictures) / 255 - mean) / std).permute(0, 3, 1, 2)
    with getattr(pytorch_grad_cam, kind)(network, [getattr(network, layer)[-1]]) as cam:
        return cam(input_tensor=batch, targets=[target] * len(pictures))


def unit(heat):
    heat = heat - heat.min(axis=(1, 2), keepdims=True)
    return heat / (heat.max(axis=(1, 2), keepdims=True) + 1e-7)


def shown(model, name="slt_fox"):
    windows = []
    model.predict(MY_WAVS / f"{name}.wav", keep=windows)
    return np.stack([window.picture for window in windows])


@pytest.mark.parametrize("label", ["female", "male"])
def test_class_maps_are_grad_cam(tiny_model, rng, label):
    """Equal to pytorch-grad-cam's maps of the last stage, gradients and all."""
    folder, network = tiny_model
    pictures = rng.integers(0, 256, (4, 64, 96, 3), np.uint8)
    _, maps = PictureModel(folder).run(pictures)
    # pytorch-grad-cam brings each map to [0, 1], enlarges it and does so again.
    ours = unit(enlarge(unit(speaking_for(label, grad_cam(maps))), (64, 96)))
    expected = theirs(network, pictures, "GradCAM", "layer4", LOG_ODDS[label])
    np.testing.assert_allclose(ours, expected, atol=1e-4)


@pytest.mark.parametrize("index, label", [(0, "female"), (1, "male")])
def test_the_shipped_graph_gives_grad_cam(index, label):
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    from voxsight.network.architecture import load_network

    model = PictureModel(ROOT / "models/default")
    pictures = shown(model)
    network = load_network(model.folder.path, model.config.architecture).resnet
    _, maps = model.run(pictures)
    ours = unit(enlarge(unit(speaking_for(label, grad_cam(maps))), (64, 64)))
    expected = theirs(network, pictures, "GradCAM", "layer4", ClassifierOutputTarget(index))
    np.testing.assert_allclose(ours, expected, atol=1e-4)


@pytest.mark.parametrize("size, last_stride", [((64, 64), 1), ((50, 71), 2), ((33, 98), 1)])
def test_the_attribution_graph_gives_hirescam(tiny_model, tmp_path, rng, size, last_stride):
    """The chain rule written out as a graph is torch's, also where halving leaves a rest."""
    from voxsight.network.architecture import load_network
    from voxsight.network.folder import ModelFolder, load_weights, save_model

    config = ModelFolder(tiny_model[0]).config
    architecture = dataclasses.replace(config.architecture, size=size, last_stride=last_stride)
    config = dataclasses.replace(config, architecture=architecture)
    save_model(tmp_path / "m", load_weights(tiny_model[0]), config)
    pictures = rng.integers(0, 256, (3, *size, 3), np.uint8)
    model = PictureModel(tmp_path / "m")
    network = load_network(tmp_path / "m", architecture)
    logits = network(torch.from_numpy(pictures).permute(0, 3, 1, 2).float()).detach().numpy()
    np.testing.assert_allclose(model.run(pictures)[0], logits, rtol=1e-3, atol=1e-3)
    evidence = model.attribution_maps(pictures)
    for label in ("female", "male"):
        expected = cam_maps(network, pictures, [label] * 3, SHIPPED)
        assert expected.max() > 0
        np.testing.assert_allclose(speaking_for(label, evidence), expected,
                                   atol=1e-3 * expected.max())


@pytest.mark.slow
@pytest.mark.parametrize("method", [
    *GRAPH_METHODS, Method("layercam", "layer2"), Method("gradcam", "layer3"),
    Method("occlusion-rows"), Method("occlusion-frames")], ids=str)
def test_every_method_gives_maps_of_one_label(tiny_model, rng, method):
    explainer = Explainer(PictureModel(tiny_model[0]))
    pictures = rng.integers(0, 256, (2, 64, 64, 3), np.uint8)
    maps = explainer.maps(pictures, ["female", "male"], method)
    assert len(maps) == 2 and maps.min() >= 0 and maps.max() > 0
    swapped = explainer.maps(pictures, ["male", "female"], method)
    assert not np.allclose(maps, swapped)
    # A network given instead of the model's own is asked instead of its graphs.
    same = Explainer(explainer.model, explainer.network).maps(pictures, ["female", "male"], method)
    np.testing.assert_allclose(same, maps, atol=2e-3 * maps.max())


def test_occlusion_by_hand():
    """A network that looks at one row misses that row and no other."""
    import types

    from voxsight.metrics.calibration import Calibration

    def run(pictures):
        female = pictures[:, 10, :, 0].mean(axis=1) / 10
        return np.stack([female, 0 * female], axis=1), None

    model = types.SimpleNamespace(run=run, config=types.SimpleNamespace(calibration=Calibration()))
    picture = np.full((64, 64, 3), 50, np.uint8)
    picture[10] = 178
    drops = Explainer(model).occlusion(picture, "female", 64, axis=0)
    assert drops.argmax() == 10 and drops[10] == pytest.approx((178 - 52) / 10)
    np.testing.assert_allclose(np.delete(drops, 10), 0, atol=1e-6)
    over_time = Explainer(model).occlusion(picture, "male", 8, axis=1)
    np.testing.assert_allclose(over_time, -(178 - 52) / 80)


def test_unknown_methods_are_refused():
    from voxsight.errors import UsageError

    for wrong in (("grad", "layer4"), ("gradcam", "layer9")):
        with pytest.raises(UsageError, match=r"expected one of"):
            Method(*wrong)


def test_enlarging_keeps_place_and_range():
    heat = np.zeros((1, 4, 4))
    heat[0, 1, 2] = 2.0
    large = enlarge(heat, (64, 64))[0]
    row, column = np.unravel_index(large.argmax(), large.shape)
    assert 16 <= row < 32 and 32 <= column < 48
    assert large.max() <= 2.0 and large.min() == 0


def test_no_evidence_stays_nothing():
    assert scaled(np.zeros((2, 4, 4))).max() == 0
    assert speaking_for("female", -np.ones((1, 4, 4))).max() == 0
    assert speaking_for("male", -np.ones((1, 4, 4))).min() == 1


def test_class_means_by_hand(monkeypatch):
    """Two females whose maps light one corner each, one male with his own."""
    import types

    from voxsight.explanation import class_means
    from voxsight.pictures import jpeg
    from voxsight.pictures.dataset import Picture

    maps = np.zeros((3, 2, 2))
    maps[0, 0, 0], maps[1, 1, 1], maps[2, 0, 1] = 5.0, 0.5, 1.0
    explainer = types.SimpleNamespace(
        model=types.SimpleNamespace(config=types.SimpleNamespace(
            architecture=types.SimpleNamespace(size=(2, 2)))),
        maps=lambda pictures, labels, method: maps)
    monkeypatch.setattr(jpeg, "decode", lambda path, size: np.zeros((2, 2, 3), np.uint8))
    monkeypatch.setattr(class_means, "_summer", lambda model, method: lambda batch:
                        class_means._sums(batch, explainer=explainer, method=method))
    pictures = [Picture("", "", "", g, "") for g in ("female", "female", "male")]
    pictures[1] = dataclasses.replace(pictures[1], speaker="anna")
    means = class_means.class_means("model", pictures, jobs=1, quiet=True)
    np.testing.assert_allclose(means["female"]["mean_map"], [[0.5, 0], [0, 0.5]])
    np.testing.assert_allclose(means["male"]["mean_map"], [[0, 1], [0, 0]])
    np.testing.assert_allclose(means["male"]["rows"], [0.5, 0])
    assert (means["female"]["n"], means["male"]["n"]) == (2, 1)
    assert (means["female"]["n_speakers"], means["male"]["n_speakers"]) == (2, 1)


@pytest.mark.slow
def test_class_means_of_a_dataset(script, tiny_model, gendered_folder, tmp_path):
    done = script("preprocess_wavs", gendered_folder(speakers=2), "--corpus", "folder",
                  "--out", tmp_path / "mfc_dataset", "--maps", tmp_path / "maps", "--quiet")
    assert done.returncode == 0, done.stderr
    for method in (["--jobs", "2"], ["--method", "hirescam", "--layer", "layer1", "--jobs", "1"]):
        done = script("explain_model", tiny_model[0], tmp_path / "mfc_dataset", "--out",
                      tmp_path / "out", "--quiet", *method)
        assert done.returncode == 0, done.stderr
    for label in ("female", "male"):
        stored = json.loads((tmp_path / f"out/{label}_cams.json").read_text())
        assert stored["n"] > 1 and stored["method"] == "hirescam layer1"
        assert stored["n_speakers"] == 1
        assert "voxsight explain" in stored["command"]
        mean = np.array(stored["mean_map"])
        assert mean.shape == (64, 64) and 0 <= mean.min() < mean.max() <= 1
        np.testing.assert_allclose(mean.mean(axis=1), stored["rows"], atol=2e-5)
    drawn = Image.open(tmp_path / "out/class_means.png")
    assert np.asarray(drawn).std() > 10 and drawn.text["Title"] == "HiResCAM, layer1"


@pytest.mark.slow
@pytest.mark.parametrize("flags, title", [
    ([], "HiResCAM, layer1"), (["--method", "gradcam"], "Grad-CAM, layer4"),
    (["--method", "layercam", "--layer", "layer2"], "LayerCAM, layer2"),
    (["--method", "occlusion-rows"], "Occlusion of rows"),
    (["--method", "occlusion-frames"], "Occlusion of frames")])
def test_deploy_draws_the_method_that_it_is_told_and_names_it(script, tiny_model, tmp_path, flags,
                                                              title):
    """The colours are those of that method, whichever command draws them."""
    path = MY_WAVS / "slt_three.wav"
    done = script("deploy_model", path, "--model", tiny_model[0], "--heatmaps", tmp_path / "a",
                  *flags)
    assert done.returncode == 0, done.stderr
    done = script("explain_model", tiny_model[0], path, "--out", tmp_path / "b",
                  *(flags or ["--method", "hirescam"]))
    assert done.returncode == 0, done.stderr
    one, other = (Image.open(tmp_path / folder / "slt_three.png") for folder in "ab")
    assert one.text["Title"].endswith(f"\n{title}") and other.text["Title"] == one.text["Title"]
    np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
    plain = script("deploy_model", path, "--model", tiny_model[0], "--heatmaps", tmp_path / "c")
    default = np.asarray(Image.open(tmp_path / "c/slt_three.png"))
    assert plain.returncode == 0
    assert np.array_equal(default, np.asarray(one)) == (not flags)


def test_a_method_without_heat_maps_is_refused(script):
    done = script("deploy_model", MY_WAVS / "slt_three.wav", "--method", "gradcam")
    assert done.returncode == 2 and "add --heatmaps DIR" in done.stderr


@pytest.mark.parametrize("command, code", [
    ("deploy {wav} --heatmaps {out} --method layercam", 2),
    ("deploy {wav} --heatmaps {out} --method gradcam --layer layer1", 2),
    ("deploy {wav} --heatmaps {out}", 0), ("deploy {wav} --heatmaps {out} --method gradcam", 0),
    ("deploy {wav} --heatmaps {out} --method occlusion-rows", 0),
    ("explain models/default {wav} --method layercam --out {out}", 2),
    ("explain models/default folder:{wav} --faithfulness --out {out}", 2)])
@pytest.mark.slow
def test_methods_that_need_torch_say_so_before_any_work(tmp_path, command, code):
    """In a process that has no torch, as after the light installation."""
    out = tmp_path / "out"
    argv = command.format(wav=MY_WAVS / "slt_three.wav", out=out).split()
    done = subprocess.run([sys.executable, "-c", (
        "import sys; sys.modules['torch'] = None; from voxsight.commands.runner import run_command;"
        f"sys.exit(run_command({argv[0]!r}, {argv[1:]!r}))")],
        cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    if code:
        assert "pip install 'voxsight[train,explain]'" in done.stderr
        assert len(done.stderr.splitlines()) == 1 and not done.stdout and not out.exists()
    else:
        assert (out / "slt_three.png").is_file()


@pytest.mark.slow
def test_where_no_sound_is_left_a_sweep_has_no_value(script, tiny_model, tmp_path):
    """A tone without its band is silence, which JSON says as null: it knows no NaN."""
    tone = 0.0004 * np.sin(2 * np.pi * 800 * np.arange(16_000) / 16_000) * np.hanning(16_000)
    soundfile.write(tmp_path / "tone.wav", tone, 16_000, subtype="FLOAT")
    done = script("explain_model", tiny_model[0], tmp_path / "tone.wav", "--sweeps",
                  "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr

    def refuse(text):
        raise AssertionError(text)

    sweeps = json.loads((tmp_path / "out/tone_sweeps.json").read_text(), parse_constant=refuse)
    assert None in sweeps["bands"] and sweeps["bands"][0] is not None


@pytest.mark.slow
def test_recordings_are_drawn_marked_and_swept(script, tmp_path):
    broken = tmp_path / "text.wav"
    broken.write_text("no sound")
    done = script("explain_model", "models/default", MY_WAVS / "slt_seven.wav", broken, "--sweeps",
                  "--method", "hirescam", "--layer", "layer1", "--out", tmp_path / "out")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "female" in done.stdout and str(broken) in done.stderr
    assert np.asarray(Image.open(tmp_path / "out/slt_seven.png").convert("L")).std() > 20
    heard, rate = soundfile.read(tmp_path / "out/slt_seven_marked.wav")
    assert rate == 16_000 and np.abs(heard).max() > 0.01
    sweeps = json.loads((tmp_path / "out/slt_seven_sweeps.json").read_text())
    assert {name: len(values) for name, values in sweeps.items()} == {
        "bands": 11, "pitch": 13, "formants": 13}
    assert sweeps["pitch"][6] > 0.9 and sweeps["formants"][6] > 0.9, "nothing is moved there"
    assert min(sweeps["pitch"][0], sweeps["formants"][0]) < 0.5, "an octave lower she is male"
    assert np.asarray(Image.open(tmp_path / "out/slt_seven_sweeps.png").convert("L")).std() > 10


def test_nothing_is_drawn_of_silence_and_that_is_said(script, tiny_model, tmp_path):
    soundfile.write(tmp_path / "silence.flac", np.zeros(16_000), 16_000)
    done = script("explain_model", tiny_model[0], tmp_path / "silence.flac", "--method", "gradcam",
                  "--out", tmp_path / "out")
    assert done.returncode == 0 and not (tmp_path / "out").exists()
    assert "silence.flac: nothing was drawn" in done.stderr
    assert "a picture" not in done.stderr


def test_outputs_of_recordings_never_share_a_name():
    """Also where the name of one is that of another with what is put behind it."""
    paths = ["x/y/a.wav", "x_y/a.wav", "x/b.wav", "x/b_sweeps.wav"]
    assert [item.name for item in find_inputs(paths, ENDINGS)] == [
        "x/y/a", "x_y/a", "b", "b_sweeps_2"]


def test_a_marked_recording_does_not_replace_an_input(script, tiny_model, tmp_path):
    shutil.copy(MY_WAVS / "slt_three.wav", tmp_path / "b.wav")
    shutil.copy(MY_WAVS / "rms_seven.wav", tmp_path / "b_marked.wav")
    done = script("explain_model", tiny_model[0], ".", "--method", "gradcam", "--out", ".",
                  cwd=tmp_path)
    assert done.returncode == 2 and "b_marked.wav: is an input" in done.stderr
    assert (tmp_path / "b_marked.wav").read_bytes() == (MY_WAVS / "rms_seven.wav").read_bytes()


def test_what_is_marked_is_as_loud_as_the_map():
    import types

    from voxsight.explanation.inspection import marked

    window = types.SimpleNamespace(start_s=1.0, end_s=2.0, samples=np.ones(10))
    heat = np.zeros((1, 4, 10))
    heat[0, :, 5] = 0.4
    sound = marked([window], heat, 10)
    assert sound.shape == (20,) and sound[:10].max() == 0
    assert sound.argmax() in (15, 16) and sound.max() == 1 and sound[18] == 0


def test_an_older_model_says_what_it_lacks(script, tiny_model, tmp_path):
    import shutil

    from voxsight.base import checksums
    from voxsight.network.folder import ModelFolder

    old = tmp_path / "old"
    shutil.copytree(tiny_model[0], old)
    config = ModelFolder(old).config
    (old / "evidence.onnx").unlink()
    checksums.write_checksummed_json(old / "config.json", config.to_dict(),
                                     ("weights.safetensors", "model.onnx"))
    done = script("deploy_model", MY_WAVS / "slt_seven.wav", "--model", old)
    assert done.returncode == 0, done.stderr
    done = script("deploy_model", MY_WAVS / "slt_seven.wav", "--model", old, "--heatmaps",
                  tmp_path / "maps")
    assert done.returncode == 2 and "evidence.onnx: not found" in done.stderr
    assert "Traceback" not in done.stderr
    done = script("explain_model", old, MY_WAVS / "slt_seven.wav", "--out", tmp_path / "out")
    assert done.returncode == 0 and (tmp_path / "out/slt_seven.png").is_file()
