import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
import soundfile
from conftest import MY_WAVS

from voxsight.errors import RecordingError
from voxsight.sound.decoding import process
from voxsight.sound.decoding.opening import FileDecoder
from voxsight.sound.recording import Recording

FOX = MY_WAVS / "slt_fox.wav"


@pytest.fixture
def taken(monkeypatch):
    """The processes that are asked from now on."""
    processes = []

    def take():
        processes.append(process_of())
        return processes[-1]

    process_of = process._take
    monkeypatch.setattr(process, "_take", take)
    return processes


def test_decoding_happens_elsewhere_and_gives_the_same(taken, tmp_path, rng):
    samples = rng.uniform(-0.5, 0.5, (200_000, 2))
    soundfile.write(tmp_path / "a.flac", samples, 48_000)
    here = np.concatenate(list(FileDecoder(tmp_path / "a.flac").blocks(48_000)))
    decoder = process.ProcessDecoder(tmp_path / "a.flac")
    there = list(decoder.blocks(48_000))
    decoder.close()
    np.testing.assert_array_equal(np.concatenate(there), here)
    assert [len(block) for block in there] == [48_000] * 4 + [8_000]
    assert taken[0]._process.pid != os.getpid()


def test_a_process_decodes_one_file_after_the_other(taken):
    for path in (FOX, __file__, MY_WAVS / "rms_seven.wav", FOX):
        try:
            assert len(Recording(path).read())
        except RecordingError as error:
            assert path == __file__ and "no sound" in error.reason
    first = Recording(FOX)
    next(first.blocks())  # and no more of it
    first.close()
    assert len(Recording(FOX).read()) == 47_440
    assert len({asked._process.pid for asked in taken}) == 1


def test_a_decoder_that_dies_costs_its_recording(taken):
    recording = Recording(FOX)
    os.kill(taken[-1]._process.pid, signal.SIGKILL)
    with pytest.raises(RecordingError, match="died or did not end"):
        recording.read()
    assert len(Recording(FOX).read()) == 47_440


def test_a_decoder_that_never_ends_is_stopped(taken, monkeypatch):
    monkeypatch.setattr(process, "LIMIT_S", 0.5)
    recording = Recording(FOX)
    os.kill(taken[-1]._process.pid, signal.SIGSTOP)
    with pytest.raises(RecordingError, match="died or did not end"):
        recording.read()
    assert not taken[-1].alive


def test_threads_decode_beside_each_other():
    lengths = []
    threads = [threading.Thread(target=lambda: lengths.append(len(Recording(FOX).read())))
               for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lengths == [47_440] * 8
    assert len(process._idle) <= process.MAX_IDLE


@pytest.mark.skipif(not hasattr(os, "fork"), reason="systems without fork")
def test_a_fork_has_decoders_of_its_own():
    code = ("import os, sys\nfrom voxsight.sound.recording import Recording\n"
            f"Recording({str(FOX)!r}).read()\n"
            "child = os.fork()\n"
            f"print(len(Recording({str(FOX)!r}).read()), flush=True)\n"
            "child and os.waitpid(child, 0)\n")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout.split(), done.stderr) == (["47440"] * 2, "")


def test_nothing_is_left_behind(taken):
    code = ("from voxsight.sound.decoding import process\n"
            "process.start_ahead()\nprint(process._idle[0]._process.pid)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    with pytest.raises(ProcessLookupError):
        os.kill(int(done.stdout), 0)


def test_an_open_file_is_read(tmp_path):
    with open(FOX, "rb") as file:
        recording = Recording(file)
    assert recording.path == str(FOX) and len(recording.read()) == 47_440


def test_a_long_recording_is_refused_however_silent(tmp_path):
    soundfile.write(tmp_path / "a.flac", np.zeros(8_000 * 61), 8_000)
    with pytest.raises(RecordingError, match="found more than"):
        Recording(tmp_path / "a.flac", longest_s=60)
    soundfile.write(tmp_path / "a.mp3", np.zeros(8_000 * 61), 8_000)
    with pytest.raises(RecordingError, match="found more than"):
        Recording(tmp_path / "a.mp3", longest_s=60).read()
    assert len(Recording(tmp_path / "a.flac", longest_s=61).read()) == 8_000 * 61
