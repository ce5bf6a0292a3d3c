"""Locks: one writer at a time, in this process and in others."""

import subprocess
import sys

import pytest

from voxsight.base.locks import only_writer
from voxsight.errors import UsageError

HOLD = ("import sys\nfrom voxsight.base.locks import only_writer\n"
        "with only_writer(sys.argv[1]):\n    print('held', flush=True)\n    sys.stdin.read()")


def test_a_place_has_one_writer_in_a_process(tmp_path):
    """A second handle on the same lock would have let go of it."""
    with only_writer(tmp_path / "out"):
        for _ in range(2):
            with pytest.raises(UsageError, match="another run"), only_writer(tmp_path / "out"):
                pass
        with only_writer(tmp_path / "elsewhere"):
            pass
    with only_writer(tmp_path / "out"):
        pass


@pytest.mark.slow
def test_the_lock_of_a_killed_process_is_free(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path / "out"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(UsageError, match="another run"), only_writer(tmp_path / "out"):
        pass
    holder.kill()
    holder.communicate()
    with only_writer(tmp_path / "out"):
        pass


@pytest.mark.parametrize("spelling", ["folder/../out", "link"])
def test_different_spellings_of_a_place_are_one(spelling, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to("out")
    with (only_writer(tmp_path / "out"), pytest.raises(UsageError),
          only_writer(tmp_path / spelling)):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "link", "out"]
