from .benchmark import save_reliabilities as save_reliabilities
from .benchmark import save_risk_coverage as save_risk_coverage
from .distributions import save_boxes as save_boxes
from .distributions import save_distributions as save_distributions
from .figures import save_confusion_matrix as save_confusion_matrix
from .figures import save_importance as save_importance
from .figures import save_intervals as save_intervals
from .figures import save_leaderboard as save_leaderboard
from .figures import save_learning_curve as save_learning_curve
from .figures import save_reliability as save_reliability
from .figures import save_roc as save_roc
from .heat_maps import save_class_means as save_class_means
from .heat_maps import save_faithfulness as save_faithfulness
from .heat_maps import save_heat_map as save_heat_map
from .heat_maps import save_sensitivity as save_sensitivity
from .lettering import legible as legible
from .projections import OTHERS as OTHERS
from .projections import save_projection as save_projection
from .speakers import save_clusters as save_clusters
from .speakers import save_speaker_confusions as save_speaker_confusions
from .spectrograms import save_spectrogram as save_spectrogram

__all__ = [
    "OTHERS",
    "legible",
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
    "save_reliabilities",
    "save_reliability",
    "save_risk_coverage",
    "save_roc",
    "save_sensitivity",
    "save_speaker_confusions",
    "save_spectrogram",
]
