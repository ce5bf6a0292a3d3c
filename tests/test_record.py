import os
import shutil
import subprocess

import numpy as np
import pytest
import soundfile
from conftest import MY_WAVS

from voxsight.recorder import level_warnings


def pactl(*args, check=True):
    return subprocess.run(["pactl", *args], check=check, capture_output=True, text=True)


@pytest.fixture(scope="module")
def virtual_microphone():
    """A PulseAudio sink whose monitor is the default microphone."""
    missing = [name for name in ("pulseaudio", "pactl", "paplay") if not shutil.which(name)]
    if missing and not os.environ.get("VOXSIGHT_REQUIRE_AUDIO"):
        pytest.skip(f"{', '.join(missing)} not installed")
    subprocess.run(["pulseaudio", "--start", "--exit-idle-time=-1"], check=True)
    module = pactl("load-module", "module-null-sink", "sink_name=mic", "rate=48000").stdout.strip()
    pactl("set-default-source", "mic.monitor")
    yield "mic"
    pactl("unload-module", module, check=False)
    subprocess.run(["pulseaudio", "--kill"], check=False)


@pytest.mark.audio_device
@pytest.mark.xdist_group("microphone")
def test_a_voice_played_to_the_microphone_is_recorded_and_answered(
        virtual_microphone, script, tmp_path):
    looped = tmp_path / "looped.wav"
    voice, rate = soundfile.read(MY_WAVS / "slt_fox.wav")
    soundfile.write(looped, np.tile(voice, 20), rate)
    player = subprocess.Popen(["paplay", "--device", virtual_microphone, looped])
    try:
        done = script("record_wav", "--out", tmp_path / "voice.wav", "--seconds", "2.5", "--yes",
                      "--classify")
    finally:
        player.kill()
        player.wait()
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
def test_silence_is_warned_of_and_names_are_kept(virtual_microphone, script, tmp_path):
    path = tmp_path / "quiet.wav"
    done = script("record_wav", "--out", path, "--seconds", "0.5", "--yes")
    assert done.returncode == 0 and "the recording is silent" in done.stderr
    before = path.read_bytes()
    done = script("record_wav", "--out", path)
    assert done.returncode == 2 and "--yes" in done.stderr and path.read_bytes() == before
    done = script("record_wav", "--list-devices")
    assert done.returncode == 0 and "Hz" in done.stdout
    done = script("record_wav", "--device", "no such thing", "--yes", "--out", tmp_path / "b.wav")
    assert done.returncode == 2 and "--device" in done.stderr and "inputs: " in done.stderr


def test_without_a_microphone(script, tmp_path):
    done = script("record_wav", "--out", tmp_path / "a.wav", "--yes", "--device", "99",
                  PULSE_SERVER="none")
    assert done.returncode == 2
    assert "microphone" in done.stderr or "PortAudio" in done.stderr
    assert "Traceback" not in done.stderr and not (tmp_path / "a.wav").exists()


def test_without_portaudio(script, tmp_path):
    """A sounddevice that, as on a system without PortAudio, fails while it is imported."""
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n")
    done = script("record_wav", "--yes", "--out", tmp_path / "a.wav", PYTHONPATH=str(tmp_path))
    assert done.returncode == 2
    assert "apt install libportaudio2" in done.stderr and "Traceback" not in done.stderr


def test_levels():
    assert level_warnings(0.5) == ()
    assert "clipped" in level_warnings(1.0)[0]
    assert "silent" in level_warnings(0.001)[0]
