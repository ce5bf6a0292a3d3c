"""Pictures for people; the only modules that import matplotlib."""

from voxsight.display.figures import (
    save_confusion_matrix,
    save_importance,
    save_intervals,
    save_leaderboard,
    save_learning_curve,
    save_reliability,
    save_roc,
)
from voxsight.display.heat_maps import (
    save_class_means,
    save_faithfulness,
    save_heat_map,
    save_sensitivity,
)
from voxsight.display.sounds import (
    save_boxes,
    save_distributions,
    save_projection,
    save_spectrogram,
)
from voxsight.display.voices import save_clusters, save_speaker_confusions

__all__ = [
    "save_boxes",
    "save_class_means",
    "save_clusters",
    "save_confusion_matrix",
    "save_distributions",
    "save_faithfulness",
    "save_heat_map",
    "save_importance",
    "save_intervals",
    "save_leaderboard",
    "save_learning_curve",
    "save_projection",
    "save_reliability",
    "save_roc",
    "save_sensitivity",
    "save_speaker_confusions",
    "save_spectrogram",
]
