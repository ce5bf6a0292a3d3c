"""What any classifier has to beat: the commoner label, and a threshold on pitch."""

import numpy as np

from voxsight import files
from voxsight.classifiers import Classifier, Options, balanced_weights, probabilities, register

VALUES = "values.json"


class _Values(Classifier):
    """A classifier that is a few numbers."""

    values = ()

    @property
    def parameters(self):
        return len(self.values)

    def save(self, folder):
        files.write_json(folder / VALUES, list(self.values))
        return [VALUES]

    @classmethod
    def load(cls, folder, options=Options()):
        self = cls(options)
        self.values = tuple(map(float, files.read_json(folder / VALUES)))
        return self


@register
class Majority(_Values):
    """Says for every voice how common the labels were in training."""

    name, inputs = "majority", "f0"
    about = "the commoner label, whatever is heard"

    def fit(self, train, valid, *, seed=42, log_dir=None):
        self.values = (float(np.mean(train.is_female)),)
        return []

    def predict_proba(self, inputs):
        return probabilities(np.full(len(inputs), self.values[0]))


@register
class MedianPitch(_Values):
    """Compares the median fundamental frequency with a threshold.

    The probability is a logistic function of its logarithm, a half at the threshold; where
    no frame is voiced it is a half.
    """

    name, inputs = "f0", "f0"
    about = "median fundamental frequency against a fitted threshold"

    def fit(self, train, valid, *, seed=42, log_dir=None):
        from sklearn.linear_model import LogisticRegression

        octaves = np.log2(np.ravel(train.inputs))
        voiced = ~np.isnan(octaves)
        model = LogisticRegression(C=100.0)
        model.fit(octaves[voiced, None], train.is_female[voiced],
                  balanced_weights(train.is_female)[voiced])
        slope = float(model.coef_[0, 0])
        self.values = (2 ** (-float(model.intercept_[0]) / slope), slope)
        return []

    def predict_proba(self, inputs):
        threshold_hz, slope = self.values
        evidence = slope * np.log2(np.ravel(inputs) / threshold_hz)
        return probabilities(1 / (1 + np.exp(-np.nan_to_num(evidence))))
