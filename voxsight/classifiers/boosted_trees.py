"""XGBoost on statistics of the spectrum, stored in its own JSON."""

import numpy as np

from voxsight import files
from voxsight.classifiers import Classifier, Options, balanced_weights, probabilities, register
from voxsight.features import statistics_names

MODEL, SCALE = "model.json", "scale.json"


@register
class BoostedTrees(Classifier):
    """Boosted trees on standardised statistics, stopped early on the validation side.

    Chen and Guestrin, "XGBoost: a scalable tree boosting system", 2016.
    """

    name, inputs, about = "xgboost", "statistics", "XGBoost on spectral statistics"
    rounds, patience = 500, 25

    def fit(self, train, valid, *, seed=42, log_dir=None):
        import xgboost

        x = np.asarray(train.inputs)
        self.scale = np.stack([x.mean(axis=0), x.std(axis=0) + 1e-9])
        self.model = xgboost.XGBClassifier(
            n_estimators=self.rounds, learning_rate=0.05, max_depth=4, subsample=0.8,
            colsample_bytree=0.5, early_stopping_rounds=self.patience, random_state=seed,
            eval_metric="logloss", n_jobs=1)
        sides = [(self._standardised(side.inputs), side.is_female) for side in (train, valid)]
        weights = [balanced_weights(side.is_female) for side in (train, valid)]
        self.model.fit(*sides[0], sample_weight=weights[0], eval_set=sides,
                       sample_weight_eval_set=weights, verbose=False)
        losses = [result["logloss"] for result in self.model.evals_result().values()]
        return [{"epoch": epoch, "train_loss": a, "valid_loss": b}
                for epoch, (a, b) in enumerate(zip(*losses))]

    def predict_proba(self, inputs):
        return probabilities(self.model.predict_proba(self._standardised(inputs))[:, 1])

    def save(self, folder):
        with files.replacing(folder / MODEL) as temporary:
            self.model.save_model(temporary)
        files.write_json(folder / SCALE, self.scale.tolist())
        return [MODEL, SCALE]

    @classmethod
    def load(cls, folder, options=Options()):
        import xgboost

        self = cls(options)
        self.model = xgboost.XGBClassifier(n_jobs=1)
        self.model.load_model(folder / MODEL)
        self.scale = np.array(files.read_json(folder / SCALE))
        return self

    @property
    def parameters(self):
        """Nodes of all trees."""
        trees = self.model.get_booster().trees_to_dataframe()
        return int((trees["Feature"] == "Leaf").sum())

    def importance(self):
        return dict(zip(statistics_names(), self.model.feature_importances_.tolist()))

    def _standardised(self, inputs):
        mean, spread = self.scale
        return (np.asarray(inputs) - mean) / spread
