"""Pictures per second of ``preprocess_wavs.py`` against the plain way, and their pixels."""

import shutil
from statistics import median

import numpy as np
import scipy.io.wavfile

from benchmarks import processes, sounds
from benchmarks.plain_convert import LONGEST, mfc_picture
from benchmarks.rows import row
from voxsight.base.files import read_json
from voxsight.pictures import cepstra, jpeg
from voxsight.pictures.recipe import RECIPES

ROUNDS = 3
PIXELS_COMPARED = 50


def measure(work):
    """Rows of the table: how many times as fast, whole process against the loop alone."""
    corpus = work / "digits"
    paths = sounds.digits(corpus, 2_000)
    few = work / "few"
    for path in paths[:400]:
        copy = few / path.relative_to(corpus)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    for folder, cores, bar in ((corpus, 2, {"at_least": 9, "aim": 14}),
                               (corpus, 1, {"at_least": 6, "aim": 8}),
                               (few, 2, {"at_least": 6})):
        files = sorted(folder.rglob("*.wav"))
        ratios, rates = zip(*(_ratio(work, folder, files, cores) for _ in range(ROUNDS)))
        yield row(f"{len(files)} recordings to pictures, {cores} cores, times as fast",
                  median(ratios), ".1f", note=f"{median(rates):.0f} files/s", **bar)
    yield row("pixels of those pictures that differ from the plain way's",
              _different_pixels(work, corpus), "d", note=f"{PIXELS_COMPARED} pictures", at_most=0)


def _ratio(work, folder, files, cores):
    """Of one round, the two programs one after the other; and our files per second."""
    plain = processes.run([processes.ROOT / "benchmarks" / "plain_convert.py", work / "plain",
                           *files], cores)
    shutil.rmtree(work / "plain")
    shutil.rmtree(work / "ours", ignore_errors=True)
    ours = processes.script("preprocess_wavs", folder, "--corpus", "folder", "--recipe",
                            "audiomnist", "--out", work / "ours" / "mfc_dataset", "--maps",
                            work / "ours" / "maps", cores=cores)
    return float(plain.stdout) / ours.seconds, len(files) / ours.seconds


def _different_pixels(work, corpus):
    out, recipe = work / "pixels", RECIPES["audiomnist"]
    processes.script("preprocess_wavs", corpus, "--corpus", "folder", "--recipe", "audiomnist",
                     "--out", out / "mfc_dataset", "--maps", out / "maps")
    shown = read_json(out / "maps" / "female.json")
    different = 0
    for picture, path in list(shown.items())[:PIXELS_COMPARED]:
        rate, samples = scipy.io.wavfile.read(path)
        key = path.removeprefix(f"{corpus}/")
        front = cepstra.random_leading_zeros(key, len(samples), recipe)
        padded = np.pad(samples, (front, max(0, LONGEST - len(samples) - front)))
        plain = jpeg.decode(jpeg.encode(mfc_picture(padded, rate), recipe))
        different += int(np.count_nonzero(plain != jpeg.decode(out / picture)))
    return different
