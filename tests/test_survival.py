"""Disks that fill up, places that cannot be written, folders that go, runs that meet."""

import os
import resource
import shutil
import signal
import subprocess
import sys

import pytest
from conftest import MY_WAVS, ROOT
from test_convert import contents

from voxsight import files


@pytest.fixture
def convert(tmp_path, gendered_folder):
    """Start a conversion of 64 recordings into a folder; returns the process."""
    corpus = gendered_folder(speakers=32)

    def start(work, **options):
        command = [sys.executable, ROOT / "scripts" / "preprocess_wavs.py", corpus, "--corpus",
                   "folder", "--out", work / "mfc_dataset", "--maps", work / "maps"]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                **options)

    return start


def rows_so_far(work):
    partial = work / "mfc_dataset" / "manifest.csv.partial"
    try:
        return partial.read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def small_disk():
    resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000))


def test_a_full_disk_loses_nothing(convert, tmp_path):
    convert(tmp_path / "whole").communicate()
    process = convert(tmp_path / "full", preexec_fn=small_disk)
    _, said = process.communicate()
    assert process.returncode == 2 and b"Traceback" not in said
    assert b"free space" in said and 0 < rows_so_far(tmp_path / "full") < 100
    assert convert(tmp_path / "full").communicate() and contents(
        tmp_path / "full") == contents(tmp_path / "whole")


def test_a_folder_that_goes_while_it_is_written_to(convert, tmp_path):
    process = convert(tmp_path / "going")
    while process.poll() is None:
        if rows_so_far(tmp_path / "going") > 4:
            os.rename(tmp_path / "going", tmp_path / "gone")
            break
    _, said = process.communicate()
    assert process.returncode == 2 and b"Traceback" not in said
    assert b"name another place" in said


def test_a_conversion_killed_at_any_moment(convert, tmp_path):
    """Run again, it leaves what an uninterrupted one leaves, byte for byte."""
    convert(tmp_path / "whole").communicate()
    whole = contents(tmp_path / "whole")
    rows = whole["mfc_dataset/manifest.csv"].count(b"\n")
    for moment in range(10):
        work = tmp_path / str(moment)
        process = convert(work, start_new_session=True)
        while process.poll() is None:
            if rows_so_far(work) >= moment * rows / 10:
                # With its workers, or they are left behind.
                os.killpg(process.pid, signal.SIGKILL) if moment % 2 else process.kill()
        process.communicate()
        again = convert(work)
        _, said = again.communicate()
        assert again.returncode == 0, said
        assert contents(work) == whole


def test_a_deployment_killed_at_any_moment(tmp_path):
    """Its CSV is that of an uninterrupted one, byte for byte."""
    voices = tmp_path / "voices"
    voices.mkdir()
    for i in range(24):
        shutil.copy(MY_WAVS / ("slt_fox.wav", "kal_count.wav")[i % 2], voices / f"{i:02}.wav")
    command = [sys.executable, ROOT / "scripts" / "deploy_model.py", voices, "--quiet", "--csv"]
    subprocess.run([*command, tmp_path / "whole.csv"], stdout=subprocess.DEVNULL, check=True)
    for moment in range(10):
        table = tmp_path / f"{moment}.csv"
        partial = tmp_path / f"{moment}.csv.partial"
        process = subprocess.Popen([*command, table], stdout=subprocess.DEVNULL)
        while process.poll() is None:
            if partial.is_file() and partial.read_bytes().count(b"\n") >= 2 * moment:
                process.kill()
        subprocess.run([*command, table], stdout=subprocess.DEVNULL, check=True)
        assert table.read_bytes() == (tmp_path / "whole.csv").read_bytes()
        assert not partial.exists()


def test_a_second_run_into_the_same_place_is_refused(script, gendered_folder, tmp_path):
    voices = gendered_folder()
    commands = {
        tmp_path / "pictures": ("preprocess_wavs", voices, "--corpus", "folder", "--out"),
        tmp_path / "a.csv": ("deploy_model", MY_WAVS, "--csv"),
    }
    for place, command in commands.items():
        with files.only_writer(place):
            done = script(*command, place)
        assert done.returncode == 2 and "another run" in done.stderr, done.stderr


@pytest.mark.parametrize("flag", ["--csv", "--heatmaps", "--pictures", "--timeline"])
def test_a_place_that_cannot_be_written(script, flag):
    done = script("deploy_model", *sorted(MY_WAVS.glob("*.wav")), flag, "/proc/voxsight/x")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "check permissions" in done.stderr
