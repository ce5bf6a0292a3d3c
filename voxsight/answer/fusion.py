"""Combines the picture network with a linear classifier on voice embeddings."""

import numpy as np
import soxr

from voxsight.encoders import Encoder, find_encoder
from voxsight.network.folder import ModelFolder
from voxsight.network.voice_head import VoiceHead, load_voice_head
from voxsight.sound.excerpts import RATE


class VoiceModel:
    """A voice encoder and a linear classifier on its embeddings, ready to answer.

    Parameters
    ----------
    encoder : Encoder
    head : VoiceHead
    """

    def __init__(self, encoder: Encoder, head: VoiceHead) -> None:
        self._encoder, self._head = encoder, head
        self.calibration = head.calibration

    def p_female(self, picture_log_odds: float, speech: np.ndarray, rate: int) -> float:
        """Calibrated probability from the picture network and the voice together.

        Parameters
        ----------
        picture_log_odds : float
            Calibrated log-odds of the picture network.
        speech : np.ndarray [shape=(n,), float32]
            Without long pauses.
        rate : int
            Hz.

        Returns
        -------
        float
        """
        if rate != RATE:
            speech = soxr.resample(speech, rate, RATE)
        voice_log_odds = self._head.log_odds(self._encoder.embed(speech))
        fused = self._head.fused(picture_log_odds, voice_log_odds)
        return float(self.calibration.p_female(fused))


def open_voice_model(model: ModelFolder) -> VoiceModel | None:
    """The voice model of ``FOLDER+ENCODER``; None for a folder alone.

    Raises
    ------
    UsageError
        If the folder has none for this encoder, or the encoder cannot be loaded.
    """
    if not model.encoder:
        return None
    head = load_voice_head(model.path, model.encoder)
    return VoiceModel(find_encoder(model.encoder), head)
