"""ECAPA-TDNN, a speaker encoder trained on VoxCeleb, as the ONNX graph that WeSpeaker publishes.

Desplanques et al., "ECAPA-TDNN: emphasized channel attention, propagation and aggregation in
TDNN based speaker verification", 2020; trained and published by Wang et al., "Wespeaker: a
research and production oriented speaker embedding learning toolkit", 2022
(https://github.com/wenet-e2e/wespeaker; the weights are CC BY 4.0).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from voxsight.base.inference import open_session
from voxsight.encoders import ENCODERS
from voxsight.encoders.common import RATE, at_least, first_line, missing_extra
from voxsight.encoders.hub import name_and_revision
from voxsight.errors import UsageError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

BANDS = 80  # mel bands, as in WeSpeaker's training
FULL_SCALE = 2**15  # Kaldi reads samples as 16-bit integers
INPUT, OUTPUT = "feats", "embs"


class Ecapa:
    """ECAPA-TDNN with 512 channels, fine-tuned with a large margin on longer speech.

    Parameters
    ----------
    source : str
        Name on Hugging Face's hub, or NAME@REVISION, or a folder, with
        ``voxceleb_ECAPA512_LM.onnx``. If empty, `published`.

    Attributes
    ----------
    name : str
        Key of `ENCODERS`.
    size : int
        Length of an embedding.
    published : str
        Where the weights are published, on Hugging Face's hub.
    weights : str
        File of the weights.

    Raises
    ------
    UsageError
        If kaldi-native-fbank is not installed, or the graph is missing or is another one.
    """

    name, size = "ecapa", 192
    published, weights = ENCODERS["ecapa"].published, ENCODERS["ecapa"].file

    def __init__(self, source: str = "") -> None:
        source = source or self.published
        try:
            silence = kaldi_log_mel(np.zeros(RATE, np.float32))
        except ImportError as error:
            raise missing_extra(self.name, error) from error
        try:
            self._session = _session(_graph_of(source, self.weights), silence, self.size)
        except (OSError, ValueError) as error:
            raise UsageError(
                f"the encoder ecapa could not be loaded from {source} ({first_line(error)}); "
                f"it must have {self.weights}; download it where there is a network (hf download "
                f"{self.published} {self.weights} --local-dir FOLDER) and name the folder with "
                "--source") from error

    def embed(self, speech: np.ndarray) -> np.ndarray:
        """Embedding of speech without long pauses.

        Parameters
        ----------
        speech : np.ndarray [shape=(n,), float32]
            At 16 kHz, full scale at 1.

        Returns
        -------
        np.ndarray [shape=(192,), float32]
            Of length 1; zeros if there is no speech.
        """
        if not len(speech):
            return np.zeros(self.size, np.float32)
        features = kaldi_log_mel(at_least(speech))
        embedding = self._session.run([OUTPUT], {INPUT: features[None]})[0][0]
        return embedding / max(float(np.linalg.norm(embedding)), 1e-9)


def kaldi_log_mel(speech: np.ndarray) -> np.ndarray:
    """Kaldi's log-mel filter bank as WeSpeaker trained with it, less its mean over time.

    Frames of 25 ms every 10 ms, without dither and without an incomplete last frame;
    pre-emphasis of 0.97, a Hamming window, triangles from 20 Hz to 8 kHz.

    Parameters
    ----------
    speech : np.ndarray [shape=(n,), float32]
        At 16 kHz, full scale at 1, 25 ms or longer.

    Returns
    -------
    np.ndarray [shape=(frames, 80), float32]
        Natural logarithms of power.

    Raises
    ------
    ImportError
        If kaldi-native-fbank is not installed.
    """
    from kaldi_native_fbank import FbankOptions, OnlineFbank

    options = FbankOptions()
    options.frame_opts.dither = 0.0
    options.frame_opts.window_type = "hamming"
    options.mel_opts.num_bins = BANDS
    bank = OnlineFbank(options)
    bank.accept_waveform(RATE, np.asarray(speech, np.float32) * FULL_SCALE)
    bank.input_finished()
    frames = np.stack([bank.get_frame(i) for i in range(bank.num_frames_ready)])
    return frames - frames.mean(axis=0)


def _graph_of(source: str, name: str) -> Path:
    """A file of a folder or, if there is no such folder, of a repository of Hugging Face's hub."""
    path = Path(source) / name
    if path.parent.is_dir():
        if not path.is_file():
            raise FileNotFoundError(f"the folder has no {name}")
        return path
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise OSError(f"{error}; no such folder either") from error
    repository, revision = name_and_revision(source)
    return Path(hf_hub_download(repository, name, **revision))


def _session(graph: Path, features: np.ndarray, size: int) -> InferenceSession:
    """The graph, loaded and tried on features; it computes on one thread."""
    session = open_session(graph)
    try:
        shape = session.run([OUTPUT], {INPUT: features[None]})[0].shape
    except Exception as error:  # onnxruntime raises many kinds of its own
        raise ValueError(first_line(error)) from error
    if shape != (1, size):
        raise ValueError(f"its output has shape {shape}, not (1, {size})")
    return session
