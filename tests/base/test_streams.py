"""Devices, pipes and descriptors are written to, and stay what they are."""

import os
import stat
import subprocess
import sys
import threading

import pytest

from voxsight.base import files, streams

WRITE = ("import sys\nfrom voxsight.base.files import write_bytes\n"
         "print('before')\nwrite_bytes(sys.argv[1], b'table\\n')\nprint('after')")


def written(path, **options):
    return subprocess.run([sys.executable, "-c", WRITE, path], check=True, **options)


@pytest.fixture
def device(tmp_path):
    """A device like /dev/null, since that of the machine may be replaced if this goes wrong."""
    try:
        os.mknod(tmp_path / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("devices can be made by root only")
    return tmp_path / "null"


def test_a_device_stays_a_device(device):
    (device.parent / "link").symlink_to(device)
    for path in (device, device.parent / "link"):
        assert streams.is_stream(path)
        files.write_bytes(path, b"gone")
    assert stat.S_ISCHR(device.stat().st_mode) and (device.parent / "link").is_symlink()


def test_a_disk_is_refused(tmp_path):
    try:
        os.mknod(tmp_path / "disk", 0o600 | stat.S_IFBLK, os.makedev(7, 250))
    except PermissionError:
        pytest.skip("devices can be made by root only")
    with pytest.raises(files.UsageError, match="found a disk"):
        files.write_bytes(tmp_path / "disk", b"")


def test_a_pipe_gets_all_of_it(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    got = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_bytes()),
                              daemon=True)
    reader.start()
    files.write_bytes(tmp_path / "pipe", content := bytes(200_000))
    reader.join(60)
    assert got == [content] and stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@pytest.mark.parametrize("path", ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"])
@pytest.mark.parametrize("into_file", [True, False])
def test_stdout_gets_it_in_order(path, into_file, tmp_path):
    """Also where it leads to a file, which what was printed before must stay in."""
    (tmp_path / "link").symlink_to("/dev/stdout")
    if into_file:
        with open(tmp_path / "out", "wb") as out:
            written(path, cwd=tmp_path, stdout=out)
        said = (tmp_path / "out").read_text()
    else:
        said = written(path, cwd=tmp_path, capture_output=True, text=True).stdout
    assert said == "before\ntable\nafter\n"
    assert (tmp_path / "link").is_symlink()


def test_what_is_stdout_by_another_name(tmp_path):
    code = "import sys\nfrom voxsight.base.streams import is_stdout\n" \
           "print(*map(is_stdout, ['-', '/dev/stdout', 'out', 'other', 'none', 's3://a/b']))"
    (tmp_path / "other").touch()
    with open(tmp_path / "out", "w") as out:
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, stdout=out, check=True)
    assert (tmp_path / "out").read_text() == "True True True False False False\n"


def test_a_descriptor_that_is_not_open_is_named():
    with pytest.raises(OSError, match="Bad file descriptor") as refusal:
        files.write_bytes("/dev/fd/987", b"")
    assert refusal.value.filename == "/dev/fd/987"
