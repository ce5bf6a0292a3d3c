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


def test_what_a_journal_begins_with_is_there_whole_or_not_at_all(tmp_path):
    """A run that is killed before it has copied the rows of the last one loses none of them."""
    target = tmp_path / "rows.csv"

    def rows():
        yield "first"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Journal(target, None, rows())
    assert list(tmp_path.iterdir()) == []
    journal = Journal(target, None, ["first", "second"])
    journal.close()
    journal = Journal(target, None, rows())  # which are those of the journal
    assert list(journal.entries()) == ["first", "second"]
    journal.close()


@pytest.mark.parametrize("damage", [b"\0" * 40, b'{"half": \n"more"\n', b"\xff\xfe\n"])
def test_what_a_power_cut_leaves_is_cut_off(damage, tmp_path):
    target = tmp_path / "rows.csv"
    journal = Journal(target, None)
    journal.add("whole")
    journal.close()
    with open(journal.path, "ab") as file:
        file.write(damage)
    assert entries_of(target) == ["whole"]
    journal = Journal(target, None)
    journal.add("next")
    journal.close()
    assert entries_of(target) == ["whole", "next"]


@pytest.mark.parametrize("content", [b"my own notes", b"one\ntwo", b'{"a": 1}\n{"half'])
def test_a_file_of_somebody_else_is_not_touched(content, tmp_path):
    (tmp_path / "rows.csv.partial").write_bytes(content)
    with pytest.raises(UsageError, match="delete this file"):
        Journal(tmp_path / "rows.csv", None)
    assert (tmp_path / "rows.csv.partial").read_bytes() == content


@pytest.mark.parametrize("kept", [0, 1, 7])
def test_a_first_line_that_was_being_written_is_begun_again(kept, tmp_path):
    target, settings = tmp_path / "rows.csv", {"model": "a"}
    Journal(target, settings).close()
    whole = (tmp_path / "rows.csv.partial").read_bytes()
    (tmp_path / "rows.csv.partial").write_bytes(whole[:kept])
    assert entries_of(target, settings) == []
    assert (tmp_path / "rows.csv.partial").read_bytes() == whole
