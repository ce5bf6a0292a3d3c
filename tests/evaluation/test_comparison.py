import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from conftest import MY_WAVS, make_gendered_folder

from voxsight.base import checksums
from voxsight.classifiers import Options, find
from voxsight.evaluation.labelled import stored_predictions
from voxsight.features.acoustic import VERSION
from voxsight.network.folder import ModelFolder

pytestmark = pytest.mark.slow
FAST = "majority,f0,logistic,xgboost"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Recordings that no test changes."""
    return make_gendered_folder(tmp_path_factory.mktemp("compared") / "corpus")


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    """Where the features of the recordings are kept from one test to the next."""
    return tmp_path_factory.mktemp("features")


@pytest.fixture
def compare(script, features, tmp_path):
    """Compare classifiers, in a folder of the test's own."""

    def run(corpus, *args):
        return script("compare_classifiers", f"folder:{corpus}", "--out", tmp_path / "out",
                      "--cache", features, "--jobs", "1", "--quiet", *args, cwd=tmp_path)

    return run


def test_the_board_and_all_that_goes_with_it(compare, gendered_folder, tmp_path):
    corpus = gendered_folder()
    (corpus / "female" / "f0" / "broken.wav").write_bytes(b"no sound")
    done = compare(corpus, "--only", FAST + ",mlp")
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("\n") == 1 and "broken.wav: found" in done.stderr
    out = tmp_path / "out"
    assert (out / "leaderboard.md").read_text() == done.stdout.removesuffix("\n")
    assert "Speakers shared 0 of" in done.stdout and "voxsight compare" in done.stdout
    with open(out / "leaderboard.csv", newline="") as file:
        rows = {row["classifier"]: row for row in csv.DictReader(file)}
    assert set(rows) == {*FAST.split(","), "mlp"}
    assert float(rows["majority"]["uar"]) == 0.5
    assert float(rows["f0"]["uar"]) == 1.0  # two voices, an octave apart
    for row in rows.values():
        assert float(row["uar_low"]) <= float(row["uar"]) <= float(row["uar_high"])
        assert int(row["parameters"]) > 0 and int(row["size_bytes"]) > 0
    assert int(rows["mlp"]["epochs"]) > 0 and rows["f0"]["epochs"] == ""
    for name in ("leaderboard.png", "f0/confusion_matrix.png", "mlp/learning_curve.png",
                 "xgboost/importance.png", "xgboost/learning_curve.png"):
        assert (out / name).stat().st_size > 5_000
    assert not (out / "f0" / "learning_curve.png").exists()
    assert list((tmp_path / "runs" / "out" / "mlp").glob("events*"))
    lines = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")]
    for head, *cells in zip(lines[0], *lines[2:]):  # no figure without its interval
        if any(name in head for name in ("UAR", "AUC", "accuracy", "answer rate")):
            assert all(re.fullmatch(r"0?1?\.\d+ \(.+ to .+\)|-", cell) for cell in cells), head


def test_a_saved_classifier_serves_like_the_shipped_model(compare, script, corpus, tmp_path):
    compare(corpus, "--only", "logistic")
    model = tmp_path / "out" / "logistic" / "model"
    stored = {a.path: a for a in stored_predictions(tmp_path / "out/logistic/predictions.csv")}
    done = script("deploy_model", *stored, "--model", model, "--json", "--jobs", "1")
    for row in json.loads(done.stdout):
        assert row["p_female"] == pytest.approx(stored[row["path"]].p_female, abs=1e-4)
        assert row["label"] == stored[row["path"]].label
    done = script("evaluate_model", model, corpus, "--corpus", "folder", "--json", "--jobs", "1",
                  "--out", tmp_path / "assessed")
    metrics = json.loads(done.stdout)
    assert metrics["uar"]["value"] == 1.0 and "shared with training" in metrics["speakers"]
    done = script("deploy_model", corpus, "--model", model, "--heatmaps", tmp_path / "h")
    assert done.returncode == 2
    assert "found the classifier logistic, expected a picture network" in done.stderr
    done = script("deploy_model", corpus, "--model", f"{model}+resemblyzer", "--jobs", "1")
    assert done.returncode == 2 and "cannot be combined with a voice encoder" in done.stderr
    skops = model / "model.skops"
    skops.write_bytes(skops.read_bytes()[:-1])
    done = script("deploy_model", corpus, "--model", model)
    assert done.returncode == 2 and "model.skops is not as it was written" in done.stderr


def test_calibration_is_fitted_on_the_validation_side_alone(corpus, features, tmp_path):
    from voxsight.corpora.reading import read_sources
    from voxsight.evaluation.comparison.measurement import compare as run
    from voxsight.evaluation.comparison.plan import make_plan
    from voxsight.metrics.calibration import fit_calibration
    from voxsight.network.folder import ModelFolder

    plan = make_plan(read_sources([f"folder:{corpus}"]), jobs=1, quiet=True,
                     cache=features, augment=0.5)
    people = {side: {item.speaker for item in items} for side, items in plan.sides.items()}
    assert not any(people[a] & people[b] for a in people for b in people if a < b)
    altered = {side: sum(bool(i.alteration) for i in items) for side, items in plan.sides.items()}
    assert altered["train"] == 4 and altered["valid"] == altered["test"] == 0
    run(plan, ["logistic"], tmp_path / "out", quiet=True)
    folder = tmp_path / "out/logistic/model"
    stored, model = ModelFolder(folder).config.calibration, find("logistic").load(folder)
    found = {side: fit_calibration(model.log_odds([plan.features[i][model.inputs] for i in items]),
                                   [i.utterance.gender == "female" for i in items],
                                   [i.speaker for i in items])
             for side, items in plan.sides.items()}
    assert stored == found["valid"] and stored not in (found["train"], found["test"])


def test_one_row_is_redone_and_the_others_stay(compare, corpus, tmp_path):
    compare(corpus, "--only", "majority,f0")
    kept = (tmp_path / "out/majority/row.json").read_bytes()
    shutil.rmtree(tmp_path / "out/f0")
    done = compare(corpus, "--only", "f0", "--json")
    assert [row["classifier"] for row in json.loads(done.stdout)] == ["f0", "majority"]
    assert (tmp_path / "out/majority/row.json").read_bytes() == kept
    done = compare(corpus, "--only", "f0", "--json", "--seed", "7")
    assert [row["classifier"] for row in json.loads(done.stdout)] == ["f0"], \
        "rows of another split stand on no common board"


def test_a_split_over_windows_says_that_it_shares_speakers(compare, corpus):
    done = compare(corpus, "--only", "logistic", "--split", "random",
                   "--windows", "3", "--seconds", "0.5")
    assert done.returncode == 0, done.stderr
    assert "do not tell how a classifier does on new voices" in done.stdout
    done = compare(corpus, "--only", "resnet34", "--windows", "3")
    assert done.returncode == 2 and "it looks at whole recordings" in done.stderr


def test_another_split_into_the_same_folder_trains_on_no_test_speaker(compare, corpus, tmp_path,
                                                                     monkeypatch):
    monkeypatch.setattr(find("resnet34"), "epochs", 1)
    tested = []
    for seed in ("42", "7"):
        done = compare(corpus, "--only", "resnet34", "--json", "--seed", seed)
        assert done.returncode == 0, done.stderr
        row, = json.loads(done.stdout)
        training = ModelFolder(tmp_path / "out/resnet34/model").config.training
        tested.append({p.speaker for p in stored_predictions(
            tmp_path / "out/resnet34/predictions.csv")})
        assert not tested[-1] & set(training["speakers_trained_on"])
        n_speakers = len(tested[-1]) + len(training["speakers_trained_on"])
        assert row["shared_speakers"] == f"speakers shared 0 of {n_speakers}"
    assert tested[0] != tested[1]


def test_the_same_recordings_under_another_name_are_not_called_new(compare, corpus, tmp_path):
    """A copy of the training corpus to test on, and one to split together with it."""
    shutil.copytree(corpus, tmp_path / "copy")
    done = compare(corpus, "--test", f"folder:{tmp_path / 'copy'}", "--only", "majority")
    assert "Speakers shared 6 of 14 " in done.stdout  # two of eight validate
    assert "do not tell how a classifier does on new voices" in done.stdout
    done = compare(corpus, f"folder:{tmp_path / 'copy'}", "--only", "majority")
    assert "Speakers shared 0 of" not in done.stdout


def test_pictures_do_not_depend_on_the_current_folder(corpus, tmp_path, monkeypatch):
    from voxsight.corpora.reading import read_sources

    made = []
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        classifier = find("resnet34")(Options(work=str(tmp_path / f"work {name}"), augment=1.0,
                                              jobs=1))
        voices = read_sources([f"folder:{corpus}"])
        sides = classifier._pictures(voices[:6], voices[6:])
        assert [{p.source for p in side} for side in sides] == [
            {u.path for u in voices[:6]}, {u.path for u in voices[6:]}]
        assert not any(p.augmentation for p in sides[1])
        made.append([Path(p.path).read_bytes() for side in sides for p in side])
    assert made[0] == made[1]


def test_a_woman_after_three_seconds_of_quiet_is_the_woman_still(compare, script, corpus,
                                                                 tmp_path):
    """Of every kind of input that is not a picture; noise of the pause is never described."""
    names = "f0,logistic,xgboost,gmm,cnn2d,fnn-resemblyzer"
    compare(corpus, "--only", names)
    quiet = 1e-4 * np.random.default_rng(0).normal(size=3 * 16_000)
    paths = []
    for name in ("slt_fox", "kal_count"):
        samples = soxr.resample(*soundfile.read(MY_WAVS / f"{name}.wav"), 16_000)
        for sound in (samples, np.concatenate([quiet, samples]), quiet):
            paths.append(tmp_path / f"{len(paths)}.wav")
            soundfile.write(paths[-1], sound, 16_000, subtype="FLOAT")
    for name in names.split(","):
        done = script("deploy_model", *paths, "--model", tmp_path / "out" / name / "model",
                      "--json", "--jobs", "1", "--min-confidence", "0")
        rows = json.loads(done.stdout)
        assert [row["label"] for row in rows] == [
            *["female"] * 2, "no_speech", *["male"] * 2, "no_speech"], name
        for plain, late in (rows[:2], rows[3:5]):  # an encoder hears half a second around speech
            near = 0.2 if name.startswith("fnn") else 0.1
            assert late["p_female"] == pytest.approx(plain["p_female"], abs=near), name


def test_a_model_of_other_features_is_refused_with_the_remedy(compare, script, corpus, tmp_path):
    compare(corpus, "--only", "logistic")
    place = tmp_path / "out/logistic/model/config.json"
    config = checksums.read_checksummed_json(place)
    files = [path.name for path in place.parent.iterdir() if path != place]
    assert config["features"].pop("version") == VERSION
    checksums.write_checksummed_json(place, {
        key: value for key, value in config.items() if key != "checksums"}, files)
    done = script("deploy_model", corpus, "--model", place.parent)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert f"found features of version 2, expected version {VERSION}" in done.stderr
    assert "compare_classifiers.py --only logistic" in done.stderr


def test_times_are_from_the_file_however_much_was_computed_before(compare, corpus, tmp_path):
    boards = [compare(corpus, "--only", "logistic,fnn-resemblyzer", "--json") for _ in range(2)]
    for row in (row for done in boards for row in json.loads(done.stdout)):
        assert row["timed_recordings"] == 4
        assert row["ms_per_recording"] > 3  # decoding and finding speech alone take longer
        assert row["inputs_s"] >= 10 * row["ms_per_recording"] / 1000  # train or validate
        assert row["train_s"] == pytest.approx(row["fit_s"] + row["inputs_s"])
    board = (tmp_path / "out/leaderboard.md").read_text()
    assert "ms from file to answer" in board and "training s, from files" in board


def test_recordings_that_all_get_wrong_are_listed(compare, corpus, tmp_path):
    other = tmp_path / "other" / "male" / "m9"
    other.mkdir(parents=True)
    shutil.copy(corpus / "female" / "f0" / "slt_fox.wav", other)  # labelled wrongly
    right = tmp_path / "other" / "female" / "f9"
    right.mkdir(parents=True)
    shutil.copy(corpus / "female" / "f1" / "slt_fox.wav", right)
    done = compare(corpus, "--only", FAST, "--test",
                   f"folder:{tmp_path / 'other'}")
    assert done.returncode == 0, done.stderr
    with open(tmp_path / "out/all_wrong.csv", newline="") as file:
        wrong = list(csv.DictReader(file))
    assert [row["speaker"] for row in wrong] == ["other:male/m9"]
    copies = tmp_path / "out/f0/mistakes/test/male"
    assert [path.name for path in copies.iterdir()] == ["other_male_m9_slt_fox.wav"]
    (copies / "mine.txt").touch()
    other.rename(other.parent / "m8")
    compare(corpus, "--only", "f0", "--test", f"folder:{tmp_path / 'other'}")
    assert {path.name for path in copies.iterdir()} == {"mine.txt", "other_male_m8_slt_fox.wav"}


def test_what_cannot_be_had_is_left_out_and_named(compare, corpus):
    done = compare(corpus, "--only", "hf")
    assert done.returncode == 2 and "expected --hf NAME" in done.stderr
    done = compare(corpus, "--only", "oracle")
    assert done.returncode == 2 and "expected one of" in done.stderr


def test_the_picture_network_is_a_row_like_the_others(compare, script, corpus, tmp_path,
                                                      monkeypatch):
    """After two epochs instead of the twelve that it takes otherwise."""
    assert find("resnet34").epochs == 12
    monkeypatch.setattr(find("resnet34"), "epochs", 2)
    done = compare(corpus, "--only", "resnet34", "--json")
    assert done.returncode == 0, done.stderr
    row, = json.loads(done.stdout)
    assert row["parameters"] > 21e6 and row["epochs"] == 2
    model = tmp_path / "out/resnet34/model"
    answer = script("deploy_model", corpus / "female" / "f0" / "slt_fox.wav", "--json", "--model",
                    model, "--heatmaps", tmp_path / "h")
    assert answer.returncode == 0 and list((tmp_path / "h").glob("*.png"))


def test_a_net_on_embeddings_answers_as_it_was_measured(compare, script, corpus, tmp_path):
    done = compare(corpus, "--only", "fnn-resemblyzer", "--json")
    assert done.returncode == 0, done.stderr
    row, = json.loads(done.stdout)
    assert row["parameters"] == 256 * 257 + 257 and row["figures"]["uar"]["value"] == 1.0
    model = tmp_path / "out/fnn-resemblyzer/model"
    written = stored_predictions(tmp_path / "out/fnn-resemblyzer/predictions.csv")
    stored = {prediction.path: prediction for prediction in written}
    done = script("deploy_model", *stored, "--model", model, "--json", "--jobs", "1")
    for answer in json.loads(done.stdout):
        assert answer["p_female"] == pytest.approx(stored[answer["path"]].p_female, abs=1e-3)
    done = compare(corpus, "--only", "fnn-ecapa", "--source",
                   str(tmp_path / "nothing"))
    assert done.returncode == 2 and "could not be loaded from" in done.stderr
