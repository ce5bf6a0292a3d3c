"""A stopped run of many recordings, finished by the same command."""

import csv
import shutil

import pytest
from conftest import MY_WAVS, ROOT

from voxsight.answer.batch import predict_all
from voxsight.answer.writers import Timelines
from voxsight.errors import UsageError


@pytest.fixture
def stopped(tmp_path):
    """A folder of recordings and the table of a run that was stopped after two of them."""
    folder = tmp_path / "voices"
    folder.mkdir()
    for name in ("b", "c", "d"):
        shutil.copy(MY_WAVS / "slt_fox.wav", folder / f"{name}.wav")
    table = tmp_path / "rows.csv"
    predictions = run(folder, table)
    assert [next(predictions).label for _ in range(2)] == ["female", "female"]
    predictions.close()
    assert not table.exists()
    return folder, table


def run(folder, table):
    return predict_all([str(folder)], ROOT / "models/default", csv=table, quiet=True)


def test_what_is_done_is_not_done_again(stopped):
    folder, table = stopped
    shutil.copy(MY_WAVS / "rms_seven.wav", folder / "b.wav")
    shutil.copy(MY_WAVS / "rms_seven.wav", folder / "d.wav")
    labels = [prediction.label for prediction in run(folder, table)]
    assert labels == ["female", "female", "male"]
    with open(table) as file:
        assert [row["label"] for row in csv.DictReader(file)] == labels
    assert not table.with_name("rows.csv.partial").exists()


def test_recordings_may_have_been_added(stopped):
    folder, table = stopped
    shutil.copy(MY_WAVS / "rms_seven.wav", folder / "a.wav")
    list(run(folder, table))
    resumed = table.read_bytes()
    table.unlink()
    list(run(folder, table))
    assert resumed == table.read_bytes() and resumed.count(b"\n") == 5


def test_rows_of_other_recordings_are_not_thrown_away(stopped):
    folder, table = stopped
    (folder / "b.wav").unlink()
    rows = table.with_name("rows.csv.partial").read_bytes()
    with pytest.raises(UsageError, match=r"such as .*b\.wav; name these too"):
        list(run(folder, table))
    assert table.with_name("rows.csv.partial").read_bytes() == rows


def test_what_could_not_be_read_is_tried_again(tmp_path, tiny_model):
    """As on a disk that was away when the first run came to it."""
    names = [str(tmp_path / f"{name}.wav") for name in "abc"]
    shutil.copy(MY_WAVS / "slt_fox.wav", names[0])
    shutil.copy(MY_WAVS / "slt_fox.wav", names[2])
    table = tmp_path / "rows.csv"
    first = predict_all(names, tiny_model[0], csv=table, quiet=True)
    assert [bool(next(first).error) for _ in range(2)] == [False, True]
    first.close()
    shutil.copy(MY_WAVS / "slt_fox.wav", names[1])
    assert not any(p.error for p in predict_all(names, tiny_model[0], csv=table, quiet=True))
    with open(table) as file:
        assert [(row["path"], row["error"]) for row in csv.DictReader(file)] == [
            (name, "") for name in names]


def test_a_folder_that_could_not_be_read_may_hold_recordings_now(stopped, tmp_path):
    """Its row, which was an error, does not make these other recordings."""
    folder, _ = stopped
    away, table = tmp_path / "away", tmp_path / "both.csv"
    away.mkdir()
    first = predict_all([str(away), str(folder)], ROOT / "models/default", csv=table, quiet=True)
    assert "without sound files" in next(first).error
    next(first)
    first.close()
    shutil.copy(MY_WAVS / "rms_seven.wav", away)
    second = list(predict_all([str(away), str(folder)], ROOT / "models/default", csv=table,
                              quiet=True))
    assert [prediction.label for prediction in second] == ["male", *["female"] * 3]
    assert table.read_bytes().count(b"\n") == 5


@pytest.mark.parametrize("settings", [{"min_confidence": 0.5}, {"writers": [Timelines("t")]}])
def test_rows_of_other_settings_are_not_thrown_away(settings, stopped):
    folder, table = stopped
    rows = table.with_name("rows.csv.partial").read_bytes()
    with pytest.raises(UsageError, match="other settings"):
        next(predict_all([str(folder)], ROOT / "models/default", csv=table, **settings))
    assert table.with_name("rows.csv.partial").read_bytes() == rows
