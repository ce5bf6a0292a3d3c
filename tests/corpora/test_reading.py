import json

import pytest

from voxsight.corpora import reading, utterance
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
        ("anna", "female"), ("anna", "female"), ("male/x", "male")]


def test_fewer_speakers_and_recordings(tmp_path):
    touch(tmp_path, *(f"{g}/{g[0]}{s}/{i}.wav" for g in utterance.LABELS for s in range(5)
                      for i in range(9)))
    rows = reading.read_corpus(tmp_path, "folder", speakers=4, per_speaker=3)
    assert sorted({r.speaker for r in rows}) == ["f0", "f1", "m0", "m1"]
    assert [r.path[-5] for r in rows if r.speaker == "f0"] == ["0", "4", "8"]


def test_missing_corpus(tmp_path):
    with pytest.raises(UsageError, match="found nothing there, expected a librispeech corpus"):
        reading.read_corpus(tmp_path / "no", "librispeech")


@pytest.mark.corpora
def test_real_corpora_are_read_whole(corpora):
    from voxsight.corpora.reading import read_corpus

    libri = read_corpus(corpora / "LibriSpeech", "librispeech")
    digits = read_corpus(corpora / "audiomnist_az", "audiomnist")
    assert len(libri) == 351
    assert len({r.speaker for r in libri if r.gender == "female"}) == 130
    assert len(digits) == 336 and len({r.speaker for r in digits}) == 56
