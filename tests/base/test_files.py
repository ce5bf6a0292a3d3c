import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from voxsight.base import files, private
from voxsight.errors import UsageError


def test_what_is_written_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "x.txt"
    with pytest.raises(ZeroDivisionError), files.replacing(path) as temporary:
        temporary.write_text("half")
        1 / 0  # noqa: B018
    assert list(path.parent.iterdir()) == []
    files.write_bytes(path, b"one")
    files.write_bytes(path, b"two")
    assert path.read_bytes() == b"two" and len(list(path.parent.iterdir())) == 1


@pytest.mark.parametrize("name", ["a" * 255, "\u00fc" * 127, "\U0001f642" * 60, "a\udcff" * 120])
def test_long_names_are_cut_and_stay_apart(name, tmp_path):
    cut, other = (files.fitting_name(text) for text in (name, name[:-1]))
    assert cut != other and files.fitting_name("short") == "short"
    (tmp_path / f"{cut}_1234.pictures.jpg").touch()


@pytest.mark.parametrize("values", [{}, {"a": "b"}, {'q"\n': "\udcff\u00fc/x", "b": "", "c": "d"}])
def test_pairs_are_written_as_the_dictionary_would_be(values, tmp_path):
    files.write_json(tmp_path / "whole", values)
    files.write_json_pairs(tmp_path / "pairs", iter(values.items()))
    assert (tmp_path / "pairs").read_bytes() == (tmp_path / "whole").read_bytes()


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path):
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "real.csv", tmp_path / "link.csv"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link.symlink_to("there/real.csv")
    files.write_bytes(link, b"new")
    assert link.is_symlink() and target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    (tmp_path / "dangling").symlink_to("not/yet")
    files.write_bytes(tmp_path / "dangling", b"new")
    assert (tmp_path / "not" / "yet").read_bytes() == b"new"


def test_new_files_have_the_permissions_of_the_users(tmp_path, monkeypatch):
    before = os.umask(0o027)
    try:
        with monkeypatch.context() as patch:  # threads make files meanwhile
            patch.setattr(os, "umask", lambda mask: pytest.fail("the umask was changed"))
            files.write_bytes(tmp_path / "a", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_content_and_name_are_on_the_disk_in_this_order(tmp_path, monkeypatch):
    steps = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda number: (
        steps.append(os.readlink(f"/proc/self/fd/{number}")), fsync(number)))
    monkeypatch.setattr(os, "replace", lambda *paths: (steps.append("renamed"), replace(*paths)))
    files.write_bytes(tmp_path / "a", b"new")
    content, renamed, folder = steps
    assert content.startswith(f"{tmp_path}/.tmp-")
    assert (renamed, folder) == ("renamed", str(tmp_path))


@pytest.mark.parametrize("path, reason", [
    ("folder", "Is a directory"), ("file/x", "Not a directory"), ("loop", "symbolic links"),
    ("n" * 300, "name too long")])
def test_errors_name_what_the_user_named(path, reason, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("file").touch()
    Path("loop").symlink_to("loop")
    with pytest.raises(OSError, match=reason) as refusal:
        files.write_bytes(path, b"new")
    assert refusal.value.filename == path
    assert sorted(os.listdir()) == ["file", "folder", "loop"]


def test_a_full_disk_names_what_the_user_named(tmp_path):
    code = ("import resource, sys\n"
            "from voxsight.base.files import write_bytes\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
            "try:\n    write_bytes('a.csv', bytes(5000))\n"
            "except OSError as error:\n    print(error.filename)")
    (tmp_path / "a.csv").write_bytes(b"old")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True,
                          text=True)
    assert done.stdout == "a.csv\n", done.stderr
    assert os.listdir(tmp_path) == ["a.csv"] and (tmp_path / "a.csv").read_bytes() == b"old"


@pytest.mark.parametrize("write", [
    "writing.write_wav('a', zeros, 16000)",
    "exec('with writing.wav_writer(\"a\", 16000) as write: write(zeros)')"])
def test_a_full_disk_is_told_of_sound_too(write, tmp_path):
    code = ("import resource\nimport numpy\nfrom voxsight.sound import writing\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
            f"zeros = numpy.zeros(16000, numpy.float32)\ntry:\n    {write}\n"
            "except OSError as error:\n    print(error.filename, error.strerror)")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True,
                          text=True)
    assert done.stdout.startswith("a ") and not os.listdir(tmp_path), done.stderr


def test_inputs_are_not_replaced(tmp_path):
    recording, link = tmp_path / "a.csv", tmp_path / "link"
    recording.write_bytes(b"mine")
    link.symlink_to(recording)
    with files.protecting([str(recording), str(tmp_path / "none")]):
        for path in (recording, link):
            with pytest.raises(UsageError, match="is an input"):
                files.write_bytes(path, b"")
        files.write_bytes(tmp_path / "none", b"another")
    assert recording.read_bytes() == b"mine"
    files.write_bytes(recording, b"new")


@pytest.mark.parametrize("made", [
    lambda folder, other: folder.symlink_to(other), lambda folder, _: folder.touch(),
    lambda folder, _: (folder.mkdir(), folder.chmod(0o777))])
def test_a_place_that_others_may_have_prepared_is_refused(made, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/none")
    assert private.private_folder().parent == tmp_path
    private.private_folder().rmdir()
    (tmp_path / "other").mkdir()
    made(tmp_path / f"voxsight-{os.getuid()}", tmp_path / "other")
    with pytest.raises(UsageError, match="set XDG_CACHE_HOME"):
        private.private_folder()
