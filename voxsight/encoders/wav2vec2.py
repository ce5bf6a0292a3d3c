"""wav2vec 2.0, a network trained on read speech without labels, averaged over time.

Baevski et al., "wav2vec 2.0: a framework for self-supervised learning of speech
representations", 2020.
"""

import numpy as np

from voxsight.encoders import ENCODERS
from voxsight.encoders.common import RATE, at_least, first_line, missing_extra
from voxsight.encoders.hub import name_and_revision
from voxsight.errors import UsageError


class Wav2Vec2:
    """One layer of wav2vec 2.0, averaged over time.

    Parameters
    ----------
    source : str
        Name on Hugging Face's hub, or NAME@REVISION, or a folder. If empty, `published`.
    layer : int
        Hidden state to average: 0 is the input of the first layer, -1 the output of the last.

    Attributes
    ----------
    name : str
        Key of `ENCODERS`.
    size : int
        Length of an embedding of the published model.
    published : str
        Where the weights are published, on Hugging Face's hub.

    Raises
    ------
    UsageError
        If transformers is not installed, or the weights cannot be loaded.
    """

    name, size = "wav2vec2", 768
    published = ENCODERS["wav2vec2"].published

    def __init__(self, source: str = "", layer: int = -1) -> None:
        try:
            from transformers import Wav2Vec2FeatureExtractor, Wav2Vec2Model

            source = source or self.published
            place, revision = name_and_revision(source)
            self._extractor = Wav2Vec2FeatureExtractor.from_pretrained(place, **revision)
            self._model = Wav2Vec2Model.from_pretrained(place, use_safetensors=True,
                                                        **revision).eval()
        except ImportError as error:
            raise missing_extra(self.name, error) from error
        except (OSError, ValueError) as error:
            raise UsageError(
                f"the encoder wav2vec2 could not be loaded from {source} ({first_line(error)}); "
                "it must be a model with weights as safetensors; download it where there is a "
                f"network (hf download {self.published} --local-dir FOLDER) and name "
                "the folder with --source") from error
        self._layer = layer

    def embed(self, speech: np.ndarray) -> np.ndarray:
        """Embedding of speech without long pauses.

        Parameters
        ----------
        speech : np.ndarray [shape=(n,), float32]
            At 16 kHz.

        Returns
        -------
        np.ndarray [shape=(size,), float32]
            Zeros if there is no speech.
        """
        import torch

        if not len(speech):
            return np.zeros(self._model.config.hidden_size, np.float32)
        inputs = self._extractor(at_least(speech), sampling_rate=RATE, return_tensors="pt")
        with torch.no_grad():
            output = self._model(inputs.input_values, output_hidden_states=True)
        return output.hidden_states[self._layer][0].mean(dim=0).numpy()
