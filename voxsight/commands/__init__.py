"""The command line: one module per command, each with ``configure`` and ``run``."""

from typing import NamedTuple


class Command(NamedTuple):
    """Where a command is: its module below this package, and its script."""

    module: str
    script: str


COMMANDS = {
    "download": Command("prepare.download", "download_corpus.py"),
    "record": Command("answer.record", "record_wav.py"),
    "preprocess": Command("prepare.preprocess", "preprocess_wavs.py"),
    "merge": Command("prepare.merge", "merge_shards.py"),
    "train": Command("model.train", "train_model.py"),
    "evaluate": Command("measure.evaluate", "evaluate_model.py"),
    "explain": Command("model.explain", "explain_model.py"),
    "deploy": Command("answer.deploy", "deploy_model.py"),
    "compare": Command("measure.compare", "compare_classifiers.py"),
    "embeddings": Command("study.embeddings", "classify_embeddings.py"),
    "analyse": Command("study.analyse", "analyse_features.py"),
    "speakers": Command("study.speakers", "classify_speakers.py"),
    "robustness": Command("measure.robustness", "measure_robustness.py"),
    "conversations": Command("measure.conversations", "measure_conversations.py"),
    "export": Command("model.export", "export_model.py"),
    "serve": Command("answer.serve", "serve_web.py"),
    "audiomnist": Command("measure.audiomnist", "audiomnist_table.py"),
}
