"""Recordings of which only a part can be heard."""

import csv
import json

import numpy as np
import pytest
import soundfile
from conftest import MY_WAVS

from voxsight import classify


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    """28 s of a woman as FLAC, cut at 40 %, with a hole, and whole."""
    folder = tmp_path_factory.mktemp("partial")
    samples, rate = soundfile.read(MY_WAVS / "slt_fox.wav")
    soundfile.write(folder / "whole.flac", np.tile(samples, 9), rate)
    content = (folder / "whole.flac").read_bytes()
    (folder / "cut.flac").write_bytes(content[: len(content) * 2 // 5])
    hole = len(content) * 3 // 10
    (folder / "hole.flac").write_bytes(content[:hole] + bytes(60) + content[hole + 60:])
    return folder


def rows_of(path):
    with open(path, newline="") as file:
        return {row["path"].split("/")[-1]: row for row in csv.DictReader(file)}


def deployed(script, damaged, tmp_path, *flags):
    done = script("deploy_model", damaged, "--csv", tmp_path / "a.csv", *flags)
    return done, rows_of(tmp_path / "a.csv")


def test_an_answer_for_a_part_is_uncertain_and_says_so(script, damaged, tmp_path):
    done, rows = deployed(script, damaged, tmp_path)
    assert done.returncode == 0, done.stderr
    cut, hole, whole = rows["cut.flac"], rows["hole.flac"], rows["whole.flac"]
    assert whole["label"] == hole["label"] == "female" and whole["missing"] == ""
    assert float(whole["heard_s"]) == float(whole["duration_s"]) == pytest.approx(26.685)
    assert cut["label"] == "uncertain" and cut["missing"] in cut["reason"]
    assert 9 < float(cut["heard_s"]) < 11.5
    assert float(cut["duration_s"]) == pytest.approx(26.685)
    assert float(hole["heard_s"]) > 26 and hole["missing"]
    lines = done.stderr.splitlines()
    assert [line.split(": ")[0].split("/")[-1] for line in lines if "missing" in line] == [
        "cut.flac", "hole.flac"]


def test_the_user_decides_about_parts(script, damaged, tmp_path):
    done, rows = deployed(script, damaged, tmp_path, "--partial", "answer")
    assert done.returncode == 0 and rows["cut.flac"]["label"] == "female"
    done, rows = deployed(script, damaged, tmp_path, "--partial", "refuse")
    assert done.returncode == 1
    assert rows["cut.flac"]["label"] == rows["cut.flac"]["p_female"] == ""
    assert "lacks" in rows["cut.flac"]["error"] and rows["hole.flac"]["label"] == "female"


def test_python_says_it_too(damaged):
    prediction = classify(str(damaged / "cut.flac"))
    assert prediction.label == "uncertain" and prediction.missing
    assert prediction.heard_s < 0.9 * prediction.duration_s
    assert classify(str(damaged / "cut.flac"), partial="answer").label == "female"


def test_incomplete_recordings_make_no_pictures(script, damaged, tmp_path):
    table = tmp_path / "corpus.csv"
    table.write_text("path,speaker,gender\n" + "".join(
        f"{damaged}/{name}.flac,{name},female\n" for name in ("cut", "hole", "whole")))
    done = script("preprocess_wavs", table, "--corpus", "csv", "--out", tmp_path / "mfc_dataset",
                  "--maps", tmp_path / "maps")
    assert done.returncode == 1
    assert "cut.flac: found a recording that lacks" in done.stderr
    with open(tmp_path / "mfc_dataset/manifest.csv", newline="") as file:
        assert {row["speaker"] for row in csv.DictReader(file)} == {"hole", "whole"}


def test_incomplete_recordings_are_counted_apart(script, damaged, tmp_path):
    table = tmp_path / "corpus.csv"
    table.write_text(f"path,speaker,gender\n{damaged}/cut.flac,a,female\n"
                     f"{damaged}/whole.flac,a,female\n{MY_WAVS}/rms_morning.wav,b,male\n"
                     f"{tmp_path}/gone.wav,b,male\n")
    done = script("evaluate_model", "models/default", table, "--out", tmp_path / "out")
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    assert done.returncode == 1
    assert (metrics["n"], metrics["failed"], metrics["incomplete"]) == (2, 1, 1)
