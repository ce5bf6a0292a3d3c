"""A stopped run of many recordings, finished by the same command."""

import csv
import shutil

import pytest
from conftest import MY_WAVS, ROOT

from voxsight.answer.batch import predict_all
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
