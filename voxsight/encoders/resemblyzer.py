"""Resemblyzer's speaker encoder, an LSTM over mel bands.

Wan et al., "Generalized end-to-end loss for speaker verification", 2018; the weights come with
the package (https://github.com/resemble-ai/Resemblyzer, Apache-2.0).
"""

import warnings

import numpy as np

from voxsight.encoders.common import at_least, missing_extra

LEVEL_DBFS = -30.0  # of the speech; Resemblyzer raises speech to it if it is quieter
PARTIAL_S = 1.6  # its shortest input; shorter speech is repeated, not padded with silence


class Resemblyzer:
    """Resemblyzer's encoder, which was trained to distinguish speakers.

    Attributes
    ----------
    name : str
        Key of `ENCODERS`.
    size : int
        Length of an embedding.

    Raises
    ------
    UsageError
        If the package is not installed.
    """

    name, size = "resemblyzer", 256

    def __init__(self) -> None:
        try:
            with warnings.catch_warnings():
                # Its dependencies use deprecated names of scipy and setuptools.
                warnings.simplefilter("ignore")
                from resemblyzer import VoiceEncoder
        except ImportError as error:
            raise missing_extra(self.name, error) from error
        self._encoder = VoiceEncoder("cpu", verbose=False)

    def embed(self, speech: np.ndarray) -> np.ndarray:
        """Embedding of speech without long pauses.

        Parameters
        ----------
        speech : np.ndarray [shape=(n,), float32]
            At 16 kHz.

        Returns
        -------
        np.ndarray [shape=(256,), float32]
            Of length 1; zeros if there is no speech.
        """
        if not len(speech):
            return np.zeros(self.size, np.float32)
        speech = at_least(speech, PARTIAL_S)
        level = np.sqrt(np.mean(np.square(speech, dtype=np.float64)))
        gain = 10 ** (LEVEL_DBFS / 20) / max(level, 1e-9)
        return self._encoder.embed_utterance((speech * gain).astype(np.float32))
