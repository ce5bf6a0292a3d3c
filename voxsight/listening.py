"""From a recording to its windows: the path that conversion and answering share."""

import itertools

import numpy as np

from voxsight.audio import Recording
from voxsight.speech import SpeechTracker, Window, speech_windows


class Listener:
    """Reads one recording once and gives its windows.

    Parameters
    ----------
    path : str or os.PathLike
    recipe : recipes.Recipe
        says at which rate to read and how long a window is
    whole_if_short : bool
        give a recording no longer than a window without searching it for speech
    margin_s : float
        what each window brings along of the samples around it, seconds

    Attributes
    ----------
    recording : Recording
    speech_s : float
        seconds of speech found so far

    Raises
    ------
    RecordingError
    """

    def __init__(self, path, recipe, *, whole_if_short=False, margin_s=0.0):
        self.recording = Recording(path)
        self.recipe = recipe
        self.whole_if_short, self.margin_s = whole_if_short, margin_s
        self._tracker = None

    @property
    def speech_s(self):
        """Seconds of speech found so far."""
        return self._tracker.speech_s if self._tracker else 0.0

    def windows(self):
        """Windows that hold speech, in time order; see `speech.speech_windows`."""
        recipe = self.recipe
        blocks = self.recording.blocks(recipe.sample_rate, remove_dc=recipe.remove_dc)
        if self.recording.stored_as_integers and recipe.level == "stored":
            blocks = (block * np.float32(32768) for block in blocks)
        if self.whole_if_short:
            head = list(itertools.islice(blocks, 2))
            if len(head) == 1 and len(head[0]) <= recipe.window_samples:
                end_s = len(head[0]) / recipe.sample_rate
                yield Window(0.0, end_s, head[0], ((0.0, end_s),), head[0])
                return
            blocks = itertools.chain(head, blocks)
        self._tracker = SpeechTracker(recipe.sample_rate)
        yield from speech_windows(blocks, recipe.sample_rate, recipe.window_s, self._tracker,
                                  self.margin_s)
