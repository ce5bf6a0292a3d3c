import csv
import itertools
import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from conftest import MY_WAVS, ROOT
from PIL import Image

from voxsight.answer.batch import predict_all
from voxsight.answer.inputs import find_inputs
from voxsight.answer.picture_model import PictureModel
from voxsight.answer.prediction import WindowPrediction, why_uncertain
from voxsight.answer.timeline import smoothed, timeline
from voxsight.corpora.reading import read_corpus
from voxsight.errors import UsageError
from voxsight.metrics.calibration import Calibration
from voxsight.sound.effects import coloured_noise
from voxsight.sound.recording import Recording

LABELS = {"female", "male", "uncertain", "no_speech"}
MALE = ("awb", "kal", "rms")
COLUMNS = ["path", "label", "p_female", "speech_s", "duration_s", "error", "heard_s", "missing",
           "reason"]


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_shipped_model_hears_the_shipped_voices(script, tmp_path):
    done = script("deploy_model", "--csv", tmp_path / "a.csv")
    assert done.returncode == 0, done.stderr
    rows = rows_of(tmp_path / "a.csv")
    assert [row["path"] for row in rows] == [f"my_wavs/{p.name}" for p in
                                             sorted(MY_WAVS.glob("*.wav"))]
    for row in rows:
        expected = "male" if row["path"].split("/")[1].startswith(MALE) else "female"
        assert (float(row["p_female"]) >= 0.5) == (expected == "female"), row
        assert row["label"] in {expected, "uncertain"}
        assert row["error"] == ""
        assert 0 < float(row["speech_s"]) <= float(row["duration_s"])


def test_the_answer_does_not_depend_on_the_level(spoken):
    model = PictureModel()
    for path in sorted(MY_WAVS.glob("*.wav")):
        samples, rate = spoken(path.stem)
        loud, *quiet = (model.predict(Recording.of(samples * np.float32(10 ** (db / 20)), rate))
                        for db in (0, -20, -40, -60))
        for prediction in quiet:
            assert prediction.p_female == pytest.approx(loud.p_female, abs=0.01)
            assert prediction.speech_s == loud.speech_s


def test_columns_order_and_json_agree(script, tmp_path):
    arguments = [MY_WAVS / "slt_fox.wav", f"{MY_WAVS}/", "nowhere.wav"]
    done = script("deploy_model", *arguments, "--csv", tmp_path / "a.csv", "--json")
    assert done.returncode == 1
    rows = rows_of(tmp_path / "a.csv")
    assert list(rows[0]) == COLUMNS
    assert rows[0]["path"] == f"{MY_WAVS}/slt_fox.wav"
    assert rows[1]["path"] == f"{MY_WAVS}/awb_three.wav"
    assert rows[-1]["path"] == "nowhere.wav" and "no such file" in rows[-1]["error"]
    answers = json.loads(done.stdout)
    assert {tuple(answer) for answer in answers} == {tuple(rows[0])}
    as_text = [{key: "" if answer[key] is None else str(answer[key]) for key in rows[0]}
               for answer in answers]
    assert as_text == rows


def make_batch(folder, spoken):
    """The unusual recordings and what is to be answered: label or a part of the error."""
    voice, rate = spoken("slt_hello")
    unit = np.zeros(800)
    folder.mkdir()
    write = soundfile.write
    write(folder / "good.wav", voice, rate)
    write(folder / "8bit_8khz.wav", voice[::2], rate // 2, subtype="PCM_U8")
    write(folder / "six_channels.wav", np.stack([voice] * 6, 1), rate)
    write(folder / "antiphase.wav", np.stack([voice, -voice], 1), rate)
    write(folder / "dead_channel.wav", np.stack([unit[0] * voice, voice], 1), rate)
    write(folder / "silence.wav", np.zeros(rate), rate)
    write(folder / "short.wav", voice[8000:8800], rate)
    write(folder / "none.wav", np.zeros(0), rate)
    write(folder / "nan.wav", np.full(rate, np.nan), rate, subtype="FLOAT")
    (folder / "empty.wav").touch()
    (folder / "text.wav").write_text("no sound, only words\n" * 9)
    (folder / "truncated.wav").write_bytes((folder / "good.wav").read_bytes()[:30])
    (folder / "no_audio").mkdir()
    return {"good.wav": "female", "8bit_8khz.wav": "female", "six_channels.wav": "female",
            "antiphase.wav": "female", "dead_channel.wav": "female", "silence.wav": "no_speech",
            "short.wav": "no_speech", "none.wav": "without samples", "nan.wav": "NaN",
            "empty.wav": "an empty file", "text.wav": "no sound", "truncated.wav": "no sound",
            "no_audio": "folder without sound files", "missing.wav": "no such file"}


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_batch_with_everything_that_goes_wrong(script, tmp_path, spoken, jobs):
    expected = make_batch(tmp_path / "batch", spoken)
    paths = [tmp_path / "batch" / name for name in expected]
    done = script("deploy_model", *paths, "--csv", tmp_path / "a.csv", "--jobs", jobs)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    good = {}
    for path, row in zip(paths, rows_of(tmp_path / "a.csv"), strict=True):
        answer = expected[path.name]
        assert row["path"] == str(path)
        if answer in LABELS:
            assert row["label"] in {answer, "uncertain"} and row["error"] == "", row
            good[path.name] = row
            continue
        assert row["label"] == row["p_female"] == "", row
        assert answer in row["error"]
        assert re.search(rf"^{re.escape(str(path))}: .*, expected .*, .*$", done.stderr, re.M)
    assert good["silence.wav"]["p_female"] == good["short.wav"]["p_female"] == ""
    p = {name: float(row["p_female"]) for name, row in good.items() if row["p_female"]}
    for name in ("six_channels.wav", "antiphase.wav", "dead_channel.wav", "8bit_8khz.wav"):
        assert p[name] == pytest.approx(p["good.wav"], abs=0.1)


def test_a_tenth_of_a_second_and_noise_have_a_probability(tmp_path, rng):
    soundfile.write(tmp_path / "tenth.wav", rng.normal(scale=0.1, size=1600), 16_000)
    soundfile.write(tmp_path / "noise.wav", rng.normal(scale=0.1, size=48_000), 16_000)
    for name in ("tenth", "noise"):
        answer = PictureModel(ROOT / "models/default").predict(tmp_path / f"{name}.wav")
        assert answer.label == "no_speech" and 0 <= answer.p_female <= 1


@pytest.mark.slow
def test_a_killed_batch_is_finished_by_the_same_command(tmp_path, monkeypatch):
    names = [f"{MY_WAVS}/{name}.wav" for name in ("slt_fox", "kal_count", "rms_seven")]
    model = ROOT / "models/default"
    first = predict_all(names, model, csv=tmp_path / "a.csv")
    next(first), next(first)
    first.close()
    assert not (tmp_path / "a.csv").exists()
    answered = []
    original = PictureModel.predict
    monkeypatch.setattr(PictureModel, "predict", lambda self, path, keep=None: (
        answered.append(path), original(self, path, keep))[1])
    second = list(predict_all(names, model, csv=tmp_path / "a.csv"))
    assert answered == names[2:] or answered == names[1:]
    assert [row["path"] for row in rows_of(tmp_path / "a.csv")] == names
    fresh = list(predict_all(names, model))
    assert second == fresh
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


def test_heat_maps_pictures_and_timelines(script, tmp_path):
    done = script("deploy_model", MY_WAVS / "slt_fox.wav", "--heatmaps", tmp_path / "h",
                  "--pictures", tmp_path / "p", "--timeline", tmp_path / "t")
    assert done.returncode == 0, done.stderr
    drawing = np.asarray(Image.open(tmp_path / "h" / "slt_fox.png").convert("RGB")).astype(int)
    assert drawing.shape[0] > 300 and drawing.shape[1] > 600
    colourful = np.ptp(drawing, axis=2) > 40  # the grey pictures have none
    assert 0.01 < colourful.mean() < 0.5
    assert len(list((tmp_path / "p").glob("slt_fox_*.jpg"))) in (2, 3)
    segments = rows_of(tmp_path / "t" / "slt_fox.csv")
    assert list(segments[0]) == ["start_s", "end_s", "label", "p_female"]
    assert all(float(s["start_s"]) < float(s["end_s"]) <= 3.2 for s in segments)
    assert (tmp_path / "t" / "slt_fox.rttm").read_text().startswith("SPEAKER slt_fox 1 ")


def test_timeline_by_hand(tiny_model):
    classifier = PictureModel(tiny_model[0])  # temperature 2, confidence 0.6
    nothing = np.zeros(0)
    windows = [WindowPrediction(0, 1, ((0.0, 1.0),), 4.0, nothing, nothing),
               WindowPrediction(1, 2, ((1.2, 2.0),), 6.0, nothing, nothing),
               WindowPrediction(2, 3, ((2.1, 2.4), (2.8, 3.0)), -12.0, nothing, nothing),
               WindowPrediction(6, 7, ((6.0, 7.0),), -4.0, nothing, nothing),
               WindowPrediction(9, 10, (), 4.0, nothing, nothing)]

    segments = timeline(windows, classifier)
    assert [(s["start_s"], s["end_s"], s["label"]) for s in segments] == [
        (0.0, 2.0, "female"), (2.1, 3.0, "male"), (6.0, 7.0, "male")]
    pauses = [1.2 - 1.0, 2.1 - 2.0, 6.0 - 3.0]
    expected = by_enumeration([2.0, 3.0, -6.0, -2.0], pauses)
    found = [segments[0]["p_female"], segments[1]["p_female"], segments[2]["p_female"]]
    assert found == pytest.approx([np.mean(expected[:2]), *expected[2:]], abs=1e-4)


def by_enumeration(log_odds, pauses):
    """Marginals of all sequences of voices, each weighed by its evidence and its changes."""
    totals = np.zeros(len(log_odds))
    everything = 0.0
    for voices in itertools.product((0, 1), repeat=len(log_odds)):
        weight = np.exp(np.dot(voices, log_odds))
        for before, after, pause in zip(voices, voices[1:], pauses):
            change = 0.5 - 0.48 * 2 ** (-pause / 3)
            weight *= change if before != after else 1 - change
        totals += weight * np.array(voices)
        everything += weight
    return totals / everything


def test_neighbours_support_each_other(rng):
    log_odds, pauses = rng.normal(0, 2, 7), rng.uniform(-0.1, 6, 6)
    assert smoothed(log_odds, pauses) == pytest.approx(
        by_enumeration(log_odds, np.maximum(pauses, 0)))
    doubtful = [3.0, 3.0, -0.5, 3.0, 3.0]
    assert smoothed(doubtful, [0.0] * 4)[2] > 0.95
    assert smoothed(doubtful, [1000.0] * 4)[2] < 0.5


def test_labels_for_probabilities(tiny_model):
    classifier = PictureModel(tiny_model[0], min_confidence=0.8)
    assert [classifier.label(p) for p in (0.9, 0.6, 0.3, 0.1, None)] == [
        "female", "uncertain", "uncertain", "male", "no_speech"]
    assert classifier.label(0.9, spoke=False) == "no_speech"
    assert Calibration(2.0).p_female(2.0) == pytest.approx(1 / (1 + np.exp(-1)))


@pytest.mark.parametrize("seconds, hz, p_female, reason", [
    (1.0, 170.0, 0.6, "pitch 170 Hz lies between the groups"),
    (1.0, 110.0, 0.2, "pitch 110 Hz speaks for male, but 1.00 s do not make it sure"),
    (1.0, 110.0, 0.6, "pitch 110 Hz is more usual for male, the rest of the voice is not"),
    (0.3, 170.0, 0.6, "only 0.30 s of speech"),
    (1.0, None, 0.6, "no pitch was found, as in a whisper or in noise")])
def test_why_an_answer_is_uncertain(rng, seconds, hz, p_female, reason):
    time = np.arange(16_000) / 16_000
    sound = (rng.normal(size=16_000) if hz is None else
             sum(np.sin(2 * np.pi * hz * k * time) / k for k in range(1, 9)))
    assert why_uncertain([sound], 16_000, seconds, p_female) == reason


def test_uncertain_answers_say_why(script, tmp_path):
    done = script("deploy_model", MY_WAVS, "--min-confidence", "1", "--json", "--csv",
                  tmp_path / "a.csv")
    rows = json.loads(done.stdout)
    assert {row["label"] for row in rows} == {"uncertain"}
    assert all("pitch" in row["reason"] or "speech" in row["reason"] for row in rows)
    assert list(rows_of(tmp_path / "a.csv")[0]) == COLUMNS


@pytest.mark.slow
def test_sounds_that_are_no_voice(tmp_path, rng):
    """Seeded noise, hum, tones, chirps, clicks and dial tones of all lengths."""
    for seconds in (0.1, 0.3, 0.5, 1.0, 2.0, 5.0):
        t = np.arange(int(seconds * 16_000)) / 16_000
        sounds = {
            "zero": 0 * t, "silence": 1e-4 * rng.normal(size=len(t)),
            "white": 0.1 * rng.normal(size=len(t)),
            "pink": 0.1 * coloured_noise(len(t), 1, rng),
            "brown": 0.1 * coloured_noise(len(t), 2, rng),
            "hum": 0.1 * sum(np.sin(2 * np.pi * 50 * k * t) / k for k in (1, 2, 3, 5)),
            "tone": 0.3 * np.sin(2 * np.pi * 440 * t), "low": 0.3 * np.sin(2 * np.pi * 150 * t),
            "saw": 0.3 * ((t * 120) % 1 - 0.5),
            "chirp": 0.3 * np.sin(2 * np.pi * (100 + 1450 / seconds * t) * t),
            "clicks": 0.8 * (rng.random(len(t)) < 0.001),
            "dtmf": 0.2 * (np.sin(2 * np.pi * 697 * t) + np.sin(2 * np.pi * 1209 * t))}
        for name, samples in sounds.items():
            soundfile.write(tmp_path / f"{name}_{seconds}.wav", samples, 16_000)
    answers = list(predict_all([str(tmp_path)], ROOT / "models/default", quiet=True))
    assert len(answers) == 72 and not any(answer.error for answer in answers)
    assert {answer.label for answer in answers} == {"no_speech"}


def test_inputs_in_order_and_names_distinct(tmp_path):
    for name in ("b/x.wav", "b/a.flac", "c/x.wav", "c/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "b" / "loop").symlink_to(tmp_path / "b")
    found = find_inputs([f"{tmp_path}/c", f"{tmp_path}/b/"])
    assert [i.path for i in found] == [f"{tmp_path}/c/x.wav", f"{tmp_path}/b/a.flac",
                                       f"{tmp_path}/b/x.wav"]
    assert len({i.name for i in found}) == 3 and found[1].name == "a"


@pytest.mark.slow
def test_names_of_any_kind(script, tmp_path):
    """Spaces, quotes, newlines, emoji and bytes that are no text, in libsndfile and FFmpeg."""
    folder = tmp_path / "odd"
    folder.mkdir()
    voice = (MY_WAVS / "slt_three.wav").read_bytes()
    names = [b"with space.wav", b'double"quote.wav', b"new\nline.wav",
             b"l" * 251 + b".wav", b"$a_$b^$.wav",
             "\u00e9\U0001f600.wav".encode(), b"bytes\xff.wav", b"no\xff sound.wav"]
    for name in names:
        with open(os.path.join(os.fsencode(folder), name), "wb") as file:
            file.write(b"only words" if name.startswith(b"no") else voice)
    done = script("deploy_model", folder, "--csv", tmp_path / "a.csv", "--json", "--timeline",
                  tmp_path / "t", "--pictures", tmp_path / "p", "--heatmaps", tmp_path / "h")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    rows = json.loads(done.stdout)
    found = {os.path.basename(os.fsencode(row["path"])): row for row in rows}
    assert set(found) == set(names)
    assert len({row["p_female"] for row in rows if not row["error"]}) == 1
    assert found[b"no\xff sound.wav"]["error"].startswith("found no sound")
    with open(tmp_path / "a.csv", newline="", errors="surrogateescape") as file:
        assert [row["path"] for row in csv.DictReader(file)] == [row["path"] for row in rows]


def test_a_damaged_or_missing_model_is_named(script, tmp_path, tiny_model):
    done = script("deploy_model", MY_WAVS, "--model", tmp_path / "none")
    assert done.returncode == 2 and "expected a model folder" in done.stderr
    damaged = tmp_path / "damaged"
    shutil.copytree(tiny_model[0], damaged)
    (damaged / "model.onnx").write_bytes((damaged / "model.onnx").read_bytes()[:5000])
    for inputs in (MY_WAVS, MY_WAVS / "slt_fox.wav"):  # by several processes and by this one
        done = script("deploy_model", inputs, "--model", damaged)
        assert done.returncode == 2 and "Traceback" not in done.stderr
        assert "model.onnx is not as it was written" in done.stderr
    (damaged / "weights.safetensors").unlink()
    done = script("deploy_model", MY_WAVS, "--model", damaged, "--csv", tmp_path / "a.csv")
    assert done.returncode == 2 and "found no weights.safetensors" in done.stderr
    assert not (tmp_path / "a.csv.partial").exists(), "said before anything is written"


def _cut(path):
    path.write_bytes(path.read_bytes()[:-3])


def _edited(path):
    content = bytearray(path.read_bytes())
    content[content.index(b"1", len(content) // 2)] = ord("2")
    path.write_bytes(content)


def _of_another_model(path):
    path.write_bytes((ROOT / "models" / "default" / path.name).read_bytes())


@pytest.mark.parametrize("name", ["config.json", "weights.safetensors", "model.onnx"])
@pytest.mark.parametrize("change", [_cut, _edited, _of_another_model])
def test_a_changed_model_is_refused(tiny_model, tmp_path, name, change):
    folder = tmp_path / "model"
    shutil.copytree(tiny_model[0], folder)
    PictureModel(folder)
    change(folder / name)
    with pytest.raises(UsageError, match="restore the folder") as refusal:
        PictureModel(folder)
    assert name in str(refusal.value)


@pytest.mark.slow
def test_answering_is_light():
    code = ("import sys\n"
            "from voxsight.commands.runner import run_command\n"
            "code = run_command('deploy', ['my_wavs/slt_fox.wav'])\n"
            "heavy = {'torch', 'fastai', 'librosa', 'matplotlib', 'scipy', 'av', 'onnx'}\n"
            "sys.exit(code or ', '.join(heavy & set(sys.modules)) or None)")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.corpora
def test_real_speech_of_unseen_speakers(corpora):
    rows = read_corpus(corpora / "LibriSpeech", "librispeech", subset="test-other")
    answers = list(predict_all([row.path for row in rows], ROOT / "models/default", quiet=True))
    right = [(answer.p_female >= 0.5) == (row.gender == "female")
             for row, answer in zip(rows, answers) if row.speaker != "1688"]
    assert len(right) == 90 and np.mean(right) >= 0.95


@pytest.mark.slow
@pytest.mark.corpora
def test_what_is_no_speech_is_said_so(corpora):
    answers = list(predict_all([str(corpora / "nonspeech")], ROOT / "models/default", quiet=True))
    assert len(answers) == 9
    assert {answer.label for answer in answers} == {"no_speech"}


@pytest.mark.corpora
def test_golden_recordings_have_a_row_each(corpora):
    answers = list(predict_all([str(corpora / "golden_mfc")], ROOT / "models/default", quiet=True))
    assert len(answers) == 4 and not any(answer.error for answer in answers)
