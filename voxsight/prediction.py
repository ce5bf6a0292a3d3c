"""From a recording to an answer; needs neither torch nor matplotlib."""

import dataclasses
from itertools import islice

import numpy as np

from voxsight import mfc
from voxsight.checkpoint import EVIDENCE_GRAPH, GRAPH, LABELS, find_model, load_config, split_model
from voxsight.embeddings import MARGIN_S, Voice
from voxsight.errors import RecordingError, UsageError
from voxsight.listening import Listener
from voxsight.onnx_graph import EVIDENCE, INPUT, LOGITS, MAPS
from voxsight.parallel import ahead
from voxsight.pitch import median_f0

UNCERTAIN, NO_SPEECH = "uncertain", "no_speech"
MIN_SOUND_S = 0.1  # of samples that are not zero; less is not enough for a probability
BATCH = 16  # pictures given to the network at once
PITCHED = 8  # windows whose pitch is looked at where an answer is uncertain
SHORT_S = 0.4
BETWEEN_HZ = (145.0, 200.0)  # medians of both men and women lie here


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
    samples : np.ndarray [shape=(n,), float32]
        what was heard, at the recipe's rate
    """

    start_s: float
    end_s: float
    speech: tuple
    log_odds: float
    picture: np.ndarray
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
    reason : str
        what makes an answer uncertain, in words
    """

    path: str
    label: str = ""
    p_female: float | None = None
    speech_s: float | None = None
    duration_s: float | None = None
    error: str = ""
    reason: str = ""

    def to_row(self):
        """Values rounded for CSV and JSON."""
        def rounded(value, digits):
            return None if value is None else round(value, digits)

        return {"path": self.path, "label": self.label,
                "p_female": rounded(self.p_female, 4), "speech_s": rounded(self.speech_s, 2),
                "duration_s": rounded(self.duration_s, 3), "error": self.error,
                "reason": self.reason}


COLUMNS = ("path", "label", "p_female", "speech_s", "duration_s", "error")  # of the CSV


def label_of(p_female, heard, min_confidence):
    """Label for a probability, which may be None, and for whether speech was heard.

    Examples
    --------
    >>> [label_of(p, True, 0.9) for p in (0.95, 0.6, 0.05)]
    ['female', 'uncertain', 'male']
    """
    if p_female is None or not heard:
        return NO_SPEECH
    if max(p_female, 1 - p_female) < min_confidence:
        return UNCERTAIN
    return LABELS[0] if p_female >= 0.5 else LABELS[1]


class PictureModel:
    """A picture network that is ready to answer.

    Parameters
    ----------
    model : str or os.PathLike
        model folder, or ``FOLDER+ENCODER`` to hear a speaker encoder too
    min_confidence : float, optional
        below it the answer is ``uncertain``; by default what the model promises
    alone : bool
        no other process answers beside this one: pictures are made in a thread of their
        own while the network looks at those before

    Raises
    ------
    UsageError
        if the folder holds no model that can be loaded
    """

    def __init__(self, model="models/default", *, min_confidence=None, alone=False):
        self.config, self._alone = load_config(model, files_too=True), alone
        self._second = _second_opinion(model)
        calibration = self._second.calibration if self._second else self.config.calibration
        self.min_confidence = (calibration.min_confidence if min_confidence is None
                               else min_confidence)
        self.folder = find_model(model)
        self._session, self._evidence = _session(self.folder / GRAPH), None

    def answer(self, path, keep=None):
        """Answer for one recording.

        Parameters
        ----------
        path : str or os.PathLike
        keep : list or other object with ``append``, optional
            is given a `WindowAnswer` per window, in time order

        Returns
        -------
        Prediction
            with ``error`` set where the recording could not be read
        """
        evidence, heard, first = [], False, []
        try:
            listener = Listener(path, self.config.recipe,
                                margin_s=MARGIN_S if self._second else 0.0)
            voice = Voice(self.config.recipe.sample_rate) if self._second else None
            windows = voice.hearing(listener.windows()) if voice else listener.windows()
            for answers in self._answers(windows):
                evidence += [answer.log_odds for answer in answers]
                heard = heard or any(answer.speech for answer in answers)
                first += [answer.samples for answer in answers[: PITCHED - len(first)]]
                for answer in answers if keep is not None else ():
                    keep.append(answer)
        except RecordingError as error:
            return Prediction(str(path), error=error.reason)
        recording = listener.recording
        p_female = None
        if recording.nonzero_samples >= MIN_SOUND_S * recording.rate:
            p_female = self._p_female(float(np.mean(evidence)), voice)
        label = self.label(p_female, heard)
        reason = ""
        if label == UNCERTAIN:
            reason = _why_uncertain(first, self.config.recipe.sample_rate, listener.speech_s,
                                    p_female)
        return Prediction(str(path), label, p_female, listener.speech_s, recording.duration_s,
                          reason=reason)

    def _p_female(self, evidence, voice):
        if not self._second:
            return float(self.config.calibration.p_female(evidence))
        return self._second.p_female(self.config.calibration.evidence(evidence),
                                     voice.samples, self.config.recipe.sample_rate)

    def label(self, p_female, heard=True):
        """Label for a probability."""
        return label_of(p_female, heard, self.min_confidence)

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

    def evidence(self, pictures):
        """HiResCAM at the first stage; see `onnx_graph.build_evidence_graph`.

        Parameters
        ----------
        pictures : np.ndarray [shape=(n, height, width, 3), uint8]

        Returns
        -------
        np.ndarray [shape=(n, h, w)]
            positive where a picture speaks for female, negative for male

        Raises
        ------
        UsageError
            if the model was saved without that graph
        """
        if self._evidence is None:
            graph = self.folder / EVIDENCE_GRAPH
            if not graph.is_file():
                raise UsageError(f"{graph}: not found, expected the graph that heat maps come "
                                 "from; train again, or draw with explain_model.py --method "
                                 "gradcam")
            self._evidence = _session(graph)
        return np.concatenate([
            self._evidence.run([EVIDENCE], {INPUT: pictures[i: i + BATCH]})[0]
            for i in range(0, len(pictures), BATCH)])

    def _answers(self, windows):
        """WindowAnswers of each batch of windows."""
        batches = self._batches(windows)
        for batch, pictures in ahead(batches) if self._alone else batches:
            yield self._answers_of(batch, pictures)

    def _batches(self, windows):
        """Windows, a few at a time, and their pictures."""
        recipe, size = self.config.recipe, self.config.architecture.size
        windows = iter(windows)
        while batch := list(islice(windows, BATCH)):
            # Through JPEG and back: the network sees what it was trained on, to the pixel.
            yield batch, np.stack([
                mfc.decode(mfc.encode(mfc.picture(w.samples, recipe), recipe), size)
                for w in batch])

    def _answers_of(self, windows, pictures):
        recipe = self.config.recipe
        logits, _ = self.run(pictures)
        answers = []
        for window, picture, logit in zip(windows, pictures, logits):
            padding_s = max(0.0, recipe.window_s - (window.end_s - window.start_s)) / 2
            answers.append(WindowAnswer(
                window.start_s - padding_s, window.end_s + padding_s, window.speech,
                float(logit[0] - logit[1]), picture, window.samples))
        return answers


def _session(graph):
    """A graph of a model folder, loaded; it computes on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises many kinds of its own
        raise UsageError(f"{graph}: could not be loaded ({error}), expected the network of "
                         "this folder's config.json; restore the folder") from error


def _why_uncertain(windows, rate, speech_s, p_female):
    pitches = [f0 for samples in windows if (f0 := median_f0(samples, rate))]
    if speech_s < SHORT_S:
        return f"only {speech_s:.2f} s of speech"
    if not pitches:
        return "no pitch was found, as in a whisper or in noise"
    f0 = float(np.median(pitches))
    low, high = BETWEEN_HZ
    if low <= f0 <= high:
        return f"pitch {f0:.0f} Hz lies between the groups"
    usual = LABELS[0] if f0 > high else LABELS[1]
    if (p_female >= 0.5) == (usual == LABELS[0]):
        return f"pitch {f0:.0f} Hz speaks for {usual}, but {speech_s:.2f} s do not make it sure"
    return f"pitch {f0:.0f} Hz is more usual for {usual}, the rest of the voice is not"


def _second_opinion(model):
    """What listens beside the network, where the model's name asks for it."""
    folder, encoder = split_model(model)
    if not encoder:
        return None
    from voxsight.embeddings import find_encoder
    from voxsight.second_opinion import SecondOpinion, load_opinion

    return SecondOpinion(find_encoder(encoder), load_opinion(find_model(folder), encoder))
