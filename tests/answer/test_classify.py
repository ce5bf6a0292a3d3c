"""The two-line interface, and the wheel: built, installed into an empty environment, used."""

import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from conftest import MY_WAVS, ROOT

import voxsight
from voxsight.errors import UsageError


def test_a_file_is_answered_as_by_the_command(script):
    done = script("deploy_model", MY_WAVS / "slt_fox.wav", "--json")
    answer = voxsight.classify(MY_WAVS / "slt_fox.wav")
    assert [answer.to_row()] == json.loads(done.stdout)
    assert voxsight.classify(str(MY_WAVS / "slt_fox.wav")).p_female == answer.p_female


def test_samples_are_answered_as_their_file():
    path = MY_WAVS / "rms_morning.wav"
    expected = voxsight.classify(path)
    for kind in ("int16", "float32", "float64"):
        samples, rate = soundfile.read(path, dtype=kind)
        found = voxsight.classify((samples, rate))
        assert found.label == expected.label == "male"
        assert found.p_female == pytest.approx(expected.p_female, abs=1e-6)
        assert found.duration_s == expected.duration_s
    stereo = voxsight.classify((np.stack([samples, samples], axis=1), rate))
    assert stereo.p_female == pytest.approx(expected.p_female, abs=1e-4)


def test_many_at_once_keep_their_order(tmp_path):
    broken = tmp_path / "text.wav"
    broken.write_text("no sound")
    silence = (np.zeros(16_000), 16_000)
    found = voxsight.classify([MY_WAVS / "slt_fox.wav", broken, silence, MY_WAVS / "kal_count.wav"])
    assert [answer.label for answer in found] == ["female", "", "no_speech", "male"]
    assert "expected" in found[1].error and found[2].p_female is None
    assert voxsight.classify([]) == []
    (unsure,) = voxsight.classify([MY_WAVS / "slt_fox.wav"], min_confidence=0.9999)
    assert unsure.label == "uncertain" and unsure.reason


class OnlyRead:
    """The least that a file object can be, such as the answer of a server."""

    def __init__(self, path):
        self.read = open(path, "rb").read


class AsyncUpload:
    """What FastAPI gives for an upload; its ``file`` is a file object."""

    async def read(self, size=-1):
        return b""


def at_its_end(content):
    file = io.BytesIO(content)
    file.seek(0, io.SEEK_END)
    return file


def as_others_hold_it(path):
    """A recording as other libraries hand it over, by name; and the path of its prediction."""
    torch = pytest.importorskip("torch")
    (x, rate), content = soundfile.read(path, dtype="float32"), path.read_bytes()
    tensor, both = torch.tensor(x), np.stack([x, x])
    entry = next(entry for entry in os.scandir(path.parent) if entry.name == path.name)
    yield "entry of a folder", entry, entry.path
    yield "open file", open(path, "rb"), str(path)
    yield "file without a name", os.fdopen(os.open(path, os.O_RDONLY), "rb"), ""
    yield "BytesIO, just written", at_its_end(content), ""
    yield "file that cannot be sought", OnlyRead(path), ""
    yield "bytes", content, ""
    yield "scipy, gradio: (rate, samples)", (rate, x), ""
    yield "NumPy's numbers", (np.int64(rate), x.tolist()), ""
    yield "torchaudio: (tensor, rate)", (tensor[None], rate), ""
    yield "a rate that is a tensor", (tensor, torch.tensor(rate)), ""
    yield "part of a graph", (tensor.requires_grad_(), rate), ""
    yield "channels first", (both, rate), ""
    yield "channels last", (both.T, rate), ""
    yield "datasets, decoded", {"path": "a.wav", "array": x, "sampling_rate": rate}, "a.wav"
    yield "datasets, with torchcodec", SimpleNamespace(get_all_samples=lambda: SimpleNamespace(
        data=tensor.detach()[None], sample_rate=rate)), ""
    yield "datasets, not decoded", {"path": "a.wav", "bytes": content}, "a.wav"
    yield "datasets, a link", {"path": str(path), "bytes": None}, str(path)


def test_what_others_call_a_recording_is_answered():
    path = MY_WAVS / "slt_seven.wav"
    expected = voxsight.classify(path)
    for name, recording, known_as in as_others_hold_it(path):
        found = voxsight.classify(recording)
        assert found.p_female == pytest.approx(expected.p_female, abs=1e-4), name
        assert (found.label, found.duration_s) == (expected.label, expected.duration_s), name
        assert found.path == known_as and type(found.path) is str, name


@pytest.mark.parametrize("many", [iter, tuple, np.array, lambda paths: (p for p in paths)])
def test_a_list_comes_back_for_whatever_holds_recordings(many):
    paths = [str(MY_WAVS / "slt_seven.wav"), "nowhere.wav"]
    found = voxsight.classify(many(paths))
    assert [answer.path for answer in found] == paths
    assert [bool(answer.error) for answer in found] == [False, True]


def test_a_file_of_the_caller_stays_open_and_a_copy_is_not_named(tmp_path):
    (tmp_path / "text.wav").write_text("no sound " * 99)
    with open(tmp_path / "text.wav", "rb") as file:
        found = voxsight.classify(file)
        assert not file.closed and found.path == file.name
    assert "expected a WAV" in found.error and tempfile.gettempdir() not in found.error


@pytest.mark.parametrize(("recording", "found"), [
    (np.zeros(47_440), r"an array of shape \(47440,\) without its sampling rate"),
    (None, "found None"), (5, "found 5"), ([["a.wav"]], r"a list of 1 \(str\)"),
    (io.StringIO("text"), "open for reading text"), ({"audio": 1}, "a dictionary with audio"),
    ({"array": np.zeros(9)}, "a dictionary with array"), ({"path": None}, "no sound in it"),
    (object(), "an object of type object"), (AsyncUpload(), "an object of type AsyncUpload")])
def test_what_is_no_recording_is_refused_in_a_sentence(recording, found):
    with pytest.raises(TypeError, match=f"{found}.*, expected ") as error:
        voxsight.classify(recording)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("confidence", [90, -0.1, float("nan")])
def test_a_confidence_lies_between_0_and_1(confidence):
    with pytest.raises(ValueError, match="expected a number from 0 to 1"):
        voxsight.classify(MY_WAVS / "slt_seven.wav", min_confidence=confidence)


def test_samples_that_are_none_are_said(tmp_path):
    for samples, rate in ((np.zeros((2, 2, 2)), 16_000), (np.zeros(0), 16_000)):
        with pytest.raises(ValueError, match="expected \\(n,\\)"):
            voxsight.classify((samples, rate))
    for samples, problem in ((["a", "b"], "type <U1"), ([[1], [1, 2]], "no array"),
                             (np.zeros(9, complex), "type complex128")):
        with pytest.raises(ValueError, match=f"found samples .*{problem}.*, expected"):
            voxsight.classify((samples, 16_000))
    for rate in (0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="expected at least 1 Hz"):
            voxsight.classify((np.zeros(16_000), rate))
    with open(MY_WAVS / "slt_seven.wav", "rb") as file:
        pass
    with pytest.raises(ValueError, match="found a closed file"):
        voxsight.classify(file)
    with pytest.raises(UsageError, match="--model"):
        voxsight.classify("a.wav", model=tmp_path)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel as `python -m build` makes it, by way of a source distribution."""
    folder = tmp_path_factory.mktemp("wheel")
    uv = Path(sys.executable).parent / "uv"
    if not uv.is_file():
        pytest.skip("uv is not installed beside Python")
    source = folder / "source"
    tracked = subprocess.run(["git", "ls-files", "-z", "voxsight", "models/default", "setup.py",
                              "setup.cfg", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE",
                              "CHANGELOG.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, tracked.stdout.split("\0")):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    done = subprocess.run([sys.executable, "-m", "build", "--installer", "uv", "--outdir",
                           folder / "dist", source], capture_output=True, text=True,
                          env={**os.environ, "PATH": f"{uv.parent}:/usr/bin:/bin"})
    assert done.returncode == 0, done.stderr + done.stdout
    (built,) = (folder / "dist").glob("*.whl")
    environment = folder / "empty"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, environment], check=True)
    subprocess.run([uv, "pip", "install", "--quiet", "--python", environment / "bin/python",
                    "--constraint", ROOT / "constraints.txt", built], check=True)
    return built, environment


def test_the_wheel_answers_alone(wheel, tmp_path):
    built, environment = wheel
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    assert 30e6 < built.stat().st_size < 60e6, "the model is inside, once"
    path = MY_WAVS / "slt_fox.wav"
    done = subprocess.run([environment / "bin/voxsight", "deploy", path, "--heatmaps", "maps"],
                          cwd=tmp_path, capture_output=True, text=True, env=alone)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("female") and (tmp_path / "maps/slt_fox.png").is_file()
    code = ("import sys, voxsight\n"
            f"answer = voxsight.classify({str(path)!r})\n"
            "print(answer.label, voxsight.__file__, voxsight.__version__)\n"
            "assert not {'torch', 'fastai', 'matplotlib'} & set(sys.modules)\n")
    done = subprocess.run([environment / "bin/python", "-c", code], cwd=tmp_path,
                          capture_output=True, text=True, env=alone)
    label, where, version = done.stdout.split()
    assert label == "female" and str(environment) in where and version == voxsight.__version__
    done = subprocess.run([environment / "bin/voxsight", "explain", "models/default", path,
                           "--method", "layercam"], cwd=tmp_path, capture_output=True, text=True,
                          env=alone)
    assert done.returncode == 2 and "pip install 'voxsight[" in done.stderr
