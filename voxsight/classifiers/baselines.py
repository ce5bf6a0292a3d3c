"""What any classifier has to beat: the more common label, and a threshold on pitch."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from voxsight.base import files
from voxsight.classifiers import (
    Classifier,
    Examples,
    Options,
    balanced_weights,
    probabilities,
    register,
)

VALUES = "values.json"


class _Values(Classifier):
    """A classifier that consists of a few numbers."""

    values: tuple[float, ...] = ()

    @property
    def parameters(self) -> int:
        """How many numbers there are."""
        return len(self.values)

    def save(self, folder: Path) -> list[str]:
        """Write the numbers into a folder; the name of their file."""
        files.write_json(folder / VALUES, list(self.values))
        return [VALUES]

    @classmethod
    def load(cls, folder: Path, options: Options = Options()) -> Self:
        """A classifier as it was saved."""
        self = cls(options)
        self.values = tuple(map(float, files.read_json(folder / VALUES)))
        return self


@register
class Majority(_Values):
    """Predicts for every voice how common the labels were in training."""

    name, inputs = "majority", "f0"
    about = "the more frequent label, for every recording"

    def fit(self, train: Examples, valid: Examples, *, seed: int = 42,
            log_dir: str | os.PathLike | None = None) -> list[dict[str, Any]]:
        """Count the labels."""
        self.values = (float(np.mean(train.is_female)),)
        return []

    def predict_proba(self, inputs: Sequence[Any]) -> np.ndarray:
        """The same probabilities for all inputs, shape (n, 2)."""
        return probabilities(np.full(len(inputs), self.values[0]))


@register
class MedianPitch(_Values):
    """Compares the median fundamental frequency with a threshold.

    The probability is a logistic function of its logarithm, and 0.5 at the threshold. It is 0.5
    as well if no frame is voiced.
    """

    name, inputs = "f0", "f0"
    about = "median fundamental frequency against a fitted threshold"

    def fit(self, train: Examples, valid: Examples, *, seed: int = 42,
            log_dir: str | os.PathLike | None = None) -> list[dict[str, Any]]:
        """Fit threshold and slope by logistic regression on the voiced recordings."""
        from sklearn.linear_model import LogisticRegression

        octaves = np.log2(np.ravel(train.inputs))
        voiced = ~np.isnan(octaves)
        model = LogisticRegression(C=100.0)
        model.fit(octaves[voiced, None], train.is_female[voiced],
                  balanced_weights(train.is_female)[voiced])
        slope = float(model.coef_[0, 0])
        threshold_hz = 2 ** (-float(model.intercept_[0]) / slope)
        self.values = (threshold_hz, slope)
        return []

    def predict_proba(self, inputs: Sequence[Any]) -> np.ndarray:
        """Probabilities of the labels for frequencies in Hz, shape (n, 2)."""
        threshold_hz, slope = self.values
        log_odds = slope * np.log2(np.ravel(inputs) / threshold_hz)
        return probabilities(1 / (1 + np.exp(-np.nan_to_num(log_odds))))
