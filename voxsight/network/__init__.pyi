from .fine_tuning import TrainConfig as TrainConfig
from .learners import dataloaders as dataloaders
from .learners import learner as learner
from .toolkit.blocks import LabelBlock as LabelBlock
from .toolkit.blocks import MFCBlock as MFCBlock
from .toolkit.callbacks import Teacher as Teacher
from .training import save_learner as save_learner

ARCHITECTURES: tuple[str, ...]
EXPORT_KINDS: tuple[str, ...]
__all__ = ["LabelBlock", "MFCBlock", "Teacher", "TrainConfig", "dataloaders", "learner",
           "save_learner"]
