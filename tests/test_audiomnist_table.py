import json

import numpy as np
import pytest
from PIL import Image

from voxsight.audiomnist_table import CELLS, make_table, markdown, write_page

FEMALES = {12, 26, 28, 36, 43, 47, 52, 56, 57, 58, 59, 60}


@pytest.fixture
def pictures(tmp_path):
    """Sixty speakers as the published pictures come: JPEGs and two maps."""
    rng = np.random.default_rng(0)
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


def test_table_of_all_cells(pictures, tmp_path):
    options = {"seeds": (1,), "size": (16, 32), "arch": "resnet18", "quiet": True}
    table = make_table(pictures, tmp_path / "out", **options)
    shared = [cell["shared_speakers"] for cell in table.values()]
    assert shared[1:] == ["speakers shared 0 of 18", "speakers shared 0 of 60"]
    assert not shared[0].startswith("speakers shared 0 ")
    assert [cell["figures"]["n"] for cell in table.values()] == [48, 96, 240]
    assert table["folds"]["figures"]["n_speakers"] == 60
    runs = sorted(path.name for path in (tmp_path / "out" / "runs").glob("*/*.json"))
    assert len(runs) == 1 + 4 + 6
    stored = json.loads((tmp_path / "out" / "table.json").read_text())
    assert json.loads(json.dumps(table)) == stored
    means = [json.loads((tmp_path / "out" / f"{g}_cams.json").read_text())
             for g in ("female", "male")]
    assert sum(mean["n"] for mean in means) == 48
    assert np.shape(means[0]["mean_map"]) == (16, 32) and len(means[0]["rows"]) == 16
    assert np.asarray(Image.open(tmp_path / "out" / "class_means.png")).std() > 10
    lines = markdown(table).splitlines()
    assert len(lines) == 5 and "24,000" in lines[2] and "+/-" in lines[3]


def test_what_is_done_is_not_redone(pictures, tmp_path, monkeypatch):
    options = {"cells": ("random",), "seeds": (1,), "size": (16, 32), "arch": "resnet18",
               "quiet": True}
    first = make_table(pictures, tmp_path / "out", **options)
    monkeypatch.setattr("voxsight.audiomnist_table.make_learner", None)
    assert make_table(pictures, tmp_path / "out", **options) == first


def test_rows_of_other_commands_stay(pictures, tmp_path):
    options = {"seeds": (1,), "size": (16, 32), "arch": "resnet18", "quiet": True}
    make_table(pictures, tmp_path, cells=("paper",), command="one", **options)
    table = make_table(pictures, tmp_path, cells=("random",), command="two", **options)
    assert [(name, cell["command"]) for name, cell in table.items()] == [
        ("random", "two"), ("paper", "one")]
    write_page(table, tmp_path)
    assert "    two\n    one\n" in (tmp_path / "README.md").read_text()


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
