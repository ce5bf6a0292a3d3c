import dataclasses
import json
import os
import resource
import sys

import numpy as np
import pytest
import soundfile
from conftest import MY_WAVS

from voxsight.base.tables import interval
from voxsight.corpora.utterance import Utterance
from voxsight.evaluation import robustness
from voxsight.evaluation.conditions import CONDITIONS, EQUIVALENT, UNUSUAL, under_condition
from voxsight.evaluation.conversations import build_conversation
from voxsight.evaluation.labelled import LabelledPrediction
from voxsight.metrics.segments import Stretch, timeline_figures
from voxsight.sound.pitch import median_f0
from voxsight.sound.recording import Recording

VOICES = [("slt_fox", "female"), ("slt_hello", "female"), ("rms_morning", "male"),
          ("kal_count", "male")]


@pytest.fixture
def voices(tmp_path):
    """Four synthetic voices as a corpus CSV."""
    lines = [f"{MY_WAVS / name}.wav,{name[:3]},{gender}" for name, gender in VOICES]
    path = tmp_path / "voices" / "manifest.csv"
    path.parent.mkdir()
    path.write_text("path,speaker,gender\n" + "\n".join(lines) + "\n")
    return path


@pytest.fixture
def noise(tmp_path, rng):
    folder = tmp_path / "noise"
    folder.mkdir()
    soundfile.write(folder / "hiss.wav", 0.1 * rng.normal(size=32_000), 16_000)
    return folder


@pytest.mark.parametrize("condition", EQUIVALENT)
def test_equivalent_conditions_keep_what_is_heard(condition, spoken, rng):
    samples, rate = spoken("slt_fox")
    heard = under_condition(condition, samples, rate, [], rng).read(16_000, remove_dc=False)
    reference = Recording(MY_WAVS / "slt_fox.wav").read(16_000, remove_dc=False)
    assert len(heard) >= len(reference) - 10
    spectra = [np.abs(np.fft.rfft(x, 2**18))[: 2**16] for x in (heard, reference)]  # to 4 kHz
    assert np.corrcoef(*spectra)[0, 1] > 0.98


def channels_of(recording):
    """Samples of all channels, shape (n,) or (n, channels), and the rate."""
    samples = np.concatenate(list(recording._decoder.blocks(2**20)))
    return samples[:, 0] if samples.shape[1] == 1 else samples, recording.rate


def test_conditions_by_their_names(spoken, rng):
    samples, rate = spoken("slt_fox")
    noises = [(rng.normal(size=99_999), 16_000)]
    written = {name: channels_of(under_condition(name, samples, rate, noises, rng))
               for name in CONDITIONS}
    assert written["telephone"][1] == 8_000 and written["44.1 kHz"][1] == 44_100
    assert len(written["between 3 s of silence"][0]) == len(samples) + 6 * rate
    dead, stereo = written["one dead channel"][0], written["opposite phases"][0]
    assert not dead[:, 0].any() and np.abs(stereo.sum(axis=1)).max() < 1e-3
    assert np.abs(written["30 dB quieter"][0]).max() == pytest.approx(
        np.abs(samples).max() * 10 ** -1.5, abs=1e-4)
    noisy = written["noise at 10 dB"][0] - samples
    assert 10 * np.log10(np.mean(samples**2) / np.mean(noisy**2)) == pytest.approx(10, abs=0.3)
    assert len(written["small room"][0]) == len(samples)
    loudest = written["loudest 0.3 s"][0]
    energies = [np.sum(samples[i: i + len(loudest)] ** 2) for i in range(0, len(samples), 99)]
    assert len(loudest) == int(0.3 * rate)
    assert np.sum(loudest**2) >= 0.999 * max(energies)


def test_unusual_voices(spoken, rng):
    """By the pitch that another algorithm hears in them."""
    samples, rate = spoken("rms_morning")
    voices = {name: under_condition(name, samples, rate, [], rng).read(remove_dc=False)
              for name in UNUSUAL}
    assert median_f0(voices["whispered"], rate) is None
    assert len(voices["sustained vowel"]) == rate
    tenths = np.split(voices["sustained vowel"][rate // 10: -rate // 10], 4)
    pitches = [median_f0(part, rate) for part in tenths]
    assert max(pitches) < 1.02 * min(pitches) and 85 < pitches[0] < 115
    assert len(voices["sung"]) == pytest.approx(2 * len(samples), rel=0.01)
    spoken_f0, sung_f0 = median_f0(samples, rate), median_f0(voices["sung"], rate)
    assert sung_f0 == pytest.approx(spoken_f0, rel=0.12)


def test_figures_give_every_speaker_the_same_weight():
    """One of two speakers is refused in three recordings of three, the other in none of one."""
    speech = [LabelledPrediction(f"{i}.wav", speaker, "female", "x", label="female", p_female=0.9)
              for i, speaker in enumerate("aaab")]
    silent = [dataclasses.replace(one, label="no_speech", p_female=0.7) if one.speaker == "a"
              else one for one in speech]
    found = robustness.robustness_figures({"as recorded": speech, "telephone": silent})
    for name in ("refused", "near"):
        assert found["telephone"][name]["value"] == 0.5
        assert found["telephone"][name]["low"] < 0.5 < found["telephone"][name]["high"]
    table = robustness.robustness_table(found)
    assert "| telephone | similar: telephone | - | - |" in table
    figure = interval(found["telephone"]["refused"])
    assert figure.startswith("0.500 (") and f"| {figure} | {figure} |" in table


def test_mean_uar_has_the_interval_of_independent_corpora(rng):
    rows = [LabelledPrediction(f"{i}.wav", f"{corpus}:{i}", "female" if i % 2 else "male", corpus,
                               p_female=rng.random(), label="male")
            for corpus in "xy" for i in range(40)]
    row = robustness.robustness_figures({"as recorded": rows})["as recorded"]
    x, y, mean = row["uar"]["x"], row["uar"]["y"], row["mean_uar"]
    assert mean["value"] == pytest.approx((x["value"] + y["value"]) / 2)
    below = np.hypot(x["value"] - x["low"], y["value"] - y["low"]) / 2
    assert mean["low"] == pytest.approx(mean["value"] - below)
    assert mean["low"] < mean["value"] < mean["high"]


@pytest.mark.slow
def test_command_measures_every_condition(script, voices, noise, tmp_path):
    done = script("measure_robustness", "models/default", f"csv:{voices}", "--noise", noise,
                  "--out", tmp_path / "out", "--json", "--quiet")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert list(found) == ["as recorded", *CONDITIONS]
    assert found["as recorded"]["figures"]["n"] == 4
    assert found["as recorded"]["near"]["value"] == found["48 kHz"]["near"]["value"] == 1.0
    assert found["as recorded"]["trained_on"] is None and found["48 kHz"]["trained_on"] == "no"
    text = (tmp_path / "out" / "robustness.md").read_text()
    assert "voxsight robustness" in text and text.count("\n| ") == 3 + len(CONDITIONS)
    stored = json.loads((tmp_path / "out" / "robustness.json").read_text())
    assert stored["conditions"] == found
    done = script("evaluate_model", "models/default", tmp_path / "out" / "predictions.csv",
                  "--out", tmp_path / "report", "--quiet")
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert metrics["n"] == 4 and metrics["uar"] == found["as recorded"]["figures"]["uar"]


def test_one_label_and_an_unreadable_recording(script, tmp_path):
    """What has no figure is left out, and what cannot be read loses nothing of the rest."""
    (tmp_path / "broken.wav").write_bytes(b"only words")
    lines = [f"{MY_WAVS / name}.wav,{name[:3]},female" for name in ("slt_fox", "slt_hello")]
    (tmp_path / "x.csv").write_text("path,speaker,gender\n" + "\n".join(lines)
                                    + "\nbroken.wav,me,female\n")
    done = script("measure_robustness", "models/default", f"csv:{tmp_path}/x.csv", "--out",
                  tmp_path / "out", "--conditions", "8 kHz,telephone", "--quiet")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "broken.wav: found no sound" in done.stderr
    assert "| 8 kHz | similar: telephone | - | - |" in done.stdout
    assert "Mean UAR over the degraded: -" in done.stdout


@pytest.mark.parametrize("wrong", ["manifest.csv", "tape:x.csv"])
def test_a_source_without_kind_is_refused(script, wrong):
    done = script("measure_robustness", "models/default", wrong)
    assert done.returncode == 2 and "KIND:PATH" in done.stderr


def test_comparison_by_hand():
    truth = [Stretch(0.0, 4.0, "female"), Stretch(5.0, 9.0, "male"), Stretch(9.0, 10.0, "noise")]
    said = [{"start_s": 0.0, "end_s": 2.0, "label": "female"},
            {"start_s": 2.0, "end_s": 3.0, "label": "uncertain"},
            {"start_s": 5.0, "end_s": 7.0, "label": "male"},
            {"start_s": 7.0, "end_s": 8.0, "label": "female"},
            {"start_s": 9.5, "end_s": 10.0, "label": "male"}]
    found = timeline_figures(said, truth)
    values = {name: figure["value"] for name, figure in found.items() if isinstance(figure, dict)}
    # The man is taken for a woman for one of his three seconds that were answered.
    assert values == pytest.approx({
        "label_accuracy": 4 / 5, "uncertain": 1 / 6, "missed": 2 / 8, "female_share": 3 / 5,
        "true_female_share": 2 / 5, "share_error": 1 / 5, "detected_female_share": 3 / 6})
    assert found["noise_as_speech"] == pytest.approx(0.5 / 2, abs=0.01)
    assert found["n_speakers"] == 2
    for name in values:
        assert found[name]["low"] < values[name] < found[name]["high"], name


def test_numbers_of_two_corpora_are_two_voices(noise):
    """Both call their speaker 1; and noise lasts ten seconds at most."""
    utterances = [Utterance(str(MY_WAVS / "slt_fox.wav"), "1", "female", "a"),
                  Utterance(str(MY_WAVS / "kal_count.wav"), "1", "male", "b")]
    _, stretches = build_conversation(utterances, noise, 1.0)
    assert {s.speaker for s in stretches if s.kind != "noise"} == {"a:1", "b:1"}


def test_interludes_come_once_a_minute_and_last_ten_seconds(tmp_path):
    """However long the turns are."""
    rng = np.random.default_rng(0)
    (tmp_path / "noise").mkdir()
    soundfile.write(tmp_path / "noise/long.wav", 0.1 * rng.normal(size=14 * 16_000), 16_000)
    for seconds in (1, 12):
        paths = [tmp_path / f"{name}{seconds}.wav" for name in "ab"]
        for path in paths:
            soundfile.write(path, 0.1 * rng.normal(size=seconds * 16_000), 16_000)
        voices = [Utterance(str(path), path.stem, "female") for path in paths]
        _, stretches = build_conversation(voices, tmp_path / "noise", 40.0, seed=1)
        lengths = [s.end_s - s.start_s for s in stretches if s.kind == "noise"]
        assert max(lengths) == pytest.approx(10.0, abs=0.01)
        assert 18 <= len(lengths) <= 46


def test_conversation_is_as_it_says(noise):
    utterances = [Utterance(str(MY_WAVS / f"{name}.wav"), name[:3], g) for name, g in VOICES]
    samples, stretches = build_conversation(utterances, noise, 1.5, seed=2)
    assert len(samples) / 16_000 >= 90
    assert {s.kind for s in stretches} == {"female", "male", "noise"}
    covered = np.zeros(len(samples), bool)
    for one in stretches:
        part = slice(round(one.start_s * 16_000), round(one.end_s * 16_000))
        covered[part] = True
        assert np.sqrt(np.mean(samples[part] ** 2)) == pytest.approx(0.05, rel=0.01)
    assert np.abs(samples[~covered]).max() < 1e-3


@pytest.mark.slow
def test_command_measures_conversations(script, voices, noise, tmp_path):
    done = script("measure_conversations", "models/default", f"csv:{voices}", "--noise", noise,
                  "--minutes", "0.5", "--without", "kal", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert list(found) == ["everyone, seed 0", "without kal, seed 0"]
    assert 0 <= found["everyone, seed 0"]["label_accuracy"]["value"] <= 1
    assert (tmp_path / "out" / "conversations.json").is_file()


@pytest.mark.skipif(sys.platform != "linux", reason="counts open files in /proc")
def test_noises_are_opened_one_at_a_time(tmp_path):
    """Large files stay open until they are read; a folder may hold more than may be open."""
    for i in range(6):
        soundfile.write(tmp_path / f"{i}.wav", np.ones(2_200_000, np.int16), 16_000)
    used = set(map(int, os.listdir("/proc/self/fd")))
    free = [number for number in range(max(used) + 9) if number not in used]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free[4], hard))
    try:
        noises = robustness._read_noises(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert [len(samples) for samples, _ in noises] == 6 * [2_200_000]
