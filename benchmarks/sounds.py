"""Recordings to measure with, synthesised from a seed."""

import numpy as np
import soundfile

from benchmarks.processes import ROOT


def digits(folder, count, rate=48_000):
    """Recordings of 0.4 to 1 s, a harmonic tone in noise, as a folder of two genders."""
    rng = np.random.default_rng(0)
    paths = []
    for i in range(count):
        n = int(rng.uniform(0.4, 1.0) * rate)
        phase = 2 * np.pi * np.cumsum(rng.uniform(90, 250) * np.linspace(1.1, 0.9, n)) / rate
        tone = sum(np.sin(k * phase) / k for k in range(1, 8)) * np.hanning(n)
        samples = 0.1 * tone + 0.01 * rng.normal(size=n)
        path = folder / ("female", "male")[i % 2] / f"s{i % 20}" / f"{i}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples, rate, subtype="PCM_16")
        paths.append(path)
    return paths


def voices(folder, count, seconds):
    """Recordings of the voices in ``my_wavs/``, each another stretch at another level."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    spoken = _spoken()
    for i in range(count):
        samples = np.roll(spoken[i % len(spoken)], int(rng.integers(16_000)))
        samples = np.resize(samples, int(seconds * 16_000)) * rng.uniform(0.3, 0.9)
        soundfile.write(folder / f"{i}.wav", samples, 16_000, subtype="PCM_16")
    return sorted(folder.iterdir())


def conversation(path, hours):
    """One recording in which those voices take turns, a second of pause after each."""
    rng = np.random.default_rng(0)
    spoken = _spoken()
    left = int(hours * 3600 * 16_000)
    with soundfile.SoundFile(path, "w", 16_000, 1, "PCM_16") as file:
        while left > 0:
            turn = np.tile(spoken[rng.integers(len(spoken))], rng.integers(1, 6))
            turn = np.concatenate([turn * rng.uniform(0.3, 0.9), np.zeros(16_000)])[:left]
            file.write(turn + rng.normal(scale=1e-3, size=len(turn)))
            left -= len(turn)


def _spoken():
    read = [soundfile.read(path) for path in sorted((ROOT / "my_wavs").glob("*.wav"))]
    return [samples for samples, rate in read if rate == 16_000]
