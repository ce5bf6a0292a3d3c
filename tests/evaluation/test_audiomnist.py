import contextlib
import json
import shutil
import sqlite3

import numpy as np
import pytest
from PIL import Image

from voxsight.evaluation.audiomnist import CELLS, Dataset, make_audiomnist_table
from voxsight.evaluation.audiomnist_page import audiomnist_markdown, write_page

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("audiomnist")]  # one table for all
FEMALES = {12, 26, 28, 36, 43, 47, 52, 56, 57, 58, 59, 60}


OPTIONS = {"seeds": (1,), "size": (16, 32), "arch": "resnet18", "quiet": True}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Sixty speakers as the published pictures come: JPEGs and two maps."""
    rng, tmp_path = np.random.default_rng(0), tmp_path_factory.mktemp("audiomnist")
    (tmp_path / "mfc_dataset").mkdir()
    (tmp_path / "maps").mkdir()
    maps = {"female": {}, "male": {}}
    for speaker in range(1, 61):
        gender = "female" if speaker in FEMALES else "male"
        for repetition in range(4):
            i = len(maps[gender])
            pixels = rng.integers(0, 60, (16, 32, 1), np.uint8)
            pixels[(slice(0, 8) if gender == "female" else slice(8, 16))] += 150
            name = f"mfc_dataset/{gender}_{i}.jpg"
            Image.fromarray(np.repeat(pixels, 3, axis=2)).save(tmp_path / name)
            maps[gender][name] = f"data/{speaker:02}/3_{speaker:02}_{repetition}.wav"
    for gender, images in maps.items():
        (tmp_path / "maps" / f"{gender}.json").write_text(json.dumps(images))
    return tmp_path


@pytest.fixture(scope="module")
def made(pictures, tmp_path_factory):
    """The table of all cells and the folder that it was made in; no test changes it."""
    out = tmp_path_factory.mktemp("table") / "out"
    return make_audiomnist_table(pictures, out, **OPTIONS), out


@pytest.fixture
def trained_before(made, tmp_path, monkeypatch):
    """A folder with all trainings of the table, where none can be done again."""
    shutil.copytree(made[1] / "runs", tmp_path / "out/runs")
    monkeypatch.setattr("voxsight.evaluation.audiomnist.make_learner", None)
    return tmp_path / "out"


def test_table_of_all_cells(made):
    table, out = made
    shared = [cell["shared_speakers"] for cell in table.values()]
    assert shared[1:] == ["speakers shared 0 of 18", "speakers shared 0 of 60"]
    assert not shared[0].startswith("speakers shared 0 ")
    assert [cell["figures"]["n"] for cell in table.values()] == [48, 96, 240]
    assert table["folds"]["figures"]["n_speakers"] == 60
    with contextlib.closing(sqlite3.connect(out / "runs/store.sqlite")) as store:
        (n_runs,), = store.execute("SELECT count(*) FROM (SELECT DISTINCT key FROM arrays)")
    assert n_runs == 1 + 4 + 6
    stored = json.loads((out / "table.json").read_text())
    assert json.loads(json.dumps(table)) == stored
    means = [json.loads((out / f"{g}_cams.json").read_text())
             for g in ("female", "male")]
    assert sum(mean["n"] for mean in means) == 48
    assert np.shape(means[0]["mean_map"]) == (16, 32) and len(means[0]["rows"]) == 16
    assert np.asarray(Image.open(out / "class_means.png")).std() > 10
    lines = audiomnist_markdown(table).splitlines()
    assert len(lines) == 5 and "24,000" in lines[2] and "+/-" in lines[3]


def test_what_is_done_is_not_redone(pictures, made, trained_before):
    again = make_audiomnist_table(pictures, trained_before, **OPTIONS)
    assert json.dumps(again) == json.dumps(made[0])  # where a figure may be no number


def test_a_training_is_known_by_what_its_pictures_show_and_whom(pictures, tmp_path):
    def digest(folder):
        return Dataset.read(folder / "mfc_dataset").digest

    before = digest(shutil.copytree(pictures, tmp_path / "copy"))
    assert before == digest(pictures)
    shutil.copy(tmp_path / "copy/mfc_dataset/male_1.jpg", tmp_path / "copy/mfc_dataset/male_0.jpg")
    changed = digest(tmp_path / "copy")
    place = tmp_path / "copy/maps/male.json"
    place.write_text(place.read_text().replace("/01/3_01_", "/31/3_31_"))
    assert len({before, changed, digest(tmp_path / "copy")}) == 3


def test_rows_of_other_commands_stay(pictures, trained_before):
    make_audiomnist_table(pictures, trained_before, cells=("paper",), command="one", **OPTIONS)
    table = make_audiomnist_table(pictures, trained_before, cells=("random",), command="two",
                                  **OPTIONS)
    assert [(name, cell["command"]) for name, cell in table.items()] == [
        ("random", "two"), ("paper", "one")]
    write_page(table, trained_before)
    assert "    two\n    one\n" in (trained_before / "README.md").read_text()


@pytest.mark.corpora
def test_from_waveforms_with_the_voxsight_recipe(script, corpora, tmp_path):
    """A user's own copy: digits to pictures, then speaker-disjoint folds of all speakers."""
    done = script("preprocess_wavs", corpora / "audiomnist_az", "--corpus", "audiomnist", "--out",
                  tmp_path / "mfc_dataset", "--maps", tmp_path / "maps")
    assert done.returncode == 0, done.stderr
    done = script("audiomnist_table", tmp_path, "--cells", "folds", "--seeds", "1", "--arch",
                  "resnet18", "--size", "32x32", "--out", tmp_path / "out", "--json", "--quiet")
    assert done.returncode == 0, done.stderr
    cell = json.loads(done.stdout)["folds"]
    assert cell["shared_speakers"] == "speakers shared 0 of 56"
    assert cell["figures"]["n"] == 336 and cell["figures"]["n_speakers"] == 56
    assert cell["figures"]["auc"]["value"] > 0.7  # chance: 0.5
    page = (tmp_path / "out" / "README.md").read_text()
    assert "voxsight audiomnist" in page and "six speaker-disjoint folds" in page
    assert set(CELLS) == {"random", "paper", "folds"}
