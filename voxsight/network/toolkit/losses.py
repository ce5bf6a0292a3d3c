"""The loss of a network with two labels, some of them soft and some not stated."""

import torch
from torch.nn.functional import log_softmax, softmax


class LabelLoss:
    """Cross-entropy in which both labels weigh the same, however few speakers one of them has.

    fastai's `CrossEntropyLossFlat` knows neither pictures without a label nor soft labels whose
    weights sum up. What else fastai asks of a loss is here: ``reduction``, ``activation``,
    ``decodes``, and ``y_int``, which has MixUp mix losses, since categories cannot be mixed.

    Parameters
    ----------
    females : float
        Fraction of the training targets that is female, between 0 and 1.
    reduction : {"mean", "sum", "none"}
        ``mean`` is weighted. ``none`` gives a value per picture, 0 without a label.
    """

    y_int = True

    def __init__(self, females: float = 0.5, reduction: str = "mean") -> None:
        self.weight = torch.tensor([0.5 / females, 0.5 / (1 - females)])
        self.reduction = reduction

    def __call__(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The loss.

        Parameters
        ----------
        outputs : torch.Tensor [shape=(n, 2)]
            Logits of female and male.
        targets : torch.Tensor [shape=(n,)]
            Probability of male, or the index of the label, which is the same where it is sure;
            NaN without a label.

        Returns
        -------
        torch.Tensor
        """
        male = torch.as_tensor(targets).float().reshape(-1, 1)  # without fastai's subclasses
        weight = self.weight.to(outputs.device)
        weighted = torch.cat([1 - male, male], 1).nan_to_num(0.0) * weight
        losses = -(weighted * log_softmax(torch.as_tensor(outputs), 1))
        if self.reduction == "none":
            return losses.sum(1)
        if self.reduction == "sum":
            return losses.sum()
        return losses.sum() / weighted.sum().clamp(min=1e-6)

    def activation(self, outputs: torch.Tensor) -> torch.Tensor:
        """Probabilities of the labels, shape (n, 2)."""
        return softmax(outputs, -1)

    def decodes(self, outputs: torch.Tensor) -> torch.Tensor:
        """Index of the more probable label, shape (n,)."""
        return outputs.argmax(-1)
