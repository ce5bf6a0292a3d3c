"""A microphone that hears what is played to it; needs PulseAudio."""

import contextlib
import subprocess


@contextlib.contextmanager
def virtual_microphone():
    """Name of a PulseAudio sink whose monitor is the default microphone meanwhile."""
    subprocess.run(["pulseaudio", "--start", "--exit-idle-time=-1"], check=True)
    module = _pactl("load-module", "module-null-sink", "sink_name=mic", "rate=48000").stdout
    _pactl("set-default-source", "mic.monitor")
    try:
        yield "mic"
    finally:
        _pactl("unload-module", module.strip(), check=False)
        subprocess.run(["pulseaudio", "--kill"], check=False)


@contextlib.contextmanager
def playing(path, microphone):
    """Play a recording to a microphone while the block runs."""
    player = subprocess.Popen(["paplay", "--latency-msec=20", "--device", microphone, path])
    try:
        yield
    finally:
        player.kill()
        player.wait()


def _pactl(*args, check=True):
    return subprocess.run(["pactl", *args], check=check, capture_output=True, text=True)
