"""Record a voice from the microphone as a WAV file, after a countdown.

Warns when the recording is clipped or silent; --classify answers at once. With --live the
answer for the newest two seconds runs along in the terminal, until Ctrl-C.
"""

import argparse
import sys
import time
from pathlib import Path

from voxsight.commands.runner import count


def configure(parser):
    parser.add_argument("--out", metavar="my_wavs/NAME.wav",
                        help="file to write; by default my_wavs/ and the time of day, and with "
                             "--live none")
    parser.add_argument("--seconds", type=_seconds,
                        help="length (1.0; with --live until Ctrl-C)")
    parser.add_argument("--rate", type=count, default=48_000, help="Hz (%(default)s)")
    parser.add_argument("--device", metavar="N|NAME", help="input device")
    parser.add_argument("--list-devices", action="store_true", help="list inputs and stop")
    parser.add_argument("--yes", action="store_true",
                        help="replace an existing file and do not wait for Enter")
    parser.add_argument("--classify", action="store_true", help="answer at once")
    parser.add_argument("--live", action="store_true",
                        help="level, label, probability and a trace of the last 10 s while "
                             "the microphone listens; to a file or a pipe, a line for each")
    parser.add_argument("--model", default="models/default",
                        help="model folder for --classify and --live (%(default)s)")


def run(args):
    from voxsight import recorder
    from voxsight.errors import UsageError

    if args.list_devices:
        for number, name, channels, rate in recorder.devices():
            print(f"{number}: {name}, {channels} channels, {rate} Hz")
        return 0
    path = Path(args.out or time.strftime("my_wavs/recording_%Y%m%d_%H%M%S.wav"))
    if path.exists() and not args.yes:
        raise UsageError(f"{path}: found a recording of that name, expected a new name; choose "
                         "another --out or replace it with --yes")
    device = int(args.device) if args.device and args.device.isdecimal() else args.device
    if args.live:
        return _live(args, device)
    seconds = args.seconds or 1.0
    classifier = _classifier(args.model) if args.classify else None
    if not args.yes and sys.stdin.isatty():
        input(f"{seconds:g} s will be recorded to {path}; press Enter to start ")
    take = recorder.record(path, seconds, args.rate, device)
    for warning in take.warnings:
        print(f"{path}: {warning}", file=sys.stderr)
    print(path)
    if classifier is None:
        return 0
    from voxsight.commands.deploy import print_row

    prediction = classifier.answer(path)
    print_row(prediction)
    return 1 if prediction.error else 0


def _live(args, device):
    import shutil
    import signal
    import threading
    from collections import deque

    from voxsight.live import BLOCKS, DIGITS, STEP_S, TRACE_S, listen, status_line
    from voxsight.recorder import level_warnings

    stop, terminal, loudest = threading.Event(), sys.stdout.isatty(), 0.0
    moments = deque(maxlen=round(TRACE_S / STEP_S))
    signal.signal(signal.SIGINT, lambda *_: stop.set())  # the recording is then kept whole
    marks = BLOCKS if (sys.stdout.encoding or "").lower().startswith("utf") else DIGITS
    for moment in listen(args.seconds, args.rate, device, model=args.model, out=args.out,
                         stopped=stop.is_set):
        moments.append(moment)
        line = status_line(moments, marks, shutil.get_terminal_size().columns)
        print(f"\r{line}\x1b[K" if terminal else line, end="" if terminal else "\n", flush=True)
        loudest = max(loudest, moment.peak)
    if terminal:
        print()
    for warning in level_warnings(loudest):
        print(warning, file=sys.stderr)
    if args.out:
        print(args.out)
    return 0


def _classifier(model):
    from voxsight.prediction import PictureModel

    return PictureModel(model)


def _seconds(text):
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.1 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r}: expected seconds from 0.1 to 3600")
    return value
