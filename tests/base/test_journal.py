"""Journals: entries survive a kill, and a run with other settings is refused."""

import pytest

from voxsight.base.journal import Journal
from voxsight.errors import UsageError


def entries_of(target, settings=None):
    journal = Journal(target, settings)
    journal.close()
    return list(journal.entries())


def test_entries_are_kept_until_the_file_is_written(tmp_path):
    target = tmp_path / "rows.csv"
    journal = Journal(target, {"model": "a"})
    journal.add({"path": "ä\udce4\n.wav", "p": 0.5})
    journal.close()
    journal = Journal(target, {"model": "a"})
    journal.add(["another"])
    assert list(journal.entries()) == [{"path": "ä\udce4\n.wav", "p": 0.5}, ["another"]]
    journal.remove()
    assert not journal.path.exists() and entries_of(target) == []


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_an_unfinished_entry_is_dropped_and_the_others_stay(cut, tmp_path):
    target = tmp_path / "rows.csv"
    journal = Journal(target, None)
    for number in range(3):
        journal.add({"number": number, "filling": "x" * 10})
    journal.close()
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole[:-cut])
    assert [entry["number"] for entry in entries_of(target)] == [0, 1]
    assert whole.startswith(journal.path.read_bytes())


def test_entries_longer_than_a_block_are_cut_off_too(tmp_path):
    target = tmp_path / "rows.csv"
    journal = Journal(target, None)
    journal.add("first")
    journal.add("x" * 200_000)
    journal.close()
    journal.path.write_bytes(journal.path.read_bytes()[:-1])
    assert entries_of(target) == ["first"]


def test_what_is_there_is_never_written_again(tmp_path):
    """A run that is killed while it resumes another loses nothing of it."""
    target = tmp_path / "rows.csv"
    journal = Journal(target, None)
    for number in range(100):
        journal.add(number)
    journal.close()
    before = journal.path.read_bytes()
    resumed = Journal(target, None)  # nothing is closed or flushed after this point
    assert journal.path.read_bytes() == before
    resumed.close()


def test_other_settings_are_refused_and_nothing_is_lost(tmp_path):
    target = tmp_path / "rows.csv"
    journal = Journal(target, {"min_confidence": 0.9})
    journal.add("row")
    journal.close()
    with pytest.raises(UsageError, match=r"other settings.*delete this file"):
        Journal(target, {"min_confidence": 0.5})
    assert entries_of(target, {"min_confidence": 0.9}) == ["row"]
