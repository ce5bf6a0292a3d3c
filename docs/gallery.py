"""Makes the pictures of the gallery, ``gallery/*.png``, with the commands that the page names.

The recordings are the synthetic voices in ``my_wavs/`` and corpora made of them, so that anybody
can make the pictures again. It takes about two minutes on one core, works in a temporary folder
and leaves nothing but the pictures.

    OMP_NUM_THREADS=1 python docs/gallery.py
"""

import contextlib
import csv
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from voxsight.base import files
from voxsight.commands.runner import run_command
from voxsight.corpora.synthetic import RATE, make_corpus
from voxsight.sound.effects import add_noise, coloured_noise, telephone
from voxsight.sound.recording import Recording
from voxsight.sound.writing import write_wav

HERE = Path(__file__).resolve().parent
MY_WAVS = HERE.parent / "my_wavs"
MODEL = HERE.parent / "models/default"
GALLERY = HERE / "gallery"
SPEAKERS, RECORDINGS = 24, 4  # recordings of each speaker
SNR_DB = 3.0  # of the recordings by telephone; pink noise
# What a command wrote (the first file of the pattern), by name in the gallery; colours of the
# palette and pixels across.
PICTURES = {
    "heat_map": ("maps/slt_fox.png", 128, 900),
    "sweeps": ("explained/slt_hello_sweeps.png", 32, 1200),
    "class_means": ("explained/class_means.png", 160, 1000),
    "confusion_matrix": ("evaluated/confusion_matrix.png", 64, 561),
    "reliability": ("evaluated/reliability.png", 32, 560),
    "roc": ("evaluated/roc.png", 32, 540),
    "groups": ("evaluated/groups.png", 32, 800),
    "leaderboard": ("classifiers/leaderboard.png", 48, 880),
    "learning_curve": ("classifiers/dnn/learning_curve.png", 32, 600),
    "importance": ("classifiers/xgboost/importance.png", 32, 640),
    "distributions": ("features/properties.png", 48, 1300),
    "correlations": ("features/correlations.png", 32, 800),
    "corpora": ("features/corpora.png", 32, 1100),
    "projection": ("embedded/*/projection.png", 64, 1300),
    "spectrogram": ("evaluated/mistakes/*/*.png", 64, 700),
    "speaker_confusions": ("speakers/confusions.png", 96, 900),
    "clusters": ("speakers/clusters.png", 32, 1000),
}


def make_sources(folder: Path) -> Path:
    """Write two corpora: synthetic speakers, and half of them by telephone with noise.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    Path
        A CSV of both.
    """
    clean = make_corpus(folder, speakers=SPEAKERS, recordings=RECORDINGS)
    with clean.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    rng = np.random.default_rng(0)
    for row in [row for row in rows if int(row["speaker"][1:]) >= SPEAKERS // 2]:
        samples = Recording(folder / row["path"]).read(RATE)
        noise = coloured_noise(len(samples), 1.0, rng)
        write_wav(folder / row["path"], telephone(add_noise(samples, noise, SNR_DB), RATE), RATE)
        row["corpus"] = "telephone"
    files.write_csv(folder / "voices.csv", list(rows[0]), rows)
    return folder / "voices.csv"


def make_pictures() -> None:
    """Run the commands in the current folder, each with its pictures."""
    voices = str(make_sources(Path("voices")))
    _run("deploy", str(MY_WAVS / "slt_fox.wav"), "--model", MODEL, "--heatmaps", "maps")
    _run("explain", MODEL, str(MY_WAVS / "slt_hello.wav"), "--sweeps", "--out", "explained")
    _run("preprocess", voices, "--corpus", "csv", "--out", "pictures", "--maps", "json",
         "--jobs", 1)
    _run("explain", MODEL, "pictures", "--method", "hirescam", "--layer", "layer1",
         "--out", "explained", "--jobs", 1)
    _run("analyse", voices, "--out", "features", "--cache", "cache", "--jobs", 1)
    _run("compare", voices, "--only", "f0,logistic,xgboost,dnn", "--out", "classifiers",
         "--cache", "cache", "--jobs", 1)
    shutil.copytree("classifiers/f0/model", "pitch")  # the name is the title of its pictures
    _run("evaluate", "pitch", voices, "--by", "corpus,sex,age", "--out", "evaluated",
         "--jobs", 1)
    _draw_groups()
    _draw_mistakes()
    _run("speakers", voices, "--out", "speakers")
    _run("embeddings", voices, "--out", "embedded")


def _run(name: str, *arguments: object) -> None:
    """Run a command, without what it prints."""
    start = time.process_time()
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        code = run_command(name, [*map(str, arguments), "--quiet"])
    if code > 1:  # 1 is a recording without speech among the others
        raise SystemExit(f"voxsight {name}: exit code {code}")
    print(f"voxsight {name}: {time.process_time() - start:.0f} s", file=sys.stderr)


def _draw_groups() -> None:
    """The table of groups that ``evaluate`` writes, drawn."""
    from voxsight.display import save_intervals

    with Path("evaluated/by_group.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["accuracy_low"]]
    save_intervals("evaluated/groups.png",
                   [(f"{row['group']}: {row['value']}",
                     *(float(row[key]) for key in ("accuracy", "accuracy_low", "accuracy_high")))
                    for row in rows], "accuracy by group, 95 % interval over speakers")


def _draw_mistakes() -> None:
    """Spectrograms of mistakes, as ``embeddings`` draws them."""
    from voxsight.evaluation.mistakes import draw_mistakes

    draw_mistakes("evaluated/mistakes", quiet=True)


def shrink(source: Path, target: Path, colours: int, width: int) -> None:
    """Store a picture with a palette, no wider than needed.

    Parameters
    ----------
    source : Path
    target : Path
    colours : int
        Of the palette.
    width : int
        Pixels; a narrower picture is not enlarged.
    """
    image = Image.open(source).convert("RGB")
    if image.width > width:
        image = image.resize((width, round(image.height * width / image.width)),
                             Image.Resampling.LANCZOS)
    palette = image.quantize(colours, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    with files.replacing(target) as temporary:
        palette.save(temporary, "PNG", optimize=True)


def main(names: Sequence[str] = ()) -> None:
    """Make the pictures of the gallery; only some of them if they are named."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        make_pictures()
        for name, (pattern, colours, width) in PICTURES.items():
            if not names or name in names:
                shrink(min(Path().glob(pattern)), GALLERY / f"{name}.png", colours, width)


if __name__ == "__main__":
    main(sys.argv[1:])
