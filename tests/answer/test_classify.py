"""The two-line interface, and the wheel: built, installed into an empty environment, used."""

import json
import os
import subprocess
import sys
from pathlib import Path

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


def test_what_is_no_recording_is_said(tmp_path):
    for samples, rate in ((np.zeros((2, 2, 2)), 16_000), (np.zeros(0), 16_000)):
        with pytest.raises(ValueError, match="expected \\(n,\\)"):
            voxsight.classify((samples, rate))
    with pytest.raises(ValueError, match="found a rate of 0"):
        voxsight.classify((np.zeros(16_000), 0))
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
