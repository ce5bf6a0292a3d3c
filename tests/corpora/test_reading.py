import json

import pytest

from voxsight.corpora import reading, selection, utterance
from voxsight.errors import UsageError


def touch(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def test_audiomnist_layout_and_odd_ages(tmp_path):
    touch(tmp_path, "data/01/0_01_0.wav", "data/01/9_01_49.wav", "data/12/3_12_1.wav",
          "data/12/notes.txt")
    (tmp_path / "data" / "audioMNIST_meta.txt").write_text(json.dumps({
        "01": {"gender": "male", "age": "1234", "accent": "german"},
        "12": {"gender": "female", "age": 27, "accent": "Spanish"}}))
    rows = reading.read_corpus(tmp_path, "audiomnist")
    assert [(r.speaker, r.gender, r.age, r.text, r.accent) for r in rows] == [
        ("01", "male", "", "0", "german"), ("01", "male", "", "9", "german"),
        ("12", "female", "27", "3", "Spanish")]


@pytest.mark.parametrize("name", ["AudioMNIST-master", "az"])
def test_a_voice_has_one_name_whatever_its_folder_and_reader(tmp_path, name):
    touch(tmp_path / name, "data/01/0_01_0.wav")
    (tmp_path / name / "data/audioMNIST_meta.txt").write_text('{"01": {"gender": "male"}}')
    places = tmp_path / name, tmp_path / name / "data"
    names = {u.voice for place in places for u in (
        *reading.read_corpus(place, "audiomnist"), *reading.read_sources([f"audiomnist:{place}"]))}
    assert names == {"audiomnist:01"}


def test_voices_of_a_folder_have_one_name_too(tmp_path, monkeypatch):
    touch(tmp_path / "mine", "female/anna/1.wav", "male/bob/1.wav")
    monkeypatch.chdir(tmp_path / "mine")
    names = [[u.voice for u in rows] for rows in (
        reading.read_corpus(".", "folder"), reading.read_sources(["folder:."]),
        reading.read_sources([f"folder:{tmp_path / 'mine'}"]))]
    assert names == 3 * [["mine:female/anna", "mine:male/bob"]]


def test_librispeech_from_inside_a_subset_names_the_same_voices(tmp_path, monkeypatch):
    touch(tmp_path, "dev-clean/84/121/84-121-0001.flac")
    (tmp_path / "SPEAKERS.TXT").write_text("84 | F | dev-clean\n")
    voices = [reading.read_corpus(place, "librispeech")[0].voice
              for place in (tmp_path, tmp_path / "dev-clean")]
    monkeypatch.chdir(tmp_path / "dev-clean")
    voices += [u.voice for u in reading.read_sources(["librispeech:."])]
    assert voices == 3 * ["librispeech/dev-clean:84"]


def test_speakers_of_two_corpora_with_one_number_are_two_voices():
    utterances = [utterance.Utterance(f"{corpus}{number}{gender}", str(number), gender, corpus)
                  for corpus in "ab" for number, gender in ((1, "female"), (2, "male"))]
    first = selection.first_speakers(utterances, 2)
    assert [u.voice for u in first] == ["a:1", "a:2"]
    assert [u.voice for u in selection.without_speaker(utterances, "b:1")] == ["a:1", "a:2", "b:2"]
    for name in ("1", "9"):
        with pytest.raises(UsageError, match="expected one voice; name it as CORPUS:SPEAKER"):
            selection.without_speaker(utterances, name)


def test_librispeech_layout_and_subsets(tmp_path):
    touch(tmp_path, "dev-clean/84/121/84-121-0001.flac", "test-other/367/1/367-1-0000.flac",
          "dev-clean/999/1/999-1-0000.flac")
    (tmp_path / "SPEAKERS.TXT").write_text(
        ";ID |SEX| SUBSET |MINUTES| NAME\n84 | F | dev-clean | 8.02 | Christie\n"
        "367  | M | test-other | 8.04 | A | B\n")
    both = reading.read_corpus(tmp_path, "librispeech")
    assert [(r.speaker, r.gender, r.corpus) for r in both] == [
        ("84", "female", "librispeech/dev-clean"), ("367", "male", "librispeech/test-other")]
    assert len(reading.read_corpus(tmp_path, "librispeech", subset="test-other")) == 1
    with pytest.raises(UsageError, match="subset dev-other"):
        reading.read_corpus(tmp_path, "librispeech", subset="dev-other")


def test_csv_paths_are_relative_to_it(tmp_path):
    (tmp_path / "m.csv").write_text("path,speaker,gender,age\na/1.wav,s1,F,30\n2.wav,s2,male,\n")
    rows = reading.read_corpus(tmp_path / "m.csv", "csv")
    assert [r.path for r in rows] == [str(tmp_path / "a/1.wav"), str(tmp_path / "2.wav")]
    assert [r.gender for r in rows] == ["female", "male"]


@pytest.mark.parametrize("text, message", [
    ("path,who\n1.wav,x\n", "no column gender, speaker"),
    ("path,speaker,gender\n1.wav,x,other\n", "found gender 'other'"),
    ("path,speaker,gender\n", "no column|no labelled recording")])
def test_csv_refusals(tmp_path, text, message):
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(UsageError, match=message):
        reading.read_corpus(tmp_path / "m.csv", "csv")


def test_folder_with_and_without_speakers(tmp_path):
    touch(tmp_path, "female/anna/1.wav", "female/anna/2.mp3", "male/x.flac", "male/readme.md")
    rows = reading.read_corpus(tmp_path, "folder")
    assert [(r.speaker, r.gender) for r in rows] == [
        ("female/anna", "female"), ("female/anna", "female"), ("male/x", "male")]


def test_speakers_of_a_folder_are_told_apart_by_label(tmp_path):
    touch(tmp_path, *(f"{g}/{n}/a.wav" for g in utterance.LABELS for n in (1, 2)))
    assert len({r.voice for r in reading.read_corpus(tmp_path, "folder")}) == 4


@pytest.mark.parametrize("names", [("Female", "MALE"), ("females", "males"), ("FEMALES", "male")])
def test_folders_in_any_case_and_number(tmp_path, names):
    touch(tmp_path, *(f"{name}/1/a.wav" for name in names))
    rows = reading.read_corpus(tmp_path, "folder")
    assert [r.speaker for r in rows] == ["female/1", "male/1"]


def test_folders_of_no_label_are_named(tmp_path):
    touch(tmp_path, "train/female/a.wav", "test/female/a.wav")
    with pytest.raises(UsageError, match="found test/, train/, expected female/ and male/"):
        reading.read_corpus(tmp_path, "folder")


def test_fewer_speakers_and_recordings(tmp_path):
    touch(tmp_path, *(f"{g}/{g[0]}{s}/{i}.wav" for g in utterance.LABELS for s in range(5)
                      for i in range(9)))
    rows = reading.read_corpus(tmp_path, "folder", speakers=4, per_speaker=3)
    assert sorted({r.speaker for r in rows}) == ["female/f0", "female/f1", "male/m0",
                                                 "male/m1"]
    assert [r.path[-5] for r in rows if r.speaker == "female/f0"] == ["0", "4", "8"]


def test_missing_corpus(tmp_path):
    with pytest.raises(UsageError, match="found nothing there, expected a librispeech corpus"):
        reading.read_corpus(tmp_path / "no", "librispeech")


@pytest.mark.parametrize("source, kind, path, subset", [
    ("dir/a:b.csv", "csv", "dir/a:b.csv", ""), ("csv:dir/a:b.csv", "csv", "dir/a:b.csv", ""),
    ("csv:dir/a:b.csv:x", "csv", "dir/a:b.csv", "x"), ("dir/a:b.csv:x", "csv", "dir/a:b.csv", "x"),
    (r"csv:C:\x.csv", "csv", r"C:\x.csv", ""), (r"C:\x.csv", "csv", r"C:\x.csv", "")])
def test_paths_of_sources_may_hold_colons(tmp_path, monkeypatch, source, kind, path, subset):
    touch(tmp_path, path)
    (tmp_path / path).write_text("path,speaker,gender,corpus\n1.wav,a,f,x\n2.wav,b,m,y\n")
    monkeypatch.chdir(tmp_path)
    rows = reading.read_sources([source])
    assert len(rows) == (1 if subset else 2)


def broken_audiomnist(root, table):
    touch(root, "data/01/0_01_0.wav", "data/02/0_02_0.wav")
    (root / "data" / "AudioMNIST_META.txt").write_bytes(table)
    return reading.read_corpus(root, "audiomnist")


@pytest.mark.parametrize("table, message", [
    (b'{"01": {"gender": "male"},\n}', "META.txt, line 2, column 1: found no JSON"),
    (b"{'01': {}}", "line 1, column 2: found no JSON"), (b"", "line 1, column 1: found no JSON"),
    (b"[1]", "found a list, expected an object"),
    (b'{"01": "male"}', "speaker 01: found 'male', expected an object"),
    (b'{"01": {"age": 3}}', "speaker 01: found gender None")])
def test_broken_audiomnist_tables_are_named_with_the_place(tmp_path, table, message):
    with pytest.raises(UsageError, match=message):
        broken_audiomnist(tmp_path, table)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_audiomnist_leaves_out_whom_the_table_does_not_name(tmp_path, encoding, capsys):
    table = '{"01": {"gender": "male", "accent": "M\u00e4hrisch"}}'.encode(encoding)
    [row] = broken_audiomnist(tmp_path, table)
    assert (row.speaker, row.accent) == ("01", "M\u00e4hrisch")
    assert "left out 1 recordings of 1 speakers that the table does not name: 02" in (
        capsys.readouterr().err)


LIBRI = "84/121/84-121-0001.flac", "84/121/84_121_000007_000001.wav", "90/1/90-1-0.flac"


def read_libri(root, table, name="SPEAKERS.TXT"):
    touch(root, *(f"dev-clean/{path}" for path in LIBRI))
    (root / name).write_bytes(table)
    return reading.read_corpus(root, "librispeech")


@pytest.mark.parametrize("table", [
    b"\xef\xbb\xbf;no bar\n;ID |SEX|\n84 | F | x\n90|M\n",
    b"ID |SEX|\n\n84 | F | Ren\xe9\n90|M\n  \n",
    "84 | F\n90 | M\n91 | U".encode("utf-16")])
def test_librispeech_tables_of_other_editors(tmp_path, table):
    rows = read_libri(tmp_path, table, "Speakers.txt")
    assert [(r.speaker, r.gender) for r in rows] == [("84", "female"), ("84", "female"),
                                                     ("90", "male")]


@pytest.mark.parametrize("table, message", [
    (b"84 | F\n90\tM\n", r"SPEAKERS.TXT, line 2: found '90\\tM', expected"),
    (b"84 | U\n", r"SPEAKERS.TXT, line 1 \(speaker 84\): found gender 'U'"),
    (b"84 | F\n90 | M\n84 | M\n", "lines 1, 3: found both labels for speaker 84")])
def test_lines_of_librispeech_tables_are_named(tmp_path, table, message):
    with pytest.raises(UsageError, match=message):
        read_libri(tmp_path, table)


def test_librispeech_is_found_from_inside_and_leaves_out_the_unknown(tmp_path, monkeypatch, capsys):
    read_libri(tmp_path, b"84 | F\n")
    monkeypatch.chdir(tmp_path / "dev-clean")
    assert len(reading.read_corpus(".", "librispeech")) == 2
    assert "left out 1 recordings of 1 speakers that the table does not name: 90" in (
        capsys.readouterr().err)


@pytest.mark.corpora
def test_real_corpora_are_read_whole(corpora):
    from voxsight.corpora.reading import read_corpus

    libri = read_corpus(corpora / "LibriSpeech", "librispeech")
    digits = read_corpus(corpora / "audiomnist_az", "audiomnist")
    assert len(libri) == 351
    assert len({r.speaker for r in libri if r.gender == "female"}) == 130
    assert len(digits) == 336 and len({r.speaker for r in digits}) == 56
