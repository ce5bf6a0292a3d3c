"""The command line: one module per command, each with ``configure`` and ``run``."""

from typing import NamedTuple


class Command(NamedTuple):
    """Where a command is, its module below this package and its script, and what it does."""

    module: str
    script: str
    about: str

    @property
    def group(self) -> str:
        """Key of `GROUPS`: the folder of its module."""
        return self.module.partition(".")[0]


GROUPS = {  # what people want to do, in the order of the help
    "answer": "label recordings",
    "prepare": "prepare a corpus",
    "model": "train a model and look into it",
    "measure": "measure how good a model is",
    "study": "study voices and corpora",
}
COMMANDS = {
    "download": Command("prepare.download", "download_corpus.py",
                        "fetch AudioMNIST or a subset of LibriSpeech"),
    "record": Command("answer.record", "record_wav.py",
                      "record a voice from the microphone, or label it while it speaks"),
    "preprocess": Command("prepare.preprocess", "preprocess_wavs.py",
                          "convert recordings to pictures to train on"),
    "merge": Command("prepare.merge", "merge_shards.py",
                     "put together what several machines wrote"),
    "train": Command("model.train", "train_model.py", "train a network on pictures"),
    "evaluate": Command("measure.evaluate", "evaluate_model.py",
                        "measure a model on labelled recordings, with intervals"),
    "explain": Command("model.explain", "explain_model.py",
                       "show where a model looks, and test whether that is true"),
    "deploy": Command("answer.deploy", "deploy_model.py",
                      "label recordings, files or folders of them"),
    "compare": Command("measure.compare", "compare_classifiers.py",
                       "fit many kinds of classifiers on the same speakers"),
    "embeddings": Command("study.embeddings", "classify_embeddings.py",
                          "embed voices, draw them, and classify them"),
    "analyse": Command("study.analyse", "analyse_features.py",
                       "describe the features of a corpus"),
    "speakers": Command("study.speakers", "classify_speakers.py",
                        "recognise, compare and cluster speakers"),
    "robustness": Command("measure.robustness", "measure_robustness.py",
                          "measure a model on telephones, in noise and in rooms"),
    "conversations": Command("measure.conversations", "measure_conversations.py",
                             "measure timelines on conversations"),
    "benchmark": Command("measure.benchmark", "benchmark_models.py",
                         "measure models of any kind on the same recordings"),
    "export": Command("model.export", "export_model.py",
                      "export a model for ONNX, fastai or Hugging Face"),
    "serve": Command("answer.serve", "serve_web.py", "serve a web page on this machine"),
    "audiomnist": Command("measure.audiomnist", "audiomnist_table.py",
                          "make the table of AudioMNIST"),
}
