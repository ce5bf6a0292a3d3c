"""Record a voice from the microphone as a WAV file, after a countdown.

Warns when the recording is clipped or silent; --classify answers at once.
"""

import sys
import time
from pathlib import Path

from voxsight.commands.runner import count


def configure(parser):
    parser.add_argument("--out", metavar="my_wavs/NAME.wav",
                        help="file to write; by default my_wavs/ and the time of day")
    parser.add_argument("--seconds", type=_seconds, default=1.0, help="length (%(default)s)")
    parser.add_argument("--rate", type=count, default=48_000, help="Hz (%(default)s)")
    parser.add_argument("--device", metavar="N|NAME", help="input device")
    parser.add_argument("--list-devices", action="store_true", help="list inputs and stop")
    parser.add_argument("--yes", action="store_true",
                        help="replace an existing file and do not wait for Enter")
    parser.add_argument("--classify", action="store_true", help="answer at once")
    parser.add_argument("--model", default="models/default", help="model folder for --classify")


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
    classifier = _classifier(args.model) if args.classify else None
    if not args.yes and sys.stdin.isatty():
        input(f"{args.seconds:g} s will be recorded to {path}; press Enter to start ")
    device = int(args.device) if args.device and args.device.isdecimal() else args.device
    take = recorder.record(path, args.seconds, args.rate, device)
    for warning in take.warnings:
        print(f"{path}: {warning}", file=sys.stderr)
    print(path)
    if classifier is None:
        return 0
    from voxsight.commands.deploy import print_row

    prediction = classifier.answer(path)
    print_row(prediction)
    return 1 if prediction.error else 0


def _classifier(model):
    from voxsight.prediction import PictureModel

    return PictureModel(model)


def _seconds(text):
    import argparse

    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.1 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r}: expected seconds from 0.1 to 3600")
    return value
