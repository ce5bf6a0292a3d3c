"""Classifiers of scikit-learn, stored with skops, which loads no code."""

import numpy as np

from voxsight.classifiers import Classifier, Options, balanced_weights, probabilities, register

FILE = "model.skops"
TRUSTED = ["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]


class _Scikit(Classifier):
    """An estimator of scikit-learn."""

    model = None

    def save(self, folder):
        import skops.io

        from voxsight.files import replacing

        with replacing(folder / FILE) as temporary:
            skops.io.dump(self.model, temporary)
        return [FILE]

    @classmethod
    def load(cls, folder, options=Options()):
        import skops.io

        self = cls(options)
        self.model = skops.io.load(folder / FILE, trusted=TRUSTED)
        return self


class _OnStatistics(_Scikit):
    def fit(self, train, valid, *, seed=42, log_dir=None):
        self.model = self.estimator(seed)
        step = f"{self.model.steps[-1][0]}__sample_weight"
        self.model.fit(np.asarray(train.inputs), np.asarray(train.is_female),
                       **{step: balanced_weights(train.is_female)})
        return []

    def predict_proba(self, inputs):
        return probabilities(self.model.predict_proba(np.asarray(inputs))[:, 1])


@register
class Logistic(_OnStatistics):
    """Logistic regression on standardised statistics of the cepstra."""

    name, about = "logistic", "logistic regression on MFCC statistics"

    def estimator(self, seed):
        """An unfitted pipeline."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        return make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))

    @property
    def parameters(self):
        """Weights of the regression."""
        last = self.model.steps[-1][1]
        return last.coef_.size + last.intercept_.size


@register
class GradientBoosting(_OnStatistics):
    """Gradient boosting over histograms of the statistics of the cepstra."""

    name, about = "gradient_boosting", "histogram gradient boosting on MFCC statistics"

    def estimator(self, seed):
        """An unfitted pipeline."""
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.pipeline import make_pipeline

        return make_pipeline(HistGradientBoostingClassifier(
            learning_rate=0.05, max_leaf_nodes=15, l2_regularization=1.0, random_state=seed))

    @property
    def parameters(self):
        """Nodes of all trees."""
        trees = [tree for trees in self.model.steps[-1][1]._predictors for tree in trees]
        return sum(tree.get_n_leaf_nodes() for tree in trees)


@register
class Mixtures(_Scikit):
    """A Gaussian mixture per label over frames of cepstra, and their likelihood ratio.

    Reynolds and Rose, "Robust text-independent speaker identification using Gaussian mixture
    speaker models", 1995. The first coefficient follows the level and is left out.
    """

    name, inputs, about = "gmm", "mfcc", "Gaussian mixtures over MFCC frames, likelihood ratio"
    components = 32

    def fit(self, train, valid, *, seed=42, log_dir=None):
        from sklearn.mixture import GaussianMixture

        self.model = []
        for label in (True, False):
            frames = np.concatenate([_frames(x) for x, female in
                                     zip(train.inputs, train.is_female) if female == label])
            mixture = GaussianMixture(min(self.components, len(frames) // 8), reg_covar=1e-3,
                                      covariance_type="diag", random_state=seed)
            self.model.append(mixture.fit(frames))
        return []

    def predict_proba(self, inputs):
        female, male = self.model
        ratios = np.array([np.mean(female.score_samples(_frames(x))
                                   - male.score_samples(_frames(x))) for x in inputs])
        return probabilities(1 / (1 + np.exp(-np.clip(ratios, -60, 60))))

    @property
    def parameters(self):
        """Of all Gaussians."""
        return sum(m.weights_.size + m.means_.size + m.covariances_.size for m in self.model)


def _frames(mfcc):
    """Frames of a recording as rows, without the coefficient of the level."""
    return np.asarray(mfcc)[1:].T
