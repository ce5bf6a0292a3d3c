"""Recordings are opened, and so decoded, resampled and searched for speech, once per command."""

import os
import sys
from collections import Counter

import pytest
from conftest import ROOT

from voxsight.commands.runner import run_command

pytestmark = pytest.mark.slow
OPENED = None


def _watch(event, args):
    if OPENED is not None and event == "open" and str(args[0]).endswith(".wav"):
        OPENED[os.path.abspath(args[0])] += 1


sys.addaudithook(_watch)  # for good; Python takes none back


@pytest.fixture
def opened(monkeypatch, tmp_path):
    """Run a command in this process; how often each recording was opened."""
    monkeypatch.chdir(tmp_path)
    # Decoded here, where it is seen.
    monkeypatch.setattr("voxsight.sound.recording.is_worker", lambda: True)

    def run(name, *args):
        global OPENED
        OPENED = Counter()
        try:
            assert run_command(name, [*map(str, args), "--quiet"]) == 0
            return OPENED
        finally:
            OPENED = None

    return run


MODEL = ROOT / "models" / "default"
COMMANDS = {
    "answers with everything": ("deploy", "{corpus}", "--model", MODEL, "--jobs", 1, "--heatmaps",
                                "h", "--pictures", "p", "--timeline", "t", "--csv", "a.csv"),
    "answers with a second opinion": ("deploy", "{corpus}", "--model", f"{MODEL}+resemblyzer",
                                      "--jobs", 1),
    "pictures, altered and heard by a teacher": (
        "preprocess", "{corpus}", "--corpus", "folder", "--augment", 2, "--teacher",
        "resemblyzer", "--jobs", 1),
    "assessment": ("evaluate", MODEL, "{corpus}", "--corpus", "folder", "--jobs", 1),
    "comparison": ("compare", "folder:{corpus}", "--only", "f0,logistic,gmm", "--jobs", 1,
                   "--augment", 0),
    "analysis": ("analyse", "folder:{corpus}", "--jobs", 1),
    "heat maps and sweeps": ("explain", "{tiny}", "{corpus}", "--sweeps"),
    "trials of heat maps": ("explain", "{tiny}", "folder:{corpus}", "--faithfulness", "--method",
                            "gradcam", "--jobs", 1),
    "embeddings": ("embeddings", "folder:{corpus}", "--stage", "embed"),
}


@pytest.mark.parametrize("what", COMMANDS)
def test_no_recording_is_opened_twice(what, opened, gendered_folder, tiny_model):
    speakers = {"comparison": 8, "heat maps and sweeps": 2, "trials of heat maps": 2}.get(what, 4)
    corpus = gendered_folder(speakers=speakers)
    name, *args = (str(arg).format(corpus=corpus, tiny=tiny_model[0]) for arg in COMMANDS[what])
    counts = {path: n for path, n in opened(name, *args).items() if path.startswith(str(corpus))}
    # A comparison also looks at the beginning of each file, to know copies of it, and times
    # answers from the files of those who are tested.
    most, timed = (2, 4) if what == "comparison" else (1, 0)
    assert len(counts) == 2 * speakers, counts
    assert sum(n > most for n in counts.values()) == timed, counts
