"""From samples to pictures of mel-frequency cepstra, and to datasets of them."""

RECIPE_NAMES = ("voxsight", "audiomnist")  # keys of `recipe.RECIPES`, the default first
