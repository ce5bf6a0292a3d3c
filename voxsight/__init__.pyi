from .answer.classify import classify as classify
from .answer.opening import open_model as open_model
from .answer.prediction import Prediction as Prediction
from .pictures.cepstra import picture as picture
from .pictures.recipe import RECIPES as RECIPES
from .pictures.recipe import Recipe as Recipe
from .sound.recording import Recording as Recording

__version__: str
__all__ = ["RECIPES", "Prediction", "Recipe", "Recording", "classify", "open_model", "picture"]
