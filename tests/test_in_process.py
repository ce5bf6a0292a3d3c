"""A command in the process of the tests is one in a process of its own, and leaves no trace."""

import os
import signal
import sys

import pytest
from conftest import MY_WAVS


@pytest.mark.parametrize("args", [
    ("deploy_model", MY_WAVS / "slt_fox.wav", "nowhere.wav", "--json", "--quiet"),
    ("deploy_model", MY_WAVS / "slt_fox.wav", "--jobs", "none"),
    ("merge_shards", "nothing.csv"), ("train_model", "--help")], ids=lambda args: args[0])
def test_it_says_and_returns_the_same(script, process, tmp_path, args):
    here, there = (run(*args, cwd=tmp_path, COLUMNS="90") for run in (script, process))
    assert here.returncode == there.returncode
    assert (here.stdout, here.stderr) == (there.stdout, there.stderr)
    assert here.stdout or here.stderr


def test_what_a_command_changes_is_changed_back(script, tmp_path):
    def state():
        return dict(os.environ), os.getcwd(), sys.argv, signal.getsignal(signal.SIGINT), sys.stdout

    before = state()
    done = script("deploy_model", "nowhere.wav", cwd=tmp_path, VOXSIGHT_OTHER="1")
    assert done.returncode == 1 and "nowhere.wav" in done.stderr
    assert state() == before
