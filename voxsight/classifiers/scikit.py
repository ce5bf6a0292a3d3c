"""Classifiers of scikit-learn, stored with skops, which runs no stored code."""

import abc
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from voxsight.classifiers import (
    Classifier,
    Examples,
    Options,
    balanced_weights,
    probabilities,
    register,
)

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

FILE = "model.skops"
TRUSTED = ["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]


class _Scikit(Classifier):
    """One or several estimators of scikit-learn."""

    model: Any = None

    def save(self, folder: Path) -> list[str]:
        """Write the estimators into a folder; the name of their file."""
        import skops.io

        from voxsight.base.files import replacing

        with replacing(folder / FILE) as temporary:
            skops.io.dump(self.model, temporary)
        return [FILE]

    @classmethod
    def load(cls, folder: Path, options: Options = Options()) -> Self:
        """A classifier as it was saved."""
        import skops.io

        self = cls(options)
        self.model = skops.io.load(folder / FILE, trusted=TRUSTED)
        return self


class _OnStatistics(_Scikit):
    """A pipeline on statistics of the cepstra."""

    @abc.abstractmethod
    def estimator(self, seed: int) -> "Pipeline":
        """A pipeline that is not fitted yet."""

    def fit(self, train: Examples, valid: Examples, *, seed: int = 42,
            log_dir: str | os.PathLike | None = None) -> list[dict[str, Any]]:
        """Fit the pipeline, with both labels weighted the same."""
        self.model = self.estimator(seed)
        last_step, _ = self.model.steps[-1]
        weights = {f"{last_step}__sample_weight": balanced_weights(train.is_female)}
        self.model.fit(np.asarray(train.inputs), np.asarray(train.is_female), **weights)
        return []

    def predict_proba(self, inputs: Sequence[Any]) -> np.ndarray:
        """Probabilities of the labels, shape (n, 2)."""
        return probabilities(self.model.predict_proba(np.asarray(inputs))[:, 1])


@register
class Logistic(_OnStatistics):
    """Logistic regression on standardised statistics of the cepstra."""

    name, about = "logistic", "logistic regression on MFCC statistics"

    def estimator(self, seed: int) -> "Pipeline":
        """A pipeline that is not fitted yet; nothing in it is random."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        return make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))

    @property
    def parameters(self) -> int:
        """Weights and intercept of the regression."""
        _, regression = self.model.steps[-1]
        return regression.coef_.size + regression.intercept_.size


@register
class GradientBoosting(_OnStatistics):
    """Gradient boosting over histograms of the statistics of the cepstra."""

    name, about = "gradient_boosting", "histogram gradient boosting on MFCC statistics"

    def estimator(self, seed: int) -> "Pipeline":
        """A pipeline that is not fitted yet."""
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.pipeline import make_pipeline

        return make_pipeline(HistGradientBoostingClassifier(
            learning_rate=0.05, max_leaf_nodes=15, l2_regularization=1.0, random_state=seed))

    @property
    def parameters(self) -> int:
        """Leaves of all trees."""
        _, boosting = self.model.steps[-1]
        return sum(tree.get_n_leaf_nodes() for trees in boosting._predictors for tree in trees)


@register
class Mixtures(_Scikit):
    """A Gaussian mixture per label over frames of cepstra, and their likelihood ratio.

    Reynolds and Rose, "Robust text-independent speaker identification using Gaussian mixture
    speaker models", 1995. The first coefficient follows the level and is not used.
    """

    name, inputs, about = "gmm", "mfcc", "Gaussian mixtures over MFCC frames, likelihood ratio"
    components = 32

    def fit(self, train: Examples, valid: Examples, *, seed: int = 42,
            log_dir: str | os.PathLike | None = None) -> list[dict[str, Any]]:
        """Fit a mixture to the frames of each label."""
        from sklearn.mixture import GaussianMixture

        self.model = []
        for label in (True, False):
            frames = np.concatenate([_frames(mfcc) for mfcc, is_female in
                                     zip(train.inputs, train.is_female) if is_female == label])
            mixture = GaussianMixture(min(self.components, len(frames) // 8), reg_covar=1e-3,
                                      covariance_type="diag", random_state=seed)
            self.model.append(mixture.fit(frames))
        return []

    def predict_proba(self, inputs: Sequence[Any]) -> np.ndarray:
        """Probabilities of the labels, shape (n, 2)."""
        log_odds = np.array([self._mean_log_ratio(_frames(mfcc)) for mfcc in inputs])
        return probabilities(1 / (1 + np.exp(-np.clip(log_odds, -60, 60))))

    @property
    def parameters(self) -> int:
        """Weights, means and variances of all Gaussians."""
        return sum(m.weights_.size + m.means_.size + m.covariances_.size for m in self.model)

    def _mean_log_ratio(self, frames: np.ndarray) -> np.floating:
        """Log of the ratio of both likelihoods, averaged over frames."""
        female, male = self.model
        return np.mean(female.score_samples(frames) - male.score_samples(frames))


def _frames(mfcc: np.ndarray) -> np.ndarray:
    """Frames of a recording as rows, without the coefficient of the level."""
    return np.asarray(mfcc)[1:].T
