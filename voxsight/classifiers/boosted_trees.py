"""XGBoost on statistics of the spectrum, stored in its own JSON format."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

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
from voxsight.features.acoustic import statistics_names

if TYPE_CHECKING:
    from xgboost import XGBClassifier

MODEL, SCALE = "model.json", "scale.json"


@register
class BoostedTrees(Classifier):
    """Boosted trees on standardised statistics, with early stopping on the validation side.

    Chen and Guestrin, "XGBoost: a scalable tree boosting system", 2016.
    """

    name, inputs, about = "xgboost", "statistics", "XGBoost on spectral statistics"
    rounds, patience = 500, 25

    model: "XGBClassifier"
    scale: np.ndarray

    def fit(self, train: Examples, valid: Examples, *, seed: int = 42,
            log_dir: str | os.PathLike | None = None) -> list[dict[str, Any]]:
        """Fit trees until the validation loss has not improved for `patience` rounds."""
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
        return [{"epoch": epoch, "train_loss": train_loss, "valid_loss": valid_loss}
                for epoch, (train_loss, valid_loss) in enumerate(zip(*losses))]

    def predict_proba(self, inputs: Sequence[Any]) -> np.ndarray:
        """Probabilities of the labels, shape (n, 2)."""
        return probabilities(self.model.predict_proba(self._standardised(inputs))[:, 1])

    def save(self, folder: Path) -> list[str]:
        """Write trees and scale into a folder; the names of the files."""
        with files.replacing(folder / MODEL) as temporary:
            self.model.save_model(temporary)
        files.write_json(folder / SCALE, self.scale.tolist())
        return [MODEL, SCALE]

    @classmethod
    def load(cls, folder: Path, options: Options = Options()) -> Self:
        """A classifier as it was saved."""
        import xgboost

        self = cls(options)
        self.model = xgboost.XGBClassifier(n_jobs=1)
        self.model.load_model(folder / MODEL)
        self.scale = np.array(files.read_json(folder / SCALE))
        return self

    @property
    def parameters(self) -> int:
        """Leaves of all trees."""
        trees = self.model.get_booster().trees_to_dataframe()
        return int((trees["Feature"] == "Leaf").sum())

    def importance(self) -> dict[str, float]:
        """Mean gain of the splits on each statistic, as a fraction of the sum over all."""
        return dict(zip(statistics_names(), self.model.feature_importances_.tolist()))

    def _standardised(self, inputs: Sequence[Any]) -> np.ndarray:
        mean, std = self.scale
        return (np.asarray(inputs) - mean) / std
