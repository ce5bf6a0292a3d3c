"""Files damaged in the middle: is every answer about what the ``ffmpeg`` command hears of them?

    python tests/sound/fuzz_damage.py --count 20000

Each file is a whole one of some format in which 1 to 200 bytes are overwritten between its first
and last tenth. What voxsight heard must be within half a second of what ffmpeg decodes, or
``missing`` must tell; nothing may crash or hang, and no answer may be sure about a recording of
which less than nine tenths was heard.
"""

import argparse
import functools
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

ROOT = Path(__file__).parents[2]
# What ffmpeg is told besides the name of the file.
FORMATS = {
    "wav": "-ar 16000", "flac": "", "mp3": "", "vbr.mp3": "-q:a 4", "ogg": "-c:a libvorbis",
    "opus": "-c:a libopus", "flac.oga": "-c:a flac -f ogg", "m4a": "", "faststart.m4a":
    "-movflags faststart", "fragmented.mp4": "-movflags frag_keyframe+empty_moov", "aac": "",
    "webm": "-c:a libopus", "mka": "-c:a libvorbis", "wma": "", "ac3": "", "mp2": "", "tta": "",
    "wv": "", "avi": "-c:a mp3", "ts": "", "caf": "", "mov": "-c:a alac", "aiff": "", "au": "",
    "w64": "", "adpcm.wav": "-c:a adpcm_ima_wav", "mulaw.wav": "-c:a pcm_mulaw", "spx":
    "-c:a libspeex"}
TOLERANCE_S = 0.5


def whole_files(folder):
    """A file of each format, of 2 to 12 s of voices in turns."""
    voices = [soundfile.read(path)[0] for path in sorted((ROOT / "my_wavs").glob("*.wav"))]
    files = {}
    for number, (ending, options) in enumerate(FORMATS.items()):
        wav = folder / "source.wav"
        turns = [voices[(number + k) % len(voices)] for k in range(1 + number % 5)]
        soundfile.write(wav, np.concatenate(turns), 16_000)
        path = folder / f"whole.{ending}"
        made = subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", wav, *options.split(), path])
        if made.returncode == 0:
            files[ending] = path.read_bytes()
    return files


def damaged(content, rng):
    """The content with some bytes overwritten."""
    count = int(rng.integers(1, 201))
    start = int(rng.integers(len(content) // 10, len(content) * 9 // 10))
    noise = rng.integers(0, 256, count, dtype=np.uint8).tobytes()
    return (content[:start] + noise + content[start + count:])[: len(content)]


def heard_by_ffmpeg(path):
    """Seconds that the ffmpeg command decodes."""
    done = subprocess.run(["ffmpeg", "-v", "quiet", "-nostdin", "-i", path, "-map", "0:a:0?",
                           "-ac", "1", "-ar", "16000", "-f", "s16le", "-"],
                          capture_output=True, timeout=120)
    return len(done.stdout) / 2 / 16_000


def verdict(prediction, by_ffmpeg_s):
    """What is wrong with a prediction; empty if nothing is."""
    heard_s = prediction.heard_s or 0.0
    if prediction.error:
        return f"refused, ffmpeg hears {by_ffmpeg_s:.2f} s" if by_ffmpeg_s > TOLERANCE_S else ""
    if abs(heard_s - by_ffmpeg_s) > TOLERANCE_S and not prediction.missing:
        return f"heard {heard_s:.2f} s, ffmpeg {by_ffmpeg_s:.2f} s"
    if prediction.label in ("female", "male") and heard_s < 0.9 * prediction.duration_s:
        return f"sure after {heard_s:.2f} of {prediction.duration_s:.2f} s"
    return ""


def try_one(item, model, files, folder):
    """Number, format and fault of one damaged file."""
    number, ending = item
    rng = np.random.default_rng(number)
    path = Path(folder) / f"{number}.{ending}"
    path.write_bytes(damaged(files[ending], rng))
    fault = verdict(model.predict(path), heard_by_ffmpeg(path))
    if not fault:
        path.unlink()
    return number, ending, fault


def open_trial(files, folder):
    from voxsight.answer.picture_model import PictureModel

    return functools.partial(try_one, model=PictureModel(ROOT / "models/default"), files=files,
                             folder=folder)


def fuzz(count, folder, first=0, jobs=None):
    """Faults of damaged files, which stay in the folder; (number, format, fault) of each."""
    from voxsight.base.parallel.workers import ordered_map

    files = whole_files(Path(folder))
    endings = sorted(files)
    items = [(number, endings[number % len(endings)]) for number in range(first, first + count)]
    opener = functools.partial(open_trial, files, folder)
    for result in ordered_map(opener, items, jobs, lambda item: (*item, "the process died")):
        if result[2]:
            yield result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--keep", help="folder for the files at fault")
    args = parser.parse_args()
    from voxsight.base.parallel.processes import prepare_process

    prepare_process()
    n_faults = 0
    with tempfile.TemporaryDirectory() as temporary:
        for number, ending, fault in fuzz(args.count, args.keep or temporary, args.first,
                                          args.jobs):
            n_faults += 1
            print(f"{number} {ending}: {fault}", flush=True)
    print(f"{args.count} files, {n_faults} faults")
    return 1 if n_faults else 0


if __name__ == "__main__":
    sys.exit(main())
