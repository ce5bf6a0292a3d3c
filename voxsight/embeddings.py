"""Speaker embeddings: what an encoder trained on thousands of voices hears in a recording."""

import json
import os
import warnings
from pathlib import Path

import numpy as np

from voxsight import files
from voxsight.audio import Recording
from voxsight.errors import UsageError
from voxsight.parallel import progress
from voxsight.speech import Heard, SpeechTracker, speech_windows

RATE = 16_000
MARGIN_S = 0.5  # kept around speech: an encoder hears worse what is cut close
LEVEL_DBFS = -30.0  # of the speech; Resemblyzer raises what is lower to it
PARTIAL_S = 1.6  # shorter speech is repeated, not padded with silence
SHORTEST_S = 0.5  # the same for encoders that hear any length


class Resemblyzer:
    """Resemblyzer's encoder, an LSTM over mel bands trained to tell speakers apart.

    Wan et al., "Generalized end-to-end loss for speaker verification", 2018; the weights
    come with the package (https://github.com/resemble-ai/Resemblyzer, Apache-2.0).

    Raises
    ------
    UsageError
        if the package is not installed
    """

    name, size = "resemblyzer", 256

    def __init__(self):
        try:
            with warnings.catch_warnings():
                # Of its dependencies: scipy's and setuptools' old names.
                warnings.simplefilter("ignore")
                from resemblyzer import VoiceEncoder
        except ImportError as error:
            raise UsageError(f"the encoder resemblyzer could not be imported ({error}), expected "
                             "the extra: pip install 'voxsight[embeddings]'") from error
        self._encoder = VoiceEncoder("cpu", verbose=False)

    def embed(self, speech):
        """Embedding of speech without long pauses.

        Parameters
        ----------
        speech : np.ndarray [shape=(n,), float32]
            at 16 kHz

        Returns
        -------
        np.ndarray [shape=(256,), float32]
            of length 1
        """
        if not len(speech):
            return np.zeros(self.size, np.float32)
        speech = np.resize(speech, max(len(speech), int(PARTIAL_S * RATE)))
        level = np.sqrt(np.mean(np.square(speech, dtype=np.float64)))
        gain = 10 ** (LEVEL_DBFS / 20) / max(level, 1e-9)
        return self._encoder.embed_utterance((speech * gain).astype(np.float32))


class Ecapa:
    """ECAPA-TDNN as SpeechBrain trained it on VoxCeleb; see `voxsight.ecapa`.

    Parameters
    ----------
    source : str
        name on Hugging Face's hub, or a folder, with ``embedding_model.safetensors``

    Raises
    ------
    UsageError
        if the weights cannot be had
    """

    name, size = "ecapa", 192
    published = "speechbrain/spkrec-ecapa-voxceleb"
    weights = "embedding_model.safetensors"

    def __init__(self, source=""):
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        from voxsight.ecapa import Ecapa as Network

        source = source or self.published
        try:
            self._network = Network(load_file(_weights_of(source, self.weights)))
        except (OSError, SafetensorError, KeyError, RuntimeError, ValueError) as error:
            raise UsageError(
                f"the encoder ecapa could not be loaded from {source} ({_first_line(error)}), "
                f"expected {self.weights}; download embedding_model.ckpt of {self.published}, "
                "convert it once (docs/embeddings.md has the line), and name its folder with "
                "--source") from error

    def embed(self, speech):
        """Embedding of speech at 16 kHz; (192,) and of length 1."""
        import torch

        from voxsight.ecapa import log_mel

        if not len(speech):
            return np.zeros(self.size, np.float32)
        speech = np.resize(speech, max(len(speech), int(SHORTEST_S * RATE))).astype(np.float32)
        with torch.no_grad():
            found = self._network(log_mel(speech, self._network.n_mels))[0].numpy()
        return found / max(float(np.linalg.norm(found)), 1e-9)


class Wav2Vec2:
    """wav2vec 2.0, self-supervised on read speech; one of its layers averaged over time.

    Baevski et al., "wav2vec 2.0: a framework for self-supervised learning of speech
    representations", 2020.

    Parameters
    ----------
    source : str
        name on Hugging Face's hub, or a folder
    layer : int
        hidden state to average, 0 the input of the first layer, -1 the output of the last

    Raises
    ------
    UsageError
        if the weights cannot be had
    """

    name, size = "wav2vec2", 768
    published = "facebook/wav2vec2-base"

    def __init__(self, source="", layer=-1):
        try:
            from transformers import Wav2Vec2FeatureExtractor, Wav2Vec2Model

            source = source or self.published
            self._extractor = Wav2Vec2FeatureExtractor.from_pretrained(source)
            self._model = Wav2Vec2Model.from_pretrained(source, use_safetensors=True).eval()
        except ImportError as error:
            raise UsageError(f"the encoder wav2vec2 could not be imported ({error}), expected the "
                             "extra: pip install 'voxsight[embeddings]'") from error
        except (OSError, ValueError) as error:
            raise UsageError(
                f"the encoder wav2vec2 could not be loaded from {source} ({_first_line(error)}), "
                "expected a model with weights as safetensors; download it where there is a "
                f"network (hf download {self.published} --local-dir FOLDER) and name "
                "the folder with --source") from error
        self._layer = layer

    def embed(self, speech):
        """Embedding of speech at 16 kHz, shape (768,) for the published model."""
        import torch

        if not len(speech):
            return np.zeros(self._model.config.hidden_size, np.float32)
        speech = np.resize(speech, max(len(speech), int(SHORTEST_S * RATE)))
        values = self._extractor(speech, sampling_rate=RATE, return_tensors="pt").input_values
        with torch.no_grad():
            states = self._model(values, output_hidden_states=True).hidden_states
        return states[self._layer][0].mean(dim=0).numpy()


class Mfcc:
    """No network: cepstra of 20 coefficients and their slopes, every 10 ms.

    An embedding is all of them, flattened behind their means and spreads; see `unpack`.
    """

    name = "mfcc"
    coefficients = 20

    def embed(self, speech):
        """Means, spreads and frames of speech at 16 kHz, shape (80 + 40 * frames,)."""
        import librosa

        speech = np.resize(speech, max(len(speech), 4096)).astype(np.float32)
        mfcc = librosa.feature.mfcc(y=speech, sr=RATE, n_mfcc=1 + self.coefficients, n_fft=512,
                                    hop_length=160)[1:]  # the first follows the level
        frames = np.concatenate([mfcc, librosa.feature.delta(mfcc)]).T
        return np.concatenate([frames.mean(axis=0), frames.std(axis=0), frames.ravel()])

    @classmethod
    def unpack(cls, values):
        """Summary, shape (80,), and frames, shape (frames, 40), of an embedding."""
        width = 2 * cls.coefficients
        known = values[~np.isnan(values)]
        return known[: 2 * width], known[2 * width:].reshape(-1, width)


ENCODERS = {encoder.name: encoder for encoder in (Resemblyzer, Ecapa, Wav2Vec2, Mfcc)}


def find_encoder(name, **options):
    """An encoder, loaded.

    Parameters
    ----------
    name : str
        key of `ENCODERS`
    **options
        ``source`` or ``layer``, where the encoder has them

    Raises
    ------
    UsageError
        if there is none of that name, or its package or weights are missing
    """
    if name not in ENCODERS:
        raise UsageError(f"encoder {name}: expected one of {', '.join(ENCODERS)}")
    try:
        return ENCODERS[name](**options)
    except TypeError as error:
        raise UsageError(f"encoder {name}: found {', '.join(options)}, which it does not have; "
                         "leave --source and --layer away") from error


class Voice:
    """Speech of a recording as an encoder wants it: without long pauses, not endless.

    Parameters
    ----------
    rate : int
        Hz
    longest_s : float
        what comes later is left out
    """

    def __init__(self, rate, longest_s=60.0):
        self._rate, self._left = rate, int(longest_s * rate)
        self._parts, self._end = [], 0
        self.spans = []  # start and length of each part in the recording, seconds

    def hearing(self, windows):
        """The same windows, each heard as it passes.

        Parameters
        ----------
        windows : iterable of Window
            with `MARGIN_S` of surroundings

        Yields
        ------
        Window
        """
        for window in windows:
            self._hear(window)
            yield window

    def _hear(self, window):
        origin = round(window.start_s * self._rate) - window.offset
        for start_s, end_s in window.speech or ((window.start_s, window.end_s),):
            # Margins of neighbours overlap, and nothing is heard twice.
            start = max(self._end, origin, round((start_s - MARGIN_S) * self._rate))
            part = window.surroundings[start - origin: round((end_s + MARGIN_S) * self._rate)
                                       - origin][: self._left]
            if len(part):
                self._left -= len(part)
                self._end = start + len(part)
                self._parts.append(part)
                self.spans.append((start / self._rate, len(part) / self._rate))

    @property
    def samples(self):
        """What was heard so far, shape (n,)."""
        return np.concatenate(self._parts) if self._parts else np.zeros(0, np.float32)


def hear_speech(path):
    """The speech of a recording at 16 kHz, half a second kept around it, a minute at most.

    Its loudest stretch where no speech is found.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    speech.Heard

    Raises
    ------
    RecordingError
    """
    recording, tracker, voice = Recording(path), SpeechTracker(RATE), Voice(RATE)
    windows = speech_windows(recording.blocks(RATE), RATE, 1.0, tracker, MARGIN_S)
    for _ in voice.hearing(windows):
        pass
    return Heard(voice.samples, tracker.speech_s, recording.duration_s,
                 recording.nonzero_samples / recording.rate, tuple(voice.spans))


def speech_of(path):
    """The samples of `hear_speech`, shape (n,)."""
    return hear_speech(path).samples


def embed_recordings(paths, labels, encoder, folder="embeddings", *, options=None,
                     speech_only=False, quiet=False):
    """Embeddings of recordings, from disk where they were computed before.

    They are kept in ``<folder>/<encoder>.jsonl``, a line with ``filepath``, ``label`` and
    ``embedding`` for each.

    Parameters
    ----------
    paths, labels : sequence of str [shape=(n,)]
    encoder : str
        key of `ENCODERS`
    folder : str or os.PathLike
        another for every source or layer of an encoder
    options : dict, optional
        as for `find_encoder`
    speech_only : bool
        leave recordings without speech alone; their embeddings are NaN. Else their
        loudest stretch is heard.
    quiet : bool
        no progress bar

    Returns
    -------
    np.ndarray [shape=(n, size), float32]
    """
    path = Path(folder) / f"{encoder}.jsonl"
    known = stored_embeddings(path)
    paths = [os.path.abspath(p) for p in paths]
    todo = {p: label for p, label in zip(paths, labels) if p not in known}
    if todo:
        model = find_encoder(encoder, **(options or {}))
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a", encoding="utf-8") as file:
            for p, label in progress(todo.items(), len(todo), desc=f"{encoder} embeddings",
                                     unit="recording", quiet=quiet):
                heard = hear_speech(p)
                if speech_only and not heard.speech_s:
                    continue
                known[p] = model.embed(heard.samples)
                row = {"filepath": p, "label": label,
                       "embedding": np.round(known[p].astype(float), 6).tolist()}
                file.write(json.dumps(row) + "\n")
    size = len(next(iter(known.values()), ()))
    return np.array([known[p] if p in known else np.full(size, np.nan) for p in paths],
                    np.float32)


def _weights_of(source, name):
    """A file of a folder or, where there is none, of a repository of Hugging Face's hub."""
    if Path(source).is_dir():
        return Path(source) / name
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise OSError(f"{error}; no such folder either") from error
    return hf_hub_download(source, name)


def _first_line(error):
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def cut_off_unfinished(path):
    """Lines of a file that grew by lines; what a killed run left of the last is removed."""
    whole, _, unfinished = path.read_bytes().rpartition(b"\n")
    if unfinished:
        files.write_bytes(path, whole + b"\n")
    return whole.splitlines()


def stored_embeddings(path, *, labels=False):
    """Embeddings of a file of `embed_recordings`, by absolute path of the recording.

    With `labels`, pairs of label and embedding. The unfinished line of a killed run is cut off.
    """
    if not path.is_file():
        return {}
    rows = [json.loads(line) for line in cut_off_unfinished(path)]
    found = {row["filepath"]: (row["label"], np.array(row["embedding"], np.float32))
             for row in rows}
    return found if labels else {path: vector for path, (_, vector) in found.items()}
