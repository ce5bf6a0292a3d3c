"""A recording from the microphone, through PortAudio."""

import dataclasses
import sys
import time

import numpy as np

from voxsight.audio import write_wav
from voxsight.errors import UsageError

FULL_SCALE = 0.999  # peaks from here on were cut off
SILENT = 0.003  # peaks below, -50 dB, are the noise of an idle input


@dataclasses.dataclass(frozen=True)
class Take:
    """A finished recording and what is wrong with it, if anything."""

    path: str
    peak: float
    warnings: tuple


def devices():
    """Input devices as (number, name, channels, default rate in Hz).

    Raises
    ------
    UsageError
        if PortAudio is missing
    """
    sounddevice = _sounddevice()
    return [(number, device["name"], device["max_input_channels"],
             int(device["default_samplerate"]))
            for number, device in enumerate(sounddevice.query_devices())
            if device["max_input_channels"] > 0]


def record(path, seconds=1.0, rate=48_000, device=None, countdown=3):
    """Count down, record one channel and write it as 16-bit PCM WAV.

    Parameters
    ----------
    path : str or os.PathLike
        WAV to write
    seconds : float
    rate : int
        Hz
    device : int or str, optional
        number or name of an input device; the system's default otherwise
    countdown : int
        seconds to count down on stderr

    Returns
    -------
    Take

    Raises
    ------
    UsageError
        if there is no microphone, no PortAudio, or the device cannot do this
    """
    sounddevice = _sounddevice()
    try:
        sounddevice.check_input_settings(device=device, channels=1, samplerate=rate)
    except (sounddevice.PortAudioError, ValueError) as error:
        raise UsageError(_no_input(device, rate, error)) from error
    _count_down(countdown)
    try:
        samples = sounddevice.rec(round(seconds * rate), samplerate=rate, channels=1,
                                  device=device, dtype="float32", blocking=True)[:, 0]
    except sounddevice.PortAudioError as error:
        raise UsageError(_no_input(device, rate, error)) from error
    print("done", file=sys.stderr)
    write_wav(path, samples, rate)
    peak = float(np.abs(samples).max())
    return Take(str(path), peak, level_warnings(peak))


def level_warnings(peak):
    """What a peak between 0 and 1 says about the level of a recording."""
    if peak >= FULL_SCALE:
        return ("the recording is clipped: move away from the microphone or lower its gain",)
    if peak < SILENT:
        return ("the recording is silent: unmute the microphone, raise its gain or choose "
                "another with --device",)
    return ()


def _no_input(device, rate, error):
    which = "no default microphone" if device is None else f"no usable input device {device!r}"
    known = ", ".join(f"{number}: {name}" for number, name, *_ in devices()) or "none"
    return (f"found {which} at {rate} Hz ({error}), expected one that records; connect a "
            f"microphone or name one with --device (inputs: {known})")


def _count_down(seconds):
    for left in range(seconds, 0, -1):
        print(f"{left} ...", file=sys.stderr, flush=True)
        time.sleep(1)
    print("speak now", file=sys.stderr, flush=True)


def _sounddevice():
    try:
        import sounddevice
    except ModuleNotFoundError as error:
        raise UsageError("sounddevice is not installed, expected it for recording; run: "
                         "pip install 'voxsight[record]'") from error
    except OSError as error:  # the package is there, the library it binds is not
        raise UsageError(f"{error}, expected PortAudio for recording; install it (Debian and "
                         "Ubuntu: apt install libportaudio2, macOS: brew install "
                         "portaudio)") from error
    return sounddevice
