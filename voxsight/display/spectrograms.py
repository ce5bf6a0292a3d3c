"""Spectrograms of recordings."""

import os

import numpy as np
from matplotlib.figure import Figure

from voxsight.display.lettering import legible_lines
from voxsight.display.saving import save

N_FFT, OVERLAP = 512, 384  # samples
RANGE_DB = 70.0  # below the loudest; what is quieter is black
MAX_HZ = 4000


def save_spectrogram(path: str | os.PathLike, samples: np.ndarray, rate: int, times: np.ndarray,
                     f0: np.ndarray, title: str) -> None:
    """Draw a spectrogram up to 4 kHz with the fundamental frequency over it.

    Parameters
    ----------
    path : str or os.PathLike
        PNG to write.
    samples : np.ndarray [shape=(n,)]
        Mono samples.
    rate : int
        Sampling rate, Hz.
    times, f0 : np.ndarray [shape=(frames,)]
        Seconds and Hz. NaN where a frame is not voiced.
    title : str
        Title of the figure.
    """
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axis = figure.subplots()
    # The constant keeps digital silence away from the logarithm of zero.
    padded = np.pad(samples, (0, max(0, N_FFT - len(samples)))) + 1e-9
    *_, image = axis.specgram(padded, NFFT=N_FFT, Fs=rate, noverlap=OVERLAP, cmap="magma")
    decibels = image.get_array()
    assert decibels is not None
    image.set_clim(float(decibels.max()) - RANGE_DB, None)
    axis.set_facecolor("black")  # at both ends, where no whole frame lies
    axis.plot(times, f0, ".", color="cyan", markersize=3)
    axis.set_xlim(0, len(padded) / rate)
    axis.set_ylim(0, MAX_HZ)
    axis.set_xlabel("time (s)")
    axis.set_ylabel("frequency (Hz)")
    axis.set_title(legible_lines(title), fontsize="small")
    save(figure, path)
