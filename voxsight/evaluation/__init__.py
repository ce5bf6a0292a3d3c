"""From labelled recordings to figures, groups and pages."""

# Ways to divide the recordings of an assessment, by the names of the flag --by.
GROUP_NAMES = ("corpus", "sex", "age", "accent", "pitch", "pitch by sex", "unusual pitch",
               "duration", "speaker")
DEFAULT_GROUPS = GROUP_NAMES[:-1]  # speakers would make a row each
CELL_NAMES = ("random", "paper", "folds")  # rows of the AudioMNIST table
WEIGHTS = ("none", "imagenet")  # that its networks start from
