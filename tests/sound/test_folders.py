"""Walking folders: what is a recording, what is passed over, and how that is said."""

import shutil
import subprocess
from collections import Counter

import pytest
from conftest import MY_WAVS

from voxsight.errors import RecordingError, UsageError
from voxsight.sound.folders import (
    EXTENSIONS,
    check_is_no_recording,
    left_out_line,
    look_into,
    sound_files,
)
from voxsight.sound.recording import Recording

# Endings that need no more than FFmpeg's choice for them, and how to make the others. A tuple
# is of FFmpeg, a string the name that SoX knows.
EASY = ("wav", "w64", "flac", "ogg", "oga", "opus", "mp3", "mp2", "m4a", "m4b", "mp4", "aac", "3gp",
        "3g2", "mov", "mkv", "mka", "avi", "wma", "asf", "wmv", "flv", "ts", "m2ts", "mpg", "vob",
        "aif", "aiff", "au", "caf", "ac3", "eac3", "tta", "wv", "ogv", "rm", "voc", "webm", "f4v")
MADE = {
    "wave": ("-f", "wav"), "bwf": ("-f", "wav", "-write_bext", "1"),
    "rf64": ("-f", "wav", "-rf64", "always"), "ogx": ("-f", "ogg"), "mpga": ("-f", "mp3"),
    "mp1": ("-f", "mp2"), "m4r": ("-f", "mp4"), "m4v": ("-f", "mp4", "-c:a", "aac"),
    "f4a": ("-f", "mp4"), "qt": ("-f", "mov"), "weba": ("-f", "webm"), "mts": ("-f", "mpegts"),
    "mpeg": ("-f", "mpeg"), "aifc": ("-f", "aiff"), "snd": ("-f", "au"),
    "dts": ("-c:a", "dca", "-strict", "-2"),
    "spx": ("-ar", "16000", "-c:a", "libspeex", "-f", "ogg"),
    "ra": ("-f", "rm", "-c:a", "ac3"), "gsm": "gsm", "awb": "amr-wb",
    "sph": "sph", "nist": "nist", "8svx": "8svx", "ircam": "ircam", "sf": "sf", "paf": "paf",
    "pvf": "pvf"}
# FFmpeg reads these and writes none; SoX writes AMR with comfort noise, which is another matter.
NOT_MADE = {"ape", "mpc", "amr"}


@pytest.mark.slow
@pytest.mark.parametrize("ending", [*EASY, *MADE])
def test_every_ending_that_is_walked_can_be_read(ending, tmp_path):
    how = MADE.get(ending, ())
    path = tmp_path / f"voice.{ending}"
    source = MY_WAVS / "slt_fox.wav"
    if isinstance(how, str):
        command = ["sox", source, "-r", "16000" if how == "amr-wb" else "8000", "-t", how, path]
    else:
        command = ["ffmpeg", "-loglevel", "error", "-i", source, *how, path]
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    made = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if made.returncode:
        pytest.skip(f"cannot be made here: {made.stderr[-80:]}")
    assert sound_files(tmp_path) == [str(path)]
    assert len(Recording(path).read(16_000)) / 16_000 == pytest.approx(2.965, abs=0.15)


def test_no_ending_is_walked_untried():
    assert {ending[1:] for ending in EXTENSIONS} == {*EASY, *MADE, *NOT_MADE}


@pytest.fixture
def folder(tmp_path):
    for name in ("b.WAV", "x/a.weba", "x/._a.weba", "._b.WAV", "__MACOSX/b.wav", ".tmp-12.wav",
                 "x/notes.txt", "notes.TXT", "x/plan.pdf", "x/none", ".hidden", ".git/objects/1",
                 "README.md", "Thumbs.db"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "link").symlink_to("x")
    return tmp_path


def test_what_is_found_and_what_is_left_out(folder):
    found = look_into(folder)
    assert found.paths == [f"{folder}/b.WAV", f"{folder}/x/a.weba"] and found.unread == []
    assert found.left_out == {".txt": 2, ".pdf": 1, "without ending": 1, "linked folders": 1}
    assert left_out_line("voices", found.left_out) == (
        "voices: left out 2 .txt, 1 .pdf, 1 linked folders, 1 without ending")


def test_a_line_about_what_is_left_out_stays_short():
    assert left_out_line("x", Counter()) == ""
    many = Counter({f".{i:02}": 1 for i in range(20)})
    assert left_out_line("x", many).endswith("1 .05, 14 others")


def test_a_folder_that_is_not_there_holds_nothing(tmp_path):
    (tmp_path / "file").touch()
    assert sound_files(tmp_path / "none") == sound_files(tmp_path / "file") == []


def test_what_may_not_be_looked_into_is_said(tmp_path):
    path = tmp_path
    for _ in range(30):  # a path that is too long for the system, for root too
        path = path / ("n" * 200)
    found = look_into(path)
    assert [error.path for error in found.unread] == [str(path)]
    with pytest.raises(RecordingError, match=r"could not look into it \(File name too long\)"):
        sound_files(path)


@pytest.mark.parametrize("name", ["a.wav", "new.FLAC", "no_ending", "link.csv", "folder", "new/"])
def test_what_a_result_must_not_replace(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for copy in ("a.wav", "no_ending"):
        shutil.copy(MY_WAVS / "slt_three.wav", copy)
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.csv").symlink_to("a.wav")
    with pytest.raises(UsageError, match=rf"^--csv {name}: found .*, expected .*; "):
        check_is_no_recording(name, "--csv")


@pytest.mark.parametrize("name", ["new.csv", "old.csv", "empty", "s3://bucket/a.csv"])
def test_what_a_result_may_replace(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.csv").write_text("path,label\n" * 50)
    (tmp_path / "empty").touch()
    check_is_no_recording(name, "--csv")
