"""Disks that fill up, places that cannot be written, folders that go, runs that meet."""

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys

import pytest
from conftest import MY_WAVS, ROOT, make_gendered_folder, wait_until
from test_conversion import contents

from voxsight.base import locks


@pytest.fixture(scope="module")
def voices(tmp_path_factory):
    """A corpus of 32 recordings; no test changes it."""
    return make_gendered_folder(tmp_path_factory.mktemp("voices") / "corpus", speakers=16)


def conversion(voices, work):
    return ("preprocess_wavs", voices, "--corpus", "folder", "--out", work / "mfc_dataset",
            "--maps", work / "maps")


@pytest.fixture
def convert(voices):
    """Start a conversion into a folder; returns the process."""

    def start(work, **options):
        name, *args = conversion(voices, work)
        return subprocess.Popen([sys.executable, ROOT / "scripts" / f"{name}.py", *args],
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)

    return start


@pytest.fixture(scope="module")
def whole(script, voices, tmp_path_factory):
    """What a conversion that nothing disturbs leaves."""
    work = tmp_path_factory.mktemp("whole")
    assert script(*conversion(voices, work)).returncode == 0
    return contents(work)


def rows_so_far(work):
    partial = work / "mfc_dataset" / "manifest.csv.partial"
    try:
        return partial.read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def small_disk():
    resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, 8_000))


@pytest.mark.slow
def test_a_full_disk_loses_nothing(convert, script, voices, whole, tmp_path):
    process = convert(tmp_path, preexec_fn=small_disk)
    _, said = process.communicate()
    assert process.returncode == 2 and b"Traceback" not in said
    rows = whole["mfc_dataset/manifest.csv"].count(b"\n")
    assert b"free space" in said and 0 < rows_so_far(tmp_path) < rows
    assert script(*conversion(voices, tmp_path)).returncode == 0
    assert contents(tmp_path) == whole


@pytest.mark.slow
def test_a_full_disk_does_not_cost_a_finished_dataset(convert, script, voices, gendered_folder,
                                                      tmp_path):
    """A second corpus joins the first, whose rows are copied when the disk is full."""
    assert script(*conversion(voices, tmp_path)).returncode == 0
    done = (tmp_path / "mfc_dataset" / "manifest.csv").read_bytes()
    another = gendered_folder(tmp_path / "another", speakers=2)
    command = conversion(another, tmp_path)
    process = subprocess.run(
        [sys.executable, ROOT / "scripts" / f"{command[0]}.py", *command[1:]],
        capture_output=True, preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_FSIZE, (len(done) // 2, len(done) // 2)))
    assert process.returncode == 2 and b"Traceback" not in process.stderr
    assert b".tmp-" not in process.stderr
    assert script(*command).returncode == 0
    joined = (tmp_path / "mfc_dataset" / "manifest.csv").read_bytes()
    assert joined.startswith(done) and joined.count(b"\n") > done.count(b"\n")


@pytest.mark.slow
def test_a_folder_that_goes_while_it_is_written_to(convert, tmp_path):
    process = convert(tmp_path / "going")
    assert wait_until(lambda: rows_so_far(tmp_path / "going") > 4, process)
    os.rename(tmp_path / "going", tmp_path / "gone")
    _, said = process.communicate()
    assert process.returncode == 2 and b"Traceback" not in said
    assert b"name another place" in said


@pytest.mark.slow
@pytest.mark.parametrize("moment, together", [
    (0.01, True), (0.3, False), (0.5, True), (0.75, False)])
def test_a_conversion_killed_at_any_moment(convert, script, voices, whole, tmp_path, moment,
                                           together):
    """Run again, it leaves what an uninterrupted one leaves, byte for byte.

    Killed together with its workers, or alone, when they find out and end.
    """
    rows = whole["mfc_dataset/manifest.csv"].count(b"\n")
    process = convert(tmp_path, start_new_session=True)
    wait_until(lambda: rows_so_far(tmp_path) >= moment * rows, process)
    with contextlib.suppress(ProcessLookupError):  # it has ended before
        os.killpg(process.pid, signal.SIGKILL) if together else process.kill()
    process.communicate()
    again = script(*conversion(voices, tmp_path))
    assert again.returncode == 0, again.stderr
    assert contents(tmp_path) == whole


@pytest.fixture(scope="module")
def answered(script, tmp_path_factory):
    """A folder of 24 recordings and the table of their answers, as bytes."""
    folder = tmp_path_factory.mktemp("answered")
    (folder / "voices").mkdir()
    for i in range(24):
        shutil.copy(MY_WAVS / ("slt_fox.wav", "kal_count.wav")[i % 2],
                    folder / f"voices/{i:02}.wav")
    done = script("deploy_model", folder / "voices", "--quiet", "--csv", folder / "whole.csv")
    assert done.returncode == 0, done.stderr
    return folder / "voices", (folder / "whole.csv").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("moments", [[0], [18], [2, 2, 12], [6, 8]])
def test_a_deployment_killed_at_any_moments(script, answered, tmp_path, moments):
    """Its CSV is that of an uninterrupted one, byte for byte; no run loses rows of the others."""
    voices, whole = answered
    table, partial = tmp_path / "a.csv", tmp_path / "a.csv.partial"
    args, before = (voices, "--quiet", "--csv", table), b""
    for rows in moments:
        process = subprocess.Popen([sys.executable, ROOT / "scripts/deploy_model.py", *args],
                                   stdout=subprocess.DEVNULL)
        wait_until(lambda n=rows: partial.is_file() and partial.read_bytes().count(b"\n") >= n,
                   process)
        process.kill()
        process.wait()
        kept = partial.read_bytes() if partial.is_file() else b""
        assert kept.startswith(before)
        before = kept[: kept.rfind(b"\n") + 1]
    assert script("deploy_model", *args).returncode == 0
    assert table.read_bytes() == whole
    assert not partial.exists()


def test_a_second_run_into_the_same_place_is_refused(process, gendered_folder, tmp_path):
    voices = gendered_folder()
    commands = {
        tmp_path / "pictures": ("preprocess_wavs", voices, "--corpus", "folder", "--out"),
        tmp_path / "a.csv": ("deploy_model", MY_WAVS, "--csv"),
    }
    for place, command in commands.items():
        with locks.only_writer(place):
            done = process(*command, place)
        assert done.returncode == 2 and "another run" in done.stderr, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("flag", ["--csv", "--heatmaps", "--pictures", "--timeline"])
def test_a_place_that_cannot_be_written(script, flag):
    done = script("deploy_model", *sorted(MY_WAVS.glob("*.wav")), flag, "/proc/voxsight/x")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "check permissions" in done.stderr
