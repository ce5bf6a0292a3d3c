"""Broken files of every format, many at once, through the command that users run.

``VOXSIGHT_FUZZ=5000`` makes more of them than a usual test run does.
"""

import csv
import os
import struct
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from conftest import MY_WAVS, ROOT
from test_recording import write_with_ffmpeg

from voxsight.answer.prediction import COLUMNS

FILES = int(os.environ.get("VOXSIGHT_FUZZ", "240"))
BATCH = 500
LIMIT_KIB = 1 << 20
# From a process of its own: a child's peak is at first that of whoever started it.
MEASURED = ("import resource, subprocess, sys\n"
            "code = subprocess.call([sys.executable, *sys.argv[1:]], stdout=subprocess.DEVNULL)\n"
            "print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
ABSURD = (0, 1, 3, 7, 255, 65_535, 2**31 - 1, 2**31, 2**32 - 1)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The same second of a voice in every format, as bytes by ending."""
    folder = tmp_path_factory.mktemp("whole")
    samples, rate = soundfile.read(MY_WAVS / "slt_hello.wav", dtype="float32")
    samples = samples[: rate + 101]
    for name, subtype in (("a.wav", "PCM_16"), ("b.wav", "FLOAT"), ("c.wav", "MS_ADPCM"),
                          ("d.flac", None), ("e.ogg", "VORBIS"), ("f.opus", None), ("g.mp3", None),
                          ("h.aiff", None), ("i.au", None), ("j.caf", None), ("k.w64", None)):
        form = "OGG" if name == "f.opus" else None
        soundfile.write(folder / name, samples, rate, format=form,
                        subtype="OPUS" if form else subtype)
    write_with_ffmpeg(folder / "l.m4a", samples, rate, "aac")
    write_with_ffmpeg(folder / "m.webm", np.repeat(samples, 3), 48_000, "libopus")
    return [(path.suffix, path.read_bytes()) for path in sorted(folder.iterdir())]


def flipped(content, rng):
    """Some bits, anywhere or in the header alone."""
    content = bytearray(content)
    reach = len(content) if rng.random() < 0.5 else min(len(content), 120)
    for position in rng.integers(0, reach, rng.integers(1, 64)):
        content[position] ^= 1 << int(rng.integers(8))
    return bytes(content)


def truncated(content, rng):
    return content[: rng.integers(len(content))]


def absurd(content, rng):
    """A number of the header that promises too much, or nothing: lengths, channels, rates."""
    form = "<" if rng.random() < 0.5 else ">"
    number = struct.pack(f"{form}I", ABSURD[rng.integers(len(ABSURD))])[: rng.choice([2, 4])]
    position = int(rng.integers(4, max(5, min(len(content), 90))))
    return content[:position] + number + content[position + len(number):]


def overwritten(content, rng):
    start, length = rng.integers(len(content)), rng.integers(1, 3000)
    filler = bytes([rng.choice([0x00, 0xFF, 0x7F])]) * length
    return content[:start] + filler + content[start + length:]


def shifted(content, rng):
    """Bytes lost, or too many of them."""
    start, length = rng.integers(len(content)), rng.integers(1, 200)
    if rng.random() < 0.5:
        return content[:start] + content[start + length:]
    return content[:start] + rng.bytes(length) + content[start:]


def spliced(content, rng, other):
    cut, from_there = rng.integers(4, 600), rng.integers(0, 600)
    return content[:cut] + other[from_there:]


def corrupted(whole, rng):
    """Ending and bytes of a broken file, once or several times broken."""
    ending, content = whole[rng.integers(len(whole))]
    if rng.random() < 0.2:
        content = spliced(content, rng, whole[rng.integers(len(whole))][1])
    for _ in range(rng.integers(1, 4)):
        change = (flipped, truncated, absurd, absurd, overwritten, shifted)[rng.integers(6)]
        content = change(content, rng) or b"\0"
    return ending, content


@pytest.mark.slow
def test_no_broken_file_breaks_a_batch(whole, tmp_path, rng):
    for first in range(0, FILES, BATCH):
        folder = tmp_path / str(first)
        folder.mkdir()
        for i in range(first, min(FILES, first + BATCH)):
            ending, content = corrupted(whole, rng)
            (folder / f"{i}{ending}").write_bytes(content)
        table = tmp_path / f"{first}.csv"
        done = subprocess.run([sys.executable, "-c", MEASURED, ROOT / "scripts" / "deploy_model.py",
                               folder, "--csv", table, "--jobs", "2", "--quiet"],
                              capture_output=True, check=True)
        code, peak_kib = map(int, done.stdout.split())
        assert code in (0, 1) and b"Traceback" not in done.stderr
        assert peak_kib < LIMIT_KIB
        with open(table, newline="") as file:
            rows = list(csv.DictReader(file))
        assert tuple(rows[0]) == COLUMNS and len(rows) == len(list(folder.iterdir()))
        for row in rows:
            assert bool(row["error"]) != (row["label"] in ("female", "male", "uncertain",
                                                           "no_speech"))
