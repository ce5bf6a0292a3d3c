"""MFC pictures the plain way: a file after the other, with SciPy, librosa, scikit-image, Pillow.

What the published AudioMNIST project computes, as one would write it first; the converter
is measured against it. Usage: plain_convert.py OUT_DIR FILE.wav ...
"""

import sys
import time
from pathlib import Path

import librosa
import numpy as np
import scipy.io.wavfile
from PIL import Image
from skimage.transform import resize

LONGEST = 47_998  # samples of AudioMNIST's longest recording, at 48 kHz


def mfc_picture(samples, rate):
    """Picture of samples, shape (224, 224, 3), uint8."""
    emphasised = np.append(samples[0], samples[1:] - 0.97 * samples[:-1]).astype(float)
    mfcc = librosa.feature.mfcc(
        y=emphasised, sr=rate, n_mfcc=12, dct_type=2, norm="ortho", lifter=22, n_mels=40,
        n_fft=int(0.025 * rate), hop_length=int(0.01 * rate), power=2, center=False, window="hann")
    picture = resize(np.stack([mfcc] * 3, axis=-1), (224, 224, 3))
    return (np.clip(picture, 0, 255) + 0.5).astype(np.uint8)


def convert(path, out, rng):
    rate, samples = scipy.io.wavfile.read(path)
    missing = LONGEST - len(samples)
    if missing > 0:
        front = int(rng.integers(missing))
        samples = np.pad(samples, (front, missing - front))
    Image.fromarray(mfc_picture(samples, rate)).save(out / f"{Path(path).stem}.jpg")


def main():
    out, paths = Path(sys.argv[1]), sys.argv[2:]
    out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    convert(paths[0], out, rng)  # warms up imports and caches; not timed
    started = time.perf_counter()
    for path in paths:
        convert(path, out, rng)
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main()
