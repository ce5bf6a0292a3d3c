import csv
import dataclasses
import json

import numpy as np
import pytest
import soundfile
from conftest import MY_WAVS, draws_umap

from voxsight.corpora.utterance import Utterance
from voxsight.evaluation.labelled import LabelledPrediction
from voxsight.evaluation.mistakes import draw_mistakes, mistakes_in_common
from voxsight.features.acoustic import summaries
from voxsight.features.properties import (
    NAMES,
    describe_properties,
    properties_of,
    properties_of_all,
)
from voxsight.metrics import bootstrap
from voxsight.pictures.recipe import RECIPES
from voxsight.sound.recording import Recording
from voxsight.sound.windows import WindowReader
from voxsight.studies import features

RATE = 16_000


def table_of(rng, speakers=40, each=3, effect=2.0):
    """Noise, and one feature that goes with the label."""
    utterances = [Utterance(f"{s}_{i}.wav", str(s), ("female", "male")[s % 2], "made")
                  for s in range(speakers) for i in range(each)]
    female = np.array([u.gender == "female" for u in utterances])
    values = rng.normal(size=(len(utterances), 11))
    values[:, 1] += effect * female
    values[3, 2] = 50.0
    values[:2, 3] = np.nan
    cepstra = [rng.normal(size=(4, 20)) + 2.0 * f for f in female]
    names = ["nothing", "label", "odd", *NAMES][:11]
    return features.FeatureTable(names, values, utterances, cepstra)


def test_correlations_are_numpys_with_intervals_that_hold_them(rng):
    table = table_of(rng)
    rows = {row["feature"]: row for row in features.correlations(table)}
    for name in ("nothing", "label"):
        x = table.values[:, table.names.index(name)]
        expected = np.corrcoef(x, table.is_female)[0, 1]
        assert rows[name]["r"] == pytest.approx(expected, abs=1e-6)
        assert rows[name]["r_low"] < expected < rows[name]["r_high"]
    assert rows["label"]["r_low"] > 0.5 and rows["label"]["p_corrected"] < 1e-6
    assert rows["nothing"]["r_low"] < 0 < rows["nothing"]["r_high"]
    assert all(row["p_corrected"] >= row["p"] for row in rows.values())


def test_intervals_of_correlations_hold_the_truth(rng):
    """200 features of twelve speakers; percentiles of the bootstrap held it in 84 %."""
    speakers, n_features = np.repeat(np.arange(12), 3), 200
    is_female = speakers % 2 == 0
    values = (3.0 * is_female[:, None] + rng.normal(size=(12, n_features))[speakers]
              + 0.5 * rng.normal(size=(36, n_features)))
    people = [Utterance(str(i), f"s{s}", "female" if s % 2 == 0 else "male")
              for i, s in enumerate(speakers)]
    names = [str(i) for i in range(n_features)]
    rows = features.correlations(features.FeatureTable(names, values, people, []))
    truth = 1.5 / np.sqrt(1.5 ** 2 + 1.25)  # of a label that is even, and a variance of 1.25
    assert np.mean([row["r_low"] <= truth <= row["r_high"] for row in rows]) > 0.92
    constant = features.FeatureTable(["c"], np.ones((36, 1)), people, [])
    row, = features.correlations(constant)
    assert (row["r_low"], row["r_high"]) == (-1, 1)  # nothing is known of it


def test_repeating_a_speaker_does_not_narrow_the_interval(rng):
    few, copies = table_of(rng, each=1, effect=0.5), 20
    many = features.FeatureTable(few.names, np.repeat(few.values, copies, axis=0),
                                 [u for u in few.utterances for _ in range(copies)], [])
    rows = [next(row for row in features.correlations(t) if row["feature"] == "label")
            for t in (few, many)]
    widths = [row["r_high"] - row["r_low"] for row in rows]
    assert rows[1]["p"] == pytest.approx(rows[0]["p"])
    assert widths[1] == pytest.approx(widths[0], rel=0.01)


def test_the_odd_value_is_the_outlier(rng):
    table = table_of(rng)
    first = features.outliers(table)[0]
    assert (first["path"], first["feature"], first["value"]) == ("1_0.wav", "odd", 50.0)
    x = table.values[:, 2]
    spread = 1.4826 * np.median(np.abs(x - np.median(x)))
    assert first["robust_z"] == pytest.approx((50 - np.median(x)) / spread)


def test_normalising_takes_away_what_it_should(rng):
    found = {row["normalisation"]: row for row in features.normalisation_effects(table_of(rng))}
    assert found["none"]["uar"] > 0.95 and found["standard"]["uar"] > 0.95
    assert found["cepstral mean"]["uar"] < 0.75  # the label was an offset
    assert found["per speaker"]["uar"] < 0.7
    for row in found.values():
        assert row["uar_low"] <= row["uar"] <= row["uar_high"]


@pytest.mark.parametrize("name, kind", [("standard", "StandardScaler"),
                                        ("robust", "RobustScaler")])
def test_a_scaler_knows_nothing_of_those_who_are_tested(rng, name, kind):
    from sklearn import preprocessing
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedGroupKFold

    table = table_of(rng)
    table.cepstra[:] = [  # those of a few speakers are far away
        (1e3 if int(u.speaker) < 8 else 1) * (
            rng.normal(size=(4, 20)) + 0.1 * (u.gender == "female")) for u in table.utterances]
    values = np.array([summaries(c) for c in table.cepstra])
    expected = np.zeros(len(values))
    for train, test in StratifiedGroupKFold(5, shuffle=True, random_state=42).split(
            values, table.is_female, table.speakers):
        scaler = getattr(preprocessing, kind)().fit(values[train])
        model = LogisticRegression(C=0.01, class_weight="balanced", max_iter=3000)
        model.fit(scaler.transform(values[train]), table.is_female[train])
        expected[test] = model.predict_proba(scaler.transform(values[test]))[:, 1]
    found = {row["normalisation"]: row for row in features.normalisation_effects(table)}
    assert found[name]["auc"] == pytest.approx(roc_auc_score(table.is_female, expected), abs=1e-9)


def test_difference_of_two_groups(rng):
    values, one = rng.normal(size=200), np.arange(200) < 50
    values[one] += 1.0
    values[7] = np.nan
    speakers = [str(i // 2) for i in range(200)]
    value, low, high = bootstrap.difference_of_means(values, one, speakers)
    assert value == pytest.approx(np.nanmean(values[one]) - values[~one].mean())
    assert 0.5 < low < value < high < 1.5
    assert all(np.isnan(bootstrap.difference_of_means(values, np.zeros(200, bool), speakers)))


def test_properties_of_what_was_made(rng):
    t = np.arange(2 * RATE) / RATE
    tone = (0.5 * np.sin(2 * np.pi * 200 * t)).astype(np.float32)
    tone[RATE:] *= 10 ** (-40 / 20)
    found = describe_properties(tone, RATE)
    assert found.duration_s == 2.0
    assert found.level_db == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.3)
    assert found.noise_db == pytest.approx(-40, abs=0.5)
    assert found.f0_hz == pytest.approx(200, rel=0.01)
    assert found.clipped_share == 0 and found.dc < 1e-3 and found.rate_hz == RATE
    assert 200 <= found.bandwidth_hz < 1000  # the step in level is heard too
    assert describe_properties(tone + np.float32(0.2), RATE).dc == pytest.approx(
        0.2 / np.sqrt(0.2 ** 2 + np.mean(tone ** 2)), abs=0.01)
    clipped = describe_properties(np.clip(4 * tone, -1, 1), RATE)
    assert clipped.clipped_share == pytest.approx(0.5 * 2 / 3, abs=0.03)  # |sin| > 1/2, half of it
    noise = rng.normal(0, 0.1, RATE).astype(np.float32)
    assert describe_properties(noise, RATE).bandwidth_hz > 7_900


def test_properties_of_recordings(tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    paths = [str(MY_WAVS / "slt_fox.wav"), str(tmp_path / "broken.wav")]
    own, broken = properties_of_all(paths, jobs=1, quiet=True)
    assert own == properties_of(Recording(paths[0]))
    assert own.speech_share > 0.8 and own.duration_s == pytest.approx(2.965, abs=1e-3)
    assert "found no sound" in str(broken)


@pytest.mark.parametrize("name", ["rms_seven", "slt_seven", "kal_count"])
def test_properties_and_answers_find_the_same_speech(name):
    reader = WindowReader(Recording(MY_WAVS / f"{name}.wav"), RECIPES["voxsight"].window_settings)
    assert list(reader.windows())
    found = properties_of(Recording(MY_WAVS / f"{name}.wav"))
    assert found.speech_share * found.duration_s == pytest.approx(reader.speech_s)


@pytest.mark.slow
def test_what_mistakes_have_in_common(tmp_path, rng):
    answers = []
    for i in range(12):
        quiet = i < 4
        samples, rate = soundfile.read(MY_WAVS / "slt_three.wav")
        path = tmp_path / "mistakes/test/female" / f"s{i}_word.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = rng.normal(0, 1e-4, len(samples))
        soundfile.write(path, samples * (0.05 if quiet else 1.0) + noise, rate)
        answers.append(LabelledPrediction(str(path), f"s{i}", "female",
                                          p_female=0.1 if quiet else 0.9))
    found = mistakes_in_common(answers, tmp_path, jobs=1, quiet=True)
    rows = {row["property"]: row for row in found}
    level = rows["level_db"]
    assert level["mistakes"] - level["right"] == pytest.approx(20 * np.log10(0.05), abs=0.5)
    assert level["high"] < 0
    assert rows["duration_s"]["difference"] == pytest.approx(0, abs=1e-9)
    assert (tmp_path / "mistakes_in_common.png").stat().st_size > 5_000
    assert draw_mistakes(tmp_path / "mistakes", quiet=True) == 12
    assert (path.with_suffix(".png")).stat().st_size > 10_000


@pytest.fixture
def corpus(gendered_folder):
    return gendered_folder()


@pytest.mark.slow
def test_analysis_of_a_corpus(script, corpus, tmp_path):
    (corpus / "male" / "m1" / "broken.wav").write_bytes(b"no sound")
    samples, rate = soundfile.read(MY_WAVS / "kal_count.wav")
    soundfile.write(corpus / "male" / "m2" / "offset.wav", np.clip(samples + 0.5, -1, 1), rate)
    done = script("analyse_features", f"folder:{corpus}", "--out", tmp_path / "out", "--cache",
                  tmp_path / "features", "--jobs", "1", "--quiet", "--json")
    assert done.returncode == 1 and "broken.wav: found" in done.stderr, done.stderr
    tables = json.loads(done.stdout)
    assert tables["corpora"][0]["n"] == 17
    assert any(row["path"].endswith("offset.wav") and row["feature"] == "dc"
               for row in tables["outliers"])
    with open(tmp_path / "out/features.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 160 + 76 + len(dataclasses.fields(analysis_properties()))
    assert {"f0_hz", "MFCC 28, max", "contrast 3, std"} <= {row["feature"] for row in rows}
    ages = {row["gender"]: float(row["median_hz"]) for row in tables["pitch"]}
    assert ages["female"] > ages["male"] + 30
    page = (tmp_path / "out/index.html").read_text()
    for name in ("cepstra", "statistics", "properties", "correlations", "normalisations",
                 "corpora"):
        assert f'src="{name}.png"' in page
        assert (tmp_path / "out" / f"{name}.png").stat().st_size > 8_000


def analysis_properties():
    from voxsight.features.properties import Properties

    return Properties


@draws_umap
@pytest.mark.slow
def test_stages_of_embeddings_run_alone(script, corpus, tmp_path):
    import pyarrow.parquet

    soundfile.write(corpus / "male" / "m1" / "silence.wav", np.zeros(RATE), RATE)
    common = ["--embeddings", tmp_path / "kept", "--out", tmp_path / "out", "--quiet"]
    done = script("classify_embeddings", f"folder:{corpus}", "--stage", "embed", *common)
    assert done.returncode == 1 and "silence.wav: found no speech" in done.stderr
    table = pyarrow.parquet.read_table(tmp_path / "kept/resemblyzer.parquet")
    lines = (tmp_path / "kept/resemblyzer.jsonl").read_text().splitlines()
    assert table.num_rows == len(lines) == 16 and table.column_names == ["filepath", "label",
                                                                         "embedding"]
    assert len(table["embedding"][0].as_py()) == 256
    (corpus / "male" / "m1" / "silence.wav").unlink()
    done = script("classify_embeddings", f"folder:{corpus}", "--stage", "train", *common)
    assert done.returncode == 0 and "`fnn-resemblyzer`" in done.stdout, done.stderr
    done = script("classify_embeddings", f"folder:{corpus}", "--stage", "plot", *common)
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out/fnn-resemblyzer"
    assert (out / "projection.png").exists() and (out / "mistakes_in_common.csv").exists()
    assert (out / "projection.html").read_text().count('"sound":') == 16
    done = script("classify_embeddings", MY_WAVS, "--stage", "predict", *common)
    assert done.returncode == 0, done.stderr
    answers = {line.split()[-1].rpartition("/")[2]: line for line in done.stdout.splitlines()}
    assert answers.keys() == {path.name for path in MY_WAVS.glob("*.wav")}
