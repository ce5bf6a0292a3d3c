import csv
import dataclasses
import json
import re
import shutil

import numpy as np
import pytest
from conftest import MY_WAVS, ROOT
from PIL import Image

from voxsight.corpora.splits import fingerprints
from voxsight.errors import UsageError
from voxsight.evaluation.grouping import check_groups, leak_report
from voxsight.evaluation.labelled import LabelledPrediction
from voxsight.metrics import groups
from voxsight.metrics.groups import band
from voxsight.network.folder import ModelFolder


@pytest.fixture(scope="session")
def evaluated(script, tmp_path_factory):
    """The voices of my_wavs, evaluated once; no test changes what is there."""
    folder = tmp_path_factory.mktemp("evaluated")
    done = script("evaluate_model", ROOT / "models/default", voices_in(folder), "--out",
                  folder / "out")
    return done, folder / "out"


def voices_in(folder):
    """The voices of my_wavs as a corpus CSV; one label is wrong on purpose."""
    lines = ["path,speaker,gender,corpus,age"]
    for path in sorted(MY_WAVS.glob("*.wav")):
        speaker = path.name.split("_")[0]
        gender = "female" if speaker == "slt" else "male"
        if path.stem == "rms_morning":
            gender = "female"
        lines.append(f"{path},{speaker},{gender},flite,{40 if speaker == 'awb' else ''}")
    lines.append(f"{folder}/gone.wav,slt,female,flite,")
    (folder / "voices.csv").write_text("\n".join(lines) + "\n")
    return folder / "voices.csv"


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_everything_is_written_and_agrees(evaluated):
    done, out = evaluated
    assert done.returncode == 1 and "gone.wav: found no such file" in done.stderr
    metrics = json.loads((out / "metrics.json").read_text())
    assert (metrics["n"], metrics["n_speakers"], metrics["failed"]) == (8, 4, 1)
    for name in ("accuracy", "error_rate", "uar", "precision", "recall", "f1_female", "auc",
                 "ece", "brier", "coverage", "accuracy_answered"):
        figure = metrics[name]
        assert figure["low"] <= figure["value"] <= figure["high"], name
    assert metrics["speakers"] == "speakers shared with training 0 of 4"
    assert "voxsight evaluate" in metrics["command"]
    predictions = rows_of(out / "predictions.csv")
    right = [(float(r["p_female"]) >= 0.5) == (r["gender"] == "female") for r in predictions
             if r["p_female"]]
    assert metrics["accuracy"]["value"] == pytest.approx(np.mean(right))
    mistakes = rows_of(out / "mistakes.csv")
    assert len(mistakes) == right.count(False) >= 1
    assert any(row["path"].endswith("rms_morning.wav") for row in mistakes)
    wrongness = [1 - float(r["p_female"]) if r["gender"] == "female" else float(r["p_female"])
                 for r in mistakes]
    assert wrongness == sorted(wrongness, reverse=True)


def test_mistakes_can_be_heard_and_seen(evaluated):
    _, out = evaluated
    copy = out / "mistakes" / "female" / "flite_rms_rms_morning.wav"
    assert copy.read_bytes() == (MY_WAVS / "rms_morning.wav").read_bytes()
    page = (out / "mistakes" / "index.html").read_text()
    for source in re.findall(r'src="([^"]+)"', page):
        assert (out / "mistakes" / source).is_file()
    assert page.count("<audio") == len(rows_of(out / "mistakes.csv"))
    assert np.asarray(Image.open(copy.with_suffix(".png"))).std() > 10


def test_plots_and_groups(evaluated):
    _, out = evaluated
    for name in ("confusion_matrix", "reliability", "roc"):
        assert np.asarray(Image.open(out / f"{name}.png").convert("L")).std() > 10
    groups = rows_of(out / "by_group.csv")
    by = {(row["group"], row["value"]): row for row in groups}
    assert int(by["age", "30 to 44"]["n"]) == 1 and int(by["age", "not stated"]["n"]) == 7
    assert int(by["sex", "male"]["n"]) == 3
    pitches = {row["value"]: int(row["n"]) for row in groups if row["group"] == "pitch"}
    assert pitches["under 130 Hz"] == 4  # the male voices of flite
    card = (out / "card.md").read_text()
    assert "| uar |" in card and "## By pitch" in card
    assert "<h2>By pitch</h2>" in (out / "card.html").read_text()


def test_stored_answers_give_the_same_figures(evaluated, script, tmp_path):
    _, out = evaluated
    done = script("evaluate_model", ROOT / "models/default", out / "predictions.csv", "--out",
                  tmp_path / "again", "--json", "--by", "sex,speaker")
    again, first = json.loads(done.stdout), json.loads((out / "metrics.json").read_text())
    assert again["accuracy"] == first["accuracy"] and again["auc"] == first["auc"]
    assert {r["group"] for r in rows_of(tmp_path / "again" / "by_group.csv")} == {
        "sex", "speaker"}


def test_stored_answers_of_another_model_are_refused(evaluated, script, tiny_model):
    _, out = evaluated
    done = script("evaluate_model", tiny_model[0], out / "predictions.csv")
    assert done.returncode == 2 and "found answers of another model" in done.stderr


def test_copies_of_earlier_mistakes_go_and_nothing_else(script, tmp_path):
    shutil.copy(MY_WAVS / "slt_fox.wav", tmp_path / "x.wav")
    mistakes = tmp_path / "out/mistakes"
    (mistakes / "male").mkdir(parents=True)
    for speaker, data in (("a", tmp_path / "c.csv"), ("b", tmp_path / "c.csv"),
                          ("b", tmp_path / "stored.csv")):
        (tmp_path / "c.csv").write_text(f"path,speaker,gender,corpus\nx.wav,{speaker},male,c\n")
        (mistakes / "male/mine.wav").touch()
        done = script("evaluate_model", ROOT / "models/default", data, "--out", tmp_path / "out")
        assert done.returncode == 0, done.stderr
        shutil.copy(tmp_path / "out/predictions.csv", tmp_path / "stored.csv")
        assert {path.name for path in (mistakes / "male").iterdir()} == {
            "mine.wav", f"c_{speaker}_x.wav", f"c_{speaker}_x.png"}
    (mistakes / "written.txt").write_text("../../x\n")  # leads out of the folder
    script("evaluate_model", ROOT / "models/default", tmp_path / "c.csv", "--out", tmp_path / "out")
    assert (tmp_path / "x.wav").exists()


def test_each_mistake_has_a_copy_of_its_own(script, tmp_path, monkeypatch):
    """Recordings of one speaker and one name, in folders whose names a joined path confuses."""
    monkeypatch.chdir(tmp_path)
    voices = {"day/1_a/x": "rms_seven", "day_1/a/x": "rms_morning", "day/1/a_x": "awb_three"}
    for path, voice in voices.items():
        (tmp_path / path).parent.mkdir(parents=True)
        shutil.copy(MY_WAVS / f"{voice}.wav", f"{path}.wav")
    (tmp_path / "c.csv").write_text("path,speaker,gender\n" + "".join(
        f"{path}.wav,anna,female\n" for path in voices))
    done = script("evaluate_model", ROOT / "models/default", "c.csv", "--out", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    copies = list((tmp_path / "out/mistakes/female").glob("*.wav"))
    assert {copy.read_bytes() for copy in copies} == {
        (MY_WAVS / f"{voice}.wav").read_bytes() for voice in voices.values()}
    page = (tmp_path / "out/mistakes/index.html").read_text()
    assert set(re.findall(r'<audio[^>]* src="([^"]+)"', page)) == {
        f"female/{copy.name}" for copy in copies}


@pytest.mark.slow
def test_pictures_give_the_answers_of_their_recordings(script, gendered_folder, tmp_path):
    """Evaluating a dataset of pictures is answering the recordings behind it."""
    corpus = gendered_folder()
    (corpus / "male" / "m0").rename(corpus / "female" / "m0")  # wrong labels make mistakes
    script("preprocess_wavs", corpus, "--corpus", "folder", "--out", tmp_path / "d", "--maps",
           tmp_path / "m")
    common = (ROOT / "models/default",)
    script("evaluate_model", *common, tmp_path / "d", "--out", tmp_path / "a")
    script("evaluate_model", *common, corpus, "--corpus", "folder", "--out", tmp_path / "b")
    pictures, recordings = (
        {row["path"].split("/", 1)[-1][-40:]: row["p_female"]
         for row in rows_of(tmp_path / name / "predictions.csv")} for name in "ab")
    assert len(pictures) == 16
    for name in "ab":
        wrong = rows_of(tmp_path / name / "mistakes.csv")
        copies = [p.suffix for p in (tmp_path / name / "mistakes").glob("*/*")]
        assert sorted(copies) == [".png"] * len(wrong) + [".wav"] * len(wrong)
    assert sorted(pictures.values()) == sorted(recordings.values())


@pytest.mark.slow
def test_a_split_assesses_whom_the_same_split_did_not_train(script, gendered_folder, tmp_path):
    corpus = gendered_folder()
    unlabelled = sorted(corpus.rglob("*.wav"))[:2]
    (tmp_path / "u.csv").write_text("path,speaker\n" + "".join(f"{p},x\n" for p in unlabelled))
    dataset, model = tmp_path / "d", tmp_path / "model"
    for source, kind in ((tmp_path / "u.csv", "unlabelled"), (corpus, "folder")):
        done = script("preprocess_wavs", source, "--corpus", kind, "--out", dataset, "--maps",
                      tmp_path / "m", "--augment", "1")
        assert done.returncode == 0, done.stderr
    with open(dataset / "manifest.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for path in unlabelled:  # were converted without their label, and are found again with it
        assert {row["gender"] for row in rows if row["source"] == str(path)} == {"female"}
    done = script("train_model", dataset, "--out", model, "--arch", "resnet18", "--weights", "none",
                  "--head-epochs", "0", "--epochs", "1", "--size", "32x32", "--valid", "0.25")
    assert done.returncode == 0, done.stderr
    done = script("evaluate_model", model, dataset, "--valid", "0.25", "--split", "speaker",
                  "--json", "--out", tmp_path / "out")
    metrics = json.loads(done.stdout)
    assert metrics["speakers"] == "speakers shared with training 0 of 2" and metrics["n"] == 4


def test_only_labelled_recordings_as_they_are_are_assessed(script, tiny_model, tmp_path):
    """Two labelled and one unlabelled recording, each with an altered copy."""
    dataset = tmp_path / "d"
    rows = [("slt_fox", "female"), ("kal_count", "male"), ("slt_three", "unlabelled")]
    dataset.mkdir()
    lines = ["image,source,start_s,end_s,speaker,gender,corpus,age,accent,text,augmentation"]
    for name, gender in rows:
        for kind in ("", "noise"):
            Image.fromarray(np.full((64, 64, 3), len(lines) * 9, np.uint8)).save(
                dataset / f"{len(lines)}.jpg")
            lines.append(f"{len(lines)}.jpg,{MY_WAVS / name}.wav,0,1,{name},{gender},c,,,,{kind}")
    (dataset / "manifest.csv").write_text("\n".join(lines) + "\n")
    recipe = dataclasses.asdict(ModelFolder(tiny_model[0]).config.recipe)
    (dataset / "recipe.json").write_text(json.dumps({"recipe": recipe}))
    done = script("evaluate_model", tiny_model[0], dataset, "--json", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    metrics = json.loads(done.stdout)
    assert (metrics["n"], metrics["n_speakers"], metrics["left_out"]) == (2, 2, 4)
    assert [row["gender"] for row in rows_of(tmp_path / "out/predictions.csv")] == [
        "female", "male"]
    assert "4 pictures were left out" in (tmp_path / "out/card.md").read_text()


def test_leaks_are_reported(tiny_model):
    from dataclasses import replace

    from voxsight.network.folder import ModelFolder

    config = ModelFolder(tiny_model[0]).config
    answers = [LabelledPrediction("a", "c:1", "female"), LabelledPrediction("b", "c:2", "male")]
    assert "does not say" in leak_report(answers, config)
    config = replace(config, training={"speakers_trained_on": ["c:2", "c:3"]})
    assert leak_report(answers, config).startswith(
        "speakers shared with training 1 of 2: does not tell")


def test_voices_under_another_name_are_not_called_new(tiny_model, tmp_path):
    """They are known by their recordings; by a name alone it cannot be told."""
    trained = [tmp_path / f"{i}.wav" for i in range(3)]
    for number, path in enumerate(trained):
        path.write_bytes(bytes([number]) * 100_000)
    copy = tmp_path / "copy.wav"
    shutil.copy(trained[1], copy)
    config = dataclasses.replace(ModelFolder(tiny_model[0]).config, training={
        "speakers_trained_on": ["c:female/anna", "c:male/bob"],
        "recordings_trained_on": fingerprints(map(str, trained))})
    assert leak_report([LabelledPrediction(str(copy), "d:x", "female"),
                        LabelledPrediction("gone.wav", "d:y", "male")], config).startswith(
        "speakers shared with training 1 of 2: does not tell")
    said = leak_report([LabelledPrediction("gone.wav", "d:Anna", "female"),
                        LabelledPrediction("gone2.wav", "d:z", "male")], config)
    assert said.startswith("speakers shared with training unknown, 0 to 1 of 2: 1 have names "
                           "that were trained on in a corpus of another name (c)")
    assert leak_report([LabelledPrediction("gone.wav", "c:carl", "male")], config) == (
        "speakers shared with training 0 of 1")


def test_bands_and_groups():
    assert band(164.9, groups.PITCH_BANDS_HZ) == "130 to 165 Hz"
    assert band("18", groups.AGE_BANDS) == "18 to 29"
    assert band("", groups.AGE_BANDS) == band(None, groups.AGE_BANDS) == "not stated"
    with pytest.raises(UsageError, match="--by shoe: expected some of corpus"):
        check_groups(["sex", "shoe"])


def test_an_assessment_goes_into_the_models_card(tmp_path, tiny_model):
    from voxsight.network.card import model_card, put_into_card
    from voxsight.network.folder import ModelFolder

    config = ModelFolder(tiny_model[0]).config
    config = dataclasses.replace(config, training={
        "weights": "none", "head_epochs": 0, "epochs": 1, "split": "speaker", "corpora": {},
        "shared_speakers": "speakers shared 0 of 2"}, figures={"n": 1, "n_speakers": 1})
    (tmp_path / "README.md").write_text(model_card("tiny", config, "voxsight train"))
    before = (tmp_path / "README.md").read_text()
    for value in ("0.5", "0.75"):
        assessed = f"# Assessment\n\nfound {value}\n\n## By sex\n\n|x|\n"
        put_into_card(tmp_path, "New voices", assessed)
    put_into_card(tmp_path, "Children", "# Assessment\n\nmostly uncertain\n")
    after = (tmp_path / "README.md").read_text()
    assert after.count("## New voices\n\nfound 0.75\n\n### By sex\n\n|x|\n") == 1
    assert "found 0.5" not in after and after.index("New voices") < after.index("## Children")
    sections = [line for line in after.splitlines() if line.startswith("## ")]
    kept = [line for line in sections if line[3:] not in ("New voices", "Children")]
    assert kept == [line for line in before.splitlines() if line.startswith("## ")]
