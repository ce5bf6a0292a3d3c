"""Record a voice from the microphone as a WAV file, after a countdown.

Warns if the recording is clipped or silent. --classify labels the recording at once. With
--live the label of the newest two seconds is shown in the terminal until Ctrl-C.
"""

import argparse
import sys
import time
from pathlib import Path

from voxsight.commands.arguments import positive_integer


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--out", metavar="my_wavs/NAME.wav",
                        help="file to write (default: my_wavs/ and the time of day; with --live "
                             "no file)")
    parser.add_argument("--seconds", type=_seconds,
                        help="length in seconds (1.0; with --live until Ctrl-C)")
    parser.add_argument("--rate", type=positive_integer, default=48_000, metavar="HZ",
                        help="sampling rate in Hz (%(default)s)")
    parser.add_argument("--device", metavar="N|NAME",
                        help="number or name of an input device (default: the system's)")
    parser.add_argument("--list-devices", action="store_true",
                        help="list the input devices and stop")
    parser.add_argument("--yes", action="store_true",
                        help="replace an existing file, and do not wait for Enter")
    parser.add_argument("--classify", action="store_true",
                        help="print the label of the recording at once")
    parser.add_argument("--live", action="store_true",
                        help="show level, label, probability and a trace of the last 10 s while "
                             "the microphone records; in a file or a pipe, one line for each step")
    parser.add_argument("--model", default="models/default", metavar="DIR",
                        help="model folder for --classify and --live (%(default)s)")


def run(args: argparse.Namespace) -> int | None:
    """Record; 1 if the recording cannot be labelled."""
    if args.list_devices:
        return _list_devices()
    path = _path(args)
    device = int(args.device) if args.device and args.device.isdecimal() else args.device
    return _live(args, device) if args.live else _record(args, path, device)


def _list_devices() -> int:
    from voxsight.sound import microphone

    devices = microphone.devices()
    for number, name, channels, rate in devices:
        print(f"{number}: {name}, {channels} channels, {rate} Hz")
    if not devices:
        print("no inputs found; connect a microphone", file=sys.stderr)
    return 0


def _path(args: argparse.Namespace) -> Path:
    """The file to write, if there is none yet or it may be replaced."""
    from voxsight.errors import UsageError

    path = Path(args.out or time.strftime("my_wavs/recording_%Y%m%d_%H%M%S.wav"))
    if path.exists() and not args.yes:
        raise UsageError(f"{path}: found a recording of that name, expected a new name; choose "
                         "another --out or replace it with --yes")
    return path


def _record(args: argparse.Namespace, path: Path, device: int | str | None) -> int:
    from voxsight.sound import microphone

    seconds = args.seconds or 1.0
    model = None
    if args.classify:  # opened before anybody speaks, so that a missing model loses nothing
        from voxsight.answer.opening import open_model
        from voxsight.sound.decoding.process import start_ahead

        start_ahead()
        model = open_model(args.model)
    if not args.yes and sys.stdin.isatty():
        try:
            input(f"{seconds:g} s will be recorded to {path}; press Enter to start ")
        except EOFError:  # Ctrl-D
            raise KeyboardInterrupt from None
    take = microphone.record(path, seconds, args.rate, device)
    for warning in take.warnings:
        print(f"{path}: {warning}", file=sys.stderr)
    print(path)
    if model is None:
        return 0
    from voxsight.commands.output import print_predictions

    return print_predictions([model.predict(path)])


def _live(args: argparse.Namespace, device: int | str | None) -> int:
    import shutil
    import signal
    import threading
    from collections import deque

    from voxsight.answer.live import BLOCKS, DIGITS, STEP_S, TRACE_S, Moment, listen, status_line
    from voxsight.commands.streams import has_reader
    from voxsight.sound.microphone import level_warnings

    stop, terminal, peak = threading.Event(), sys.stdout.isatty(), 0.0
    moments: deque[Moment] = deque(maxlen=round(TRACE_S / STEP_S))
    signal.signal(signal.SIGINT, lambda *_: stop.set())  # so that the file is written whole

    def stopped() -> bool:
        # Without a reader only a file of a known length is left to be finished.
        return stop.is_set() or not (has_reader(sys.stdout) or (args.out and args.seconds))

    marks = BLOCKS if (sys.stdout.encoding or "").lower().startswith("utf") else DIGITS
    for moment in listen(args.seconds, args.rate, device, model=args.model, out=args.out,
                         stopped=stopped):
        moments.append(moment)
        line = status_line(moments, marks, shutil.get_terminal_size().columns)
        print(f"\r{line}\x1b[K" if terminal else line, end="" if terminal else "\n", flush=True)
        peak = max(peak, moment.peak)
    if terminal:
        print()
    for warning in level_warnings(peak):
        print(warning, file=sys.stderr)
    if args.out:
        print(args.out)
    return 0


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.1 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r}: expected seconds from 0.1 to 3600")
    return value
