"""From a recording to an answer; needs neither torch nor matplotlib."""

import dataclasses

import numpy as np

from voxsight import mfc
from voxsight.checkpoint import GRAPH, LABELS, find_model, load_config
from voxsight.errors import RecordingError, UsageError
from voxsight.listening import Listener
from voxsight.onnx_graph import INPUT, LOGITS, MAPS

UNCERTAIN, NO_SPEECH = "uncertain", "no_speech"
MIN_SOUND_S = 0.1  # of samples that are not zero; less is not enough for a probability
BATCH = 16  # pictures given to the network at once


@dataclasses.dataclass(frozen=True)
class WindowAnswer:
    """What the network said of one window.

    Attributes
    ----------
    start_s, end_s : float
        what its picture shows, seconds; padding lies outside the recording
    speech : tuple of (float, float)
        the speech it stands for, seconds
    log_odds : float
        of female, before calibration
    picture : np.ndarray [shape=(height, width, 3), uint8]
    maps : np.ndarray [shape=(2, h, w), float32]
        class maps, female first
    samples : np.ndarray [shape=(n,), float32]
        what was heard, at the recipe's rate
    """

    start_s: float
    end_s: float
    speech: tuple
    log_odds: float
    picture: np.ndarray
    maps: np.ndarray
    samples: np.ndarray


@dataclasses.dataclass(frozen=True)
class Prediction:
    """The answer for one recording; the columns of ``deploy_model.py --csv``.

    Attributes
    ----------
    path : str
        as given
    label : str
        ``female``, ``male``, ``uncertain``, ``no_speech``; empty after an error
    p_female : float or None
        calibrated probability; None where nothing was to be heard
    speech_s, duration_s : float or None
        seconds
    error : str
        why there is no answer
    """

    path: str
    label: str = ""
    p_female: float | None = None
    speech_s: float | None = None
    duration_s: float | None = None
    error: str = ""

    def to_row(self):
        """Values rounded for CSV and JSON."""
        def rounded(value, digits):
            return None if value is None else round(value, digits)

        return {"path": self.path, "label": self.label,
                "p_female": rounded(self.p_female, 4), "speech_s": rounded(self.speech_s, 2),
                "duration_s": rounded(self.duration_s, 3), "error": self.error}


COLUMNS = tuple(field.name for field in dataclasses.fields(Prediction))


class Classifier:
    """A model that is ready to answer.

    Parameters
    ----------
    model : str or os.PathLike
        model folder
    min_confidence : float, optional
        below it the answer is ``uncertain``; by default what the model promises
    threads : int
        for the network

    Raises
    ------
    UsageError
        if the folder holds no model that can be loaded
    """

    def __init__(self, model="models/default", *, min_confidence=None, threads=1):
        import onnxruntime

        self.config = load_config(model)
        calibration = self.config.calibration
        self.min_confidence = (calibration.min_confidence if min_confidence is None
                               else min_confidence)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        graph = find_model(model) / GRAPH
        try:
            self._session = onnxruntime.InferenceSession(
                graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises many kinds of its own
            raise UsageError(f"{graph}: could not be loaded ({error}), expected the network of "
                             "this folder's config.json; restore the folder") from error

    def answer(self, path, keep=None):
        """Answer for one recording.

        Parameters
        ----------
        path : str or os.PathLike
        keep : list, optional
            is filled with a `WindowAnswer` per window

        Returns
        -------
        Prediction
            with ``error`` set where the recording could not be read
        """
        evidence, heard = [], False
        try:
            listener = Listener(path, self.config.recipe)
            for answers in self._answers(listener.windows()):
                evidence += [answer.log_odds for answer in answers]
                heard = heard or any(answer.speech for answer in answers)
                if keep is not None:
                    keep += answers
        except RecordingError as error:
            return Prediction(str(path), error=error.reason)
        recording = listener.recording
        p_female = None
        if recording.nonzero_samples >= MIN_SOUND_S * recording.rate:
            p_female = float(self.config.calibration.p_female(np.mean(evidence)))
        return Prediction(str(path), self.label(p_female, heard), p_female,
                          listener.speech_s, recording.duration_s)

    def label(self, p_female, heard=True):
        """Label for a probability."""
        if p_female is None or not heard:
            return NO_SPEECH
        if max(p_female, 1 - p_female) < self.min_confidence:
            return UNCERTAIN
        return LABELS[0] if p_female >= 0.5 else LABELS[1]

    def run(self, pictures):
        """Logits and class maps of a batch.

        Parameters
        ----------
        pictures : np.ndarray [shape=(n, height, width, 3), uint8]

        Returns
        -------
        logits : np.ndarray [shape=(n, 2)]
        maps : np.ndarray [shape=(n, 2, h, w)]
        """
        return self._session.run([LOGITS, MAPS], {INPUT: pictures})

    def _answers(self, windows):
        """WindowAnswers of each batch of windows."""
        batch = []
        for window in windows:
            batch.append(window)
            if len(batch) == BATCH:
                yield self._answers_of(batch)
                batch = []
        if batch:
            yield self._answers_of(batch)

    def _answers_of(self, windows):
        recipe, size = self.config.recipe, self.config.architecture.size
        # Through JPEG and back: the network sees what it was trained on, to the pixel.
        pictures = np.stack([
            mfc.decode(mfc.encode(mfc.picture(w.samples, recipe), recipe), size)
            for w in windows])
        logits, maps = self.run(pictures)
        answers = []
        for window, picture, logit, class_maps in zip(windows, pictures, logits, maps):
            padding_s = max(0.0, recipe.window_s - (window.end_s - window.start_s)) / 2
            answers.append(WindowAnswer(
                window.start_s - padding_s, window.end_s + padding_s, window.speech,
                float(logit[0] - logit[1]), picture, class_maps, window.samples))
        return answers


def timeline(windows, classifier, max_gap_s=0.5):
    """Who speaks when: neighbouring windows of one label, joined over short gaps.

    Parameters
    ----------
    windows : list of WindowAnswer
        of one recording, in time order
    classifier : Classifier
    max_gap_s : float
        longer pauses separate segments, seconds

    Returns
    -------
    list of dict
        ``start_s, end_s, label, p_female``; speech only
    """
    temper = classifier.config.calibration.p_female
    segments, evidence = [], []
    for window in windows:
        label = classifier.label(float(temper(window.log_odds)))
        for start_s, end_s in window.speech:
            last = segments[-1] if segments else None
            if last and last["label"] == label and start_s - last["end_s"] <= max_gap_s:
                last["end_s"] = round(end_s, 3)
                evidence.append(window.log_odds)
            else:
                segments.append({"start_s": round(start_s, 3), "end_s": round(end_s, 3),
                                 "label": label})
                evidence = [window.log_odds]
            segments[-1]["p_female"] = round(float(temper(np.mean(evidence))), 4)
    return segments

