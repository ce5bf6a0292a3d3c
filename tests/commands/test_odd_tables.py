"""Commands on tables with oddities and on corpora too small: a sentence, never a traceback."""

import os
import shutil
import subprocess
import sys

import pytest
from conftest import MY_WAVS

FEMALE = "slt_fox", "slt_hello", "slt_seven", "slt_three"
MALE = "rms_morning", "kal_count", "rms_seven", "awb_three"


@pytest.fixture
def corpus(tmp_path):
    """Write a CSV of speakers with their recordings; a speaker's name begins with the label."""

    def write(**recordings):
        rows = [f"{MY_WAVS / name}.wav,{speaker},{speaker[0]}\n"
                for speaker, names in recordings.items() for name in names]
        (tmp_path / "m.csv").write_text("path,speaker,gender\n" + "".join(rows))
        return tmp_path / "m.csv"

    return write


def refused(done, words):
    assert done.returncode == 2 and words in done.stderr
    assert "Traceback" not in done.stderr


def test_evaluate_copes_with_what_tables_hold(script, tmp_path, tiny_model):
    sound = tmp_path / os.fsdecode(b"no_utf8_\xe9.wav")
    shutil.copyfile(MY_WAVS / "slt_fox.wav", sound)
    lines = ["Path;Speaker;Gender;Age;Corpus", "no_utf8_é.wav;Jürgen;{};thirties;$x_$",
             f"{MY_WAVS / 'kal_count.wav'};Jürg;m;130;$x_$", f"{MY_WAVS / 'rms_seven.wav'};b;f;;c"]
    for gender in "fm":  # one of them is a mistake, whatever the model says
        (tmp_path / "m.csv").write_bytes("\n".join(lines).format(gender).encode("latin-1"))
        done = script("evaluate_model", tiny_model[0], tmp_path / "m.csv", "--out",
                      tmp_path / gender, "--by", "age,speaker,corpus", "--jobs", 1)
        assert done.returncode == 0, done.stderr
        groups = (tmp_path / gender / "by_group.csv").read_text()
        assert "age,not stated,3,3" in groups and "speaker,$x_$:Jürgen,1,1" in groups
    pages = [(tmp_path / gender / "mistakes" / "index.html").read_text() for gender in "fm"]
    assert r"no_utf8_\udce9.wav: labelled" in "".join(pages)


def test_evaluate_with_nothing_to_answer(script, tmp_path, tiny_model):
    (tmp_path / "m.csv").write_text("path,speaker,gender\nno.wav,a,f\n")
    refused(script("evaluate_model", tiny_model[0], tmp_path / "m.csv", "--out", tmp_path / "o"),
            "found no recording that could be answered")


def test_edited_predictions_are_refused_by_line(script, tmp_path, tiny_model):
    head = "path;speaker;gender;corpus;age;accent;label;p_female;duration_s;f0_hz;error"
    (tmp_path / "p.csv").write_text(f"{head}\na.wav;c:a;f;c;;;female;0.9;1;;\n"
                                    "b.wav;c:b;m;c;;;male;0,2;1;;\n")
    refused(script("evaluate_model", tiny_model[0], tmp_path / "p.csv", "--out", tmp_path / "o"),
            "p.csv, line 3: found p_female '0,2', expected a number")


ONE_LABEL = {f"f{i}": [name] for i, name in enumerate(FEMALE)}
ONE_EACH = {"f": FEMALE, "m": MALE}


@pytest.mark.parametrize("command, speakers, words", [
    ("analyse_features", ONE_LABEL, "found recordings of female only"),
    ("analyse_features", ONE_EACH, "found 1 female and 1 male speakers, expected at least 2"),
    ("compare_classifiers", ONE_LABEL, "found recordings of female only"),
    ("compare_classifiers", ONE_EACH, "side would hold nobody, expected female and male"),
    ("classify_speakers", ONE_EACH, "fewer than three speakers"),
    ("classify_speakers", ONE_LABEL, "found one recording of each speaker, expected two")])
def test_corpora_too_small(script, tmp_path, corpus, command, speakers, words):
    flags = {"compare_classifiers": ["--only", "gmm", "--jobs", 1],
             "classify_speakers": ["--features", "mfcc"]}.get(command, ["--jobs", 1])
    refused(script(command, corpus(**speakers), "--out", tmp_path / "o", *flags, "--quiet",
                   cwd=tmp_path), words)


@pytest.mark.slow
def test_a_test_of_one_label_has_a_board_without_uar(script, tmp_path, corpus):
    other = tmp_path / "other.csv"
    shutil.move(corpus(**ONE_LABEL), other)
    both = ONE_LABEL | {f"m{i}": [name] for i, name in enumerate(MALE)}
    done = script("compare_classifiers", corpus(**both), "--test", other, "--only",
                  "logistic,majority", "--out", tmp_path / "o", "--jobs", 1, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "| `logistic` | - |" in done.stdout


def test_one_tested_recording_has_no_error_rate(script, tmp_path, corpus):
    voices = {"fa": FEMALE[:2], "m$_$": MALE[:1], "m田中": MALE[1:2]}  # the plots show all names
    done = script("classify_speakers", corpus(**voices), "--features", "mfcc", "--out",
                  tmp_path / "o", "--chunk", "0.5", "--quiet", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "of 0 pairs of test recordings" in done.stdout


@pytest.mark.parametrize("command, flag, value", [
    ("train_model", "--seed", "-1"), ("compare_classifiers", "--seed", str(2**32)),
    ("evaluate_model", "--seed", "x"), ("train_model", "--epochs", "-1"),
    ("train_model", "--head-epochs", "1.5"), ("train_model", "--lr", "0"),
    ("train_model", "--lr", "-1"), ("train_model", "--lr", "nan"), ("train_model", "--valid", "1"),
    ("compare_classifiers", "--test-share", "0"), ("analyse_features", "--seconds", "0"),
    ("classify_speakers", "--chunk", "0"), ("measure_conversations", "--minutes", "0")])
def test_numbers_that_mean_nothing_are_refused_when_read(script, command, flag, value):
    done = script(command, "x", "y", f"{flag}={value}")
    refused(done, f"argument {flag}: '{value}': expected")


@pytest.mark.slow
def test_torch_tells_no_user_of_fastai_that_it_is_deprecated():
    done = subprocess.run([sys.executable, "-c", "import voxsight.network.training"],
                          capture_output=True, text=True, check=True)
    assert done.stderr == ""
