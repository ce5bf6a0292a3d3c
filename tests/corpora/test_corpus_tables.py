"""Tables that people wrote, in spreadsheets and by hand."""

import os

import pytest

from voxsight.corpora.reading import read_corpus
from voxsight.errors import UsageError

ROWS = ("path,speaker,gender,age", "a.wav,J\u00fcrgen,male,thirties", "b.wav,Zo\u00eb,F,130")


def write(folder, *lines, encoding="utf-8", end="\n"):
    path = folder / "m.csv"
    path.write_bytes(end.join([*lines, ""]).encode(encoding))
    return path


def parted_by(mark):
    return [row.replace(",", mark) for row in ROWS]


@pytest.mark.parametrize("lines, encoding, end", [
    (parted_by(";"), "utf-8", "\r\n"), (parted_by("\t"), "utf-16", "\r\n"),
    (["sep=|", *parted_by("|")], "utf-8", "\r\n"), (ROWS, "utf-8-sig", "\n"),
    (ROWS, "latin-1", "\r"), (ROWS, "utf-16-le", "\n"), (parted_by(";"), "cp1252", "\n"),
    ((" PATH; Speaker ;gender\xa0;AGE", *parted_by(";")[1:]), "latin-1", "\n"),
    (("", ",,,", *ROWS, " ", ",,"), "utf-8", "\n")])
def test_tables_of_any_program_say_the_same(tmp_path, lines, encoding, end):
    rows = read_corpus(write(tmp_path, *lines, encoding=encoding, end=end), "csv")
    assert [(r.path, r.speaker, r.gender) for r in rows] == [
        (str(tmp_path / "a.wav"), "J\u00fcrgen", "male"),
        (str(tmp_path / "b.wav"), "Zo\u00eb", "female")]


@pytest.mark.parametrize("on_disk", [b"\xe9.wav", "\u00e9.wav".encode(), b"missing.wav"])
def test_paths_are_opened_as_their_bytes_or_as_they_read(tmp_path, on_disk):
    (tmp_path / os.fsdecode(on_disk)).touch()
    [row] = read_corpus(write(tmp_path, "path,speaker,gender", "\u00e9.wav,\u00e9,f",
                              encoding="latin-1"), "csv")
    assert row.speaker == "\u00e9"
    assert os.path.exists(row.path) == (on_disk != b"missing.wav")


@pytest.mark.parametrize("lines, message", [
    (("", "a.wav,x,f", "b.wav,y,W", ",,", "c.wav,z,"),
     r"m.csv, line 4 \(b.wav\): found gender 'W', expected .* \(as in line 6\)"),
    (("a.wav,x",), r"line 2 \(a.wav\): found gender ''"),
    (("a.wav,x,f", ",x,f"), "line 3: found no path"),
    (("a.wav,x,f", "b/../a.wav,x,m"), r"line 3 \(b/../a.wav\): found male .* but line 2"),
    (("a.wav,x,f", "a.wav,y,f"), "line 3 .* of speaker y, but line 2 says"),
    (('a.wav,x,"f', "b.wav,y,m"), "line 2: found a quotation mark that is not closed"),
    ((f"a.wav,x,{'f' * 200_000}",), "line 2: found field larger")])
def test_refusals_name_the_line_and_its_path(tmp_path, lines, message):
    with pytest.raises(UsageError, match=message):
        read_corpus(write(tmp_path, "path,speaker,gender", *lines), "csv")


@pytest.mark.parametrize("data, message", [
    (b"", "found an empty file"), (b"PK\3\4\0\0", "found a file that is no text"),
    (b"file|who\n", "no column|no labelled"), (b"file;who\na;b\n", "among 'file', 'who', expected"),
    (b"path,Path,speaker\n", "found 2 columns 'path'"), (b"\xff\xfea", "broken utf-16")])
def test_what_is_no_table_is_refused(tmp_path, data, message):
    (tmp_path / "m.csv").write_bytes(data)
    with pytest.raises(UsageError, match=message):
        read_corpus(tmp_path / "m.csv", "csv")


def test_a_row_listed_twice_counts_once_and_nobody_is_no_speaker(tmp_path, capsys):
    rows = read_corpus(write(tmp_path, "path,speaker,gender", "a.wav,x,f", "b.wav,,m",
                             "./a.wav,x,female", "c.wav, ,m", "a.wav,x,F"), "csv")
    assert len(rows) == len({r.voice for r in rows}) == 3
    assert capsys.readouterr().err.splitlines() == [
        f"{tmp_path}/m.csv, lines 3, 5: no speaker named; each recording counts as a speaker of "
        "its own", f"{tmp_path}/m.csv, lines 4, 6: recordings listed before; each counts once"]


@pytest.mark.parametrize("mark", ['"', '"x" y', 'x"'])
def test_quotation_marks_of_common_voice_hide_no_rows(tmp_path, mark):
    lines = [f"{name}.wav\ts\tf\t{mark}" for name in "abc"]
    assert len(read_corpus(write(tmp_path, "path\tspeaker\tgender\ttext", *lines), "csv")) == 3
