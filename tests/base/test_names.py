"""Names: no two are alike, on any file system and in any format."""

import itertools
import unicodedata

import pytest

from voxsight.base.names import as_one_word, below_common_folder, distinct_names

PIECES = ["a", "A", "a b", "a_b", "a\tb", "a\u00a0b", "a_2", "a_2_2", "\u00fc", "u\u0308", "\u1e9e",
          "ss", "x/a", "x_a", "X/a", "\udcff", "\udcfe", "", " ", "n" * 300, "n" * 299]


def alike(name, other):
    """Whether macOS, Windows or a reader of RTTM may take one for the other."""
    forms = [unicodedata.normalize("NFD", text).casefold() for text in (name, other)]
    return forms[0] == forms[1] or as_one_word(name) == as_one_word(other)


@pytest.mark.parametrize("endings", [("",), ("", "_sweeps")])
def test_no_two_names_are_alike(endings):
    pieces = [*PIECES, *PIECES, "a_sweeps", "a_2"]
    names = distinct_names([[piece] for piece in pieces], endings)
    written = [name + ending for name in names for ending in endings]
    assert not [pair for pair in itertools.combinations(written, 2) if alike(*pair)]
    assert all(len(part.encode(errors="replace")) < 210 for name in names
               for part in name.split("/"))


@pytest.mark.parametrize("name", [
    "tab\there", "new\nline", "no-break\u00a0space", "narrow\u202fspace", "ideographic\u3000space",
    "line\u2028separator", "bell\x07", "nul\x00", "next\x85line", "bytes\udcff", " both ends ",
    "zero\u200bwidth", "\t", "plain", "a  b"])
def test_one_word_is_one_word_for_any_reader(name):
    word = as_one_word(name)
    assert word.split() == [word] and word.isprintable() and word.encode()
    assert name != "plain" or word == "plain"


def test_names_that_tell_apart_come_before_numbers():
    choices = [("a", "x/y/a", "x/y/a.wav"), ("a", "x_y/a", "x_y/a.wav"),
               ("b", "b", "b.wav"), ("b", "b", "b.flac"), ("c", "c", "c.wav"), ("C", "C", "C.wav")]
    assert distinct_names(choices) == ["x/y/a", "x_y/a", "b.wav", "b.flac", "c", "C_2"]
    assert distinct_names([]) == []


def test_paths_below_the_folder_that_holds_all(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert below_common_folder(["a.wav", "../x/a.wav", f"{tmp_path}/a.wav"]) == [
        "here/a.wav", "x/a.wav", "a.wav"]
    assert below_common_folder(["a.wav"]) == ["a.wav"]
    assert below_common_folder([]) == []
