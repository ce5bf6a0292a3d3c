"""A feed-forward net on the speaker embeddings of an encoder."""

from typing import TYPE_CHECKING

from voxsight.classifiers import register
from voxsight.classifiers.networks import NetworkClassifier

if TYPE_CHECKING:
    from torch import nn


class _OnEmbeddings(NetworkClassifier):
    """Two layers, the first as wide as the embedding."""

    inputs = "embedding"
    epochs, patience, batch, lr, weight_decay = 300, 10, 2048, 1e-3, 0.0

    def build(self, shape: tuple[int, ...]) -> "nn.Module":
        """The network without its standardisation, for embeddings of this shape."""
        from torch import nn

        width = shape[0]
        return nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Dropout(0.5),
                             nn.Linear(width, 1), nn.Flatten(0))


@register
class OnResemblyzer(_OnEmbeddings):
    """On Resemblyzer's 256 numbers."""

    name, encoder = "fnn-resemblyzer", "resemblyzer"
    about = "a feed-forward net on Resemblyzer's speaker embeddings"


@register
class OnEcapa(_OnEmbeddings):
    """On the 192 numbers of ECAPA-TDNN."""

    name, encoder = "fnn-ecapa", "ecapa"
    about = "a feed-forward net on ECAPA-TDNN's speaker embeddings"


@register
class OnWav2Vec2(_OnEmbeddings):
    """On the 768 numbers of wav2vec 2.0, averaged over time."""

    name, encoder = "fnn-wav2vec2", "wav2vec2"
    about = "a feed-forward net on wav2vec 2.0, averaged over time"
