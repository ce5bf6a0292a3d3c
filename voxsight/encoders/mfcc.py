"""Mel-frequency cepstra in place of a network."""

import numpy as np

from voxsight.encoders.common import RATE

SHORTEST = 4096  # samples; shorter speech is repeated, so that slopes can be computed
FFT, HOP = 512, 160  # samples: frames of 32 ms every 10 ms


class Mfcc:
    """Cepstra of 20 coefficients and their slopes, every 10 ms; no network.

    An embedding is the mean and the standard deviation of each, followed by all frames in one
    row; see `unpack`.

    Attributes
    ----------
    name : str
        Key of `ENCODERS`.
    coefficients : int
        Cepstral coefficients of a frame, without the first, which follows the level.
    """

    name = "mfcc"
    coefficients = 20

    def embed(self, speech: np.ndarray) -> np.ndarray:
        """Summary and frames of speech without long pauses.

        Parameters
        ----------
        speech : np.ndarray [shape=(n,), float32]
            At 16 kHz.

        Returns
        -------
        np.ndarray [shape=(80 + 40 * frames,), float32]
        """
        import librosa

        speech = np.resize(speech, max(len(speech), SHORTEST)).astype(np.float32)
        mfcc = librosa.feature.mfcc(y=speech, sr=RATE, n_mfcc=1 + self.coefficients, n_fft=FFT,
                                    hop_length=HOP)[1:]
        frames = np.concatenate([mfcc, librosa.feature.delta(mfcc)]).T
        return np.concatenate([frames.mean(axis=0), frames.std(axis=0), frames.ravel()])

    @classmethod
    def unpack(cls, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Summary and frames of an embedding.

        Parameters
        ----------
        values : np.ndarray [shape=(n,)]
            An embedding; NaN that fills it up at the end is ignored.

        Returns
        -------
        summary : np.ndarray [shape=(80,)]
            Means and standard deviations.
        frames : np.ndarray [shape=(frames, 40)]
        """
        width = 2 * cls.coefficients
        known = values[~np.isnan(values)]
        return known[: 2 * width], known[2 * width:].reshape(-1, width)
