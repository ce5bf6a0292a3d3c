import contextlib
import os
import queue
import re
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from conftest import MY_WAVS, ROOT

from benchmarks.microphone import playing, virtual_microphone
from voxsight.answer import live
from voxsight.answer.prediction import Prediction
from voxsight.sound.microphone import level_warnings

LIVE = [sys.executable, ROOT / "scripts/record_wav.py", "--live", "--yes"]


@pytest.fixture(scope="module")
def microphone():
    missing = [name for name in ("pulseaudio", "pactl", "paplay") if not shutil.which(name)]
    if missing and not os.environ.get("VOXSIGHT_REQUIRE_AUDIO"):
        pytest.skip(f"{', '.join(missing)} not installed")
    with virtual_microphone() as name:
        yield name


@pytest.fixture(scope="module")
def woman(tmp_path_factory):
    """A recording of a minute's length."""
    looped = tmp_path_factory.mktemp("voice") / "looped.wav"
    voice, rate = soundfile.read(MY_WAVS / "slt_fox.wav")
    soundfile.write(looped, np.tile(voice, 20), rate)
    return looped


@pytest.mark.audio_device
@pytest.mark.xdist_group("microphone")
def test_a_voice_played_to_the_microphone_is_recorded_and_answered(
        microphone, woman, process, tmp_path):
    with playing(woman, microphone):
        done = process("record_wav", "--out", tmp_path / "voice.wav", "--seconds", "2.5", "--yes",
                       "--classify")
    assert done.returncode == 0, done.stderr
    assert "3 ...\n2 ...\n1 ...\nspeak now" in done.stderr
    recorded = soundfile.info(tmp_path / "voice.wav")
    assert (recorded.samplerate, recorded.channels, recorded.frames) == (48_000, 1, 120_000)
    assert recorded.subtype == "PCM_16"
    path, answer = done.stdout.splitlines()
    assert path == str(tmp_path / "voice.wav")
    assert answer.split()[0] == "female"


@pytest.mark.audio_device
@pytest.mark.xdist_group("microphone")
def test_first_steps_of_the_readme(microphone, woman, process, tmp_path):
    (tmp_path / "my_wavs").mkdir()
    (tmp_path / "models").symlink_to(ROOT / "models")
    steps = ["record_wav --out my_wavs/me.wav --seconds 2",
             "deploy_model my_wavs/me.wav --heatmaps results/me"]
    with playing(woman, microphone):
        for step in steps:
            assert step.replace(" ", ".py ", 1) in (ROOT / "README.md").read_text()
            done = process(*step.split(), cwd=tmp_path)
            assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].split()[0] == "female"
    assert list((tmp_path / "results/me").glob("me*.png"))


@pytest.mark.audio_device
@pytest.mark.xdist_group("microphone")
def test_silence_is_warned_of_and_names_are_kept(microphone, process, tmp_path):
    path = tmp_path / "quiet.wav"
    done = process("record_wav", "--out", path, "--seconds", "0.5", "--yes")
    assert done.returncode == 0 and "the recording is silent" in done.stderr
    before = path.read_bytes()
    done = process("record_wav", "--out", path)
    assert done.returncode == 2 and "--yes" in done.stderr and path.read_bytes() == before
    done = process("record_wav", "--list-devices")
    assert done.returncode == 0 and "Hz" in done.stdout
    done = process("record_wav", "--device", "no such thing", "--yes", "--out", tmp_path / "b.wav")
    assert done.returncode == 2 and "--device" in done.stderr and "inputs: " in done.stderr


@pytest.mark.audio_device
@pytest.mark.xdist_group("microphone")
def test_live_answers_run_along_until_ctrl_c(microphone, woman, tmp_path):
    out = tmp_path / "heard.wav"
    running = subprocess.Popen([*LIVE, "--out", out], stdout=subprocess.PIPE, text=True,
                               env={**os.environ, "PYTHONUNBUFFERED": "1",
                                    "PYTHONIOENCODING": "ascii"})
    before = [running.stdout.readline() for _ in range(8)]
    with playing(woman, microphone):
        during = []
        while not (during and " female " in during[-1]) and len(during) < 40:
            during.append(running.stdout.readline())
        running.send_signal(signal.SIGINT)
        after, _ = running.communicate()
    assert running.returncode == 0
    assert all("-100 dB  no_speech" in line for line in before)
    # A mark for each third of a second; a busy machine skips steps, and more time has passed.
    assert re.search(r" \.{5,}( *\.+)*\n$", before[-1])
    assert " female " in during[-1] and during[-1].endswith("9\n")
    assert during[-1].startswith("[####")
    assert after.splitlines()[-1] == str(out)
    samples, rate = soundfile.read(out)
    quiet = round(len(before) * live.STEP_S * rate)
    assert rate == 48_000 and not samples[:quiet].any() and np.abs(samples[quiet:]).max() > 0.1


@pytest.mark.audio_device
@pytest.mark.xdist_group("microphone")
def test_what_was_heard_is_kept_when_the_device_goes(microphone, tmp_path):
    def suspend(yes):
        subprocess.run(["pactl", "suspend-sink", microphone, yes], check=True)

    running = subprocess.Popen([*LIVE, "--out", tmp_path / "heard.wav"], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env={**os.environ, "PYTHONUNBUFFERED": "1"})
    for _ in range(5):
        running.stdout.readline()
    suspend("1")
    try:
        _, errors = running.communicate()
    finally:
        suspend("0")
    assert running.returncode == 2 and "found no sound from the input device" in errors
    assert soundfile.info(tmp_path / "heard.wav").duration >= 1.0


@pytest.mark.audio_device
@pytest.mark.xdist_group("microphone")
@pytest.mark.parametrize("length", [[], ["--seconds", "2"]])
def test_live_answers_end_with_their_reader_unless_a_file_is_to_be_finished(
        microphone, tmp_path, length):
    running = subprocess.Popen([*LIVE, "--out", tmp_path / "heard.wav", *length], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    running.stdout.readline()
    running.stdout.close()
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 0 and "Traceback" not in errors
    lasted = soundfile.info(tmp_path / "heard.wav").duration
    assert lasted >= 2 if length else lasted > 0


@pytest.mark.audio_device
@pytest.mark.xdist_group("microphone")
def test_live_answers_share_a_line_of_a_terminal(microphone):
    ours, theirs = os.openpty()
    with subprocess.Popen([*LIVE, "--seconds", "1"], stdout=theirs,
                          env={**os.environ, "COLUMNS": "40"}) as running:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # Linux says so when the other end has closed
            while part := os.read(ours, 1000):
                shown += part
    os.close(ours)
    assert running.returncode == 0
    lines = shown.decode().split("\r")
    assert lines[0] == "" and lines[-1] == "\n"
    assert 1 <= len(lines[1:-1]) <= 5, "steps are left out where the machine is busy"
    assert all(line.startswith("[          ]") for line in lines[1:-1])
    assert all(line.endswith("\x1b[K") and len(line) < 40 + 3 for line in lines[1:-1])


def test_answers_do_not_fall_behind():
    """What came while an answer was made is heard at once."""
    arrived = queue.SimpleQueue()
    for i in range(10):
        arrived.put(np.full(100, i, np.float32))
    samples = live._newest(arrived, 300)
    assert len(samples) == 1000
    assert samples[0] == 0 and samples[-1] == 9


@pytest.mark.parametrize(("p_female", "label", "mark"), [
    (0.0, "male", "0"), (0.49, "uncertain", "4"), (1.0, "female", "9"), (0.9, "no_speech", ".")])
def test_marks_of_the_trace(p_female, label, mark):
    moments = [live.Moment(step / 5, 0.5, Prediction("", label, p_female))
               for step in range(1, 60)]
    line = live.status_line(moments, live.DIGITS, width=80)
    assert line.split()[-1] == 30 * mark, "ten seconds"
    assert len(live.status_line(moments, live.DIGITS, width=60)) == 59


def test_a_trace_moves_at_one_pace():
    """A mark is a third of a second, whether answers came every 0.2 s or, when busy, less often."""
    def line(ends):
        moments = [live.Moment(end_s, 0.5, Prediction("", "male", 0.0)) for end_s in ends]
        return live.status_line(moments, live.DIGITS)

    assert line([0.2, 0.4, 0.6, 0.8, 1.0]).endswith(" 000")
    assert line([0.2, 1.0]).endswith(" 0 0")


def test_without_a_microphone(process, tmp_path):
    done = process("record_wav", "--out", tmp_path / "a.wav", "--yes", "--device", "99",
                   PULSE_SERVER="none")
    assert done.returncode == 2
    assert "microphone" in done.stderr or "PortAudio" in done.stderr
    assert "Traceback" not in done.stderr and not (tmp_path / "a.wav").exists()


def test_ctrl_d_stops_as_ctrl_c_does(tmp_path):
    ours, theirs = os.openpty()
    os.write(ours, b"\x04")
    done = subprocess.run([sys.executable, ROOT / "scripts/record_wav.py", "--out",
                           tmp_path / "a.wav"], stdin=theirs, capture_output=True, text=True)
    os.close(ours), os.close(theirs)
    assert done.returncode == 130 and done.stderr.startswith("stopped")


def test_without_portaudio(process, tmp_path):
    """A sounddevice that, as on a system without PortAudio, fails while it is imported."""
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n")
    done = process("record_wav", "--yes", "--out", tmp_path / "a.wav", PYTHONPATH=str(tmp_path))
    assert done.returncode == 2
    assert "apt install libportaudio2" in done.stderr and "Traceback" not in done.stderr


def test_levels():
    assert level_warnings(0.5) == ()
    assert "clipped" in level_warnings(1.0)[0]
    assert "silent" in level_warnings(0.001)[0]
