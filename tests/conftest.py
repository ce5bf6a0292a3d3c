"""What tests share: sounds made here, a tiny model, and where real corpora are."""

import contextlib
import csv
import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from in_process import ROOT, run_here

MY_WAVS = ROOT / "my_wavs"
# UMAP takes half a minute to be compiled; those that draw with it share a worker.
draws_umap = pytest.mark.xdist_group("umap")
# Whoever asks for one of these starts processes, or trains.
SLOW_FIXTURES = {"process", "bound", "chromium", "microphone", "machines", "server", "wheel",
                 "trained"}

# Two processes that compile the same function at once can leave numba's cache such that
# whatever loads it crashes (seen with librosa.pyin); so a cache for each worker.
os.environ["NUMBA_CACHE_DIR"] = str(
    ROOT / ".pytest_cache" / f"numba-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}")
# What numba is told it tells OpenMP, and with it torch, whose threads then wait for each other
# where all cores have work.
os.environ.setdefault("NUMBA_NUM_THREADS", "1")


def as_if_stopped(dataset, after=1.0):
    """Leave a dataset as a run leaves it that is stopped after a fraction of the recordings."""
    with open(dataset / "manifest.csv", newline="") as file:
        _, *rows = csv.reader(file)
    entries = [list(group) for _, group in itertools.groupby(rows, key=lambda row: row[1])]
    lines = [json.loads((dataset / "recipe.json").read_text()),
             *entries[:round(after * len(entries))]]
    (dataset / "manifest.csv").unlink()
    (dataset / "manifest.csv.partial").write_text(
        "".join(json.dumps(line) + "\n" for line in lines))


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items):
    """Mark what takes long, and let it begin, so that no worker is left with it at the end."""
    missing = pytest.mark.skip(reason="VOXSIGHT_CORPORA does not name a folder of corpora")
    for item in items:
        if item.get_closest_marker("corpora") and not os.environ.get("VOXSIGHT_CORPORA"):
            item.add_marker(missing)
        if SLOW_FIXTURES & set(item.fixturenames):
            item.add_marker("slow")
    items.sort(key=lambda item: not item.get_closest_marker("slow"))


def wait_until(holds, process):
    """Wait until a condition holds or a process has ended; whether the condition holds."""
    while not (held := holds()) and process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.02)
    return held


def praat_f0(samples, rate):
    """Median pitch of the voiced frames by Praat's autocorrelation, Hz."""
    import parselmouth

    pitch = parselmouth.Sound(np.asarray(samples, float), rate).to_pitch(
        pitch_floor=60, pitch_ceiling=500)
    f0 = pitch.selected_array["frequency"]
    return float(np.median(f0[f0 > 0]))


@pytest.fixture
def rng():
    return np.random.default_rng(20260101)


@pytest.fixture
def corpora():
    return Path(os.environ["VOXSIGHT_CORPORA"])


@pytest.fixture(scope="session")
def script():
    """Run a script of scripts/ in this process; returns what a finished process would be."""
    return run_here


@pytest.fixture(scope="session")
def process():
    """Run a script of scripts/ in a process of its own, as a user does."""

    def run(name, *args, cwd=ROOT, **environment):
        return subprocess.run(
            [sys.executable, ROOT / "scripts" / f"{name}.py", *map(str, args)],
            cwd=cwd, capture_output=True, text=True, env={**os.environ, **environment})

    return run


@pytest.fixture
def bound(process):
    """As `process`, of one whom permissions bind; root included, whom they do not bind."""
    if os.getuid():
        return process
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    if not shutil.which("setpriv") or subprocess.run([*drop, "true"]).returncode:
        pytest.skip("setpriv cannot take privileges from root here")

    def run(name, *args, cwd=ROOT):
        return subprocess.run(
            [*drop, sys.executable, ROOT / "scripts" / f"{name}.py", *map(str, args)],
            cwd=cwd, capture_output=True, text=True)

    return run


@pytest.fixture
def chromium():
    """Starts the browser with flags of its own; what it starts is closed afterwards."""
    executable = shutil.which("chromium")
    if not executable:
        if os.environ.get("VOXSIGHT_REQUIRE_AUDIO"):
            pytest.fail("chromium is not installed")
        pytest.skip("chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = []

        def start(*flags):
            started.append(playwright.chromium.launch(executable_path=executable, args=[
                "--no-sandbox", "--autoplay-policy=no-user-gesture-required", *flags]))
            return started[-1]

        yield start
        for browser in started:
            browser.close()


@pytest.fixture
def spoken():
    """A synthetic voice of my_wavs as samples and rate."""

    def read(name):
        return soundfile.read(MY_WAVS / f"{name}.wav", dtype="float32")

    return read


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    """A model folder with a random ResNet-18, and the same network in torch."""
    torch = pytest.importorskip("torch")
    torchvision = pytest.importorskip("torchvision")
    from voxsight.metrics.calibration import Calibration
    from voxsight.network.folder import Architecture, ModelConfig, load_weights, save_model
    from voxsight.pictures.recipe import RECIPES

    torch.manual_seed(0)
    network = torchvision.models.resnet18(num_classes=2)
    for module in network.modules():  # statistics that are not all zeros and ones
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, 0, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    first = network.layer4[0]
    first.conv1.stride = first.downsample[0].stride = (1, 1)
    state = {name: tensor.numpy() for name, tensor in network.state_dict().items()
             if not name.endswith("num_batches_tracked")}
    config = ModelConfig(Architecture("resnet18"), RECIPES["voxsight"], Calibration(2.0, 0.6),
                         training={}, figures={})
    folder = tmp_path_factory.mktemp("model") / "tiny"
    save_model(folder, state, config)
    stored = {name: torch.from_numpy(value) for name, value in load_weights(folder).items()}
    network.load_state_dict(stored, strict=False)
    return folder, network.eval()


def make_gendered_folder(root, speakers=8):
    """Write a corpus folder of synthetic speakers, two recordings each."""
    rng = np.random.default_rng(3)
    for gender, sources in (("female", ("slt_hello", "slt_fox")),
                            ("male", ("rms_morning", "kal_count"))):
        for speaker in range(speakers // 2):
            folder = root / gender / f"{gender[0]}{speaker}"
            folder.mkdir(parents=True)
            for source in sources:
                samples, rate = soundfile.read(MY_WAVS / f"{source}.wav")
                noise = rng.normal(scale=0.001 * (speaker + 1), size=len(samples))
                soundfile.write(folder / f"{source}.wav", samples + noise, rate)
    return root


@pytest.fixture
def gendered_folder(tmp_path):
    """A corpus folder of synthetic speakers, for a test to change as it likes."""

    def make(root=None, speakers=8):
        return make_gendered_folder(root or tmp_path / "corpus", speakers)

    return make
