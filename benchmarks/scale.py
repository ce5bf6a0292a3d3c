"""Hours of sound per core and hour, with processes, a Dask cluster and shards."""

import contextlib
import csv
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import processes, sounds
from benchmarks.rows import row
from voxsight.base.parallel.cluster import connected

RECORDINGS, SECONDS = 400, 12.0  # as long as those of LibriSpeech
TASKS = 20_000  # recordings that cost nothing, for what the cluster costs
TRAIN = ("--arch", "resnet34", "--weights", "none", "--head-epochs", "0", "--batch", "64")


def measure(work):
    """Rows of the table."""
    heard_s = RECORDINGS * SECONDS
    corpus = _corpus(work / "corpus")
    with _cluster(work) as address:
        ways = {"1 process": ("--jobs", "1"), "2 processes": ("--jobs", "2"),
                "Dask, 2 workers": ("--dask", address)}
        commands = {"pictures": _preprocess(corpus, work / "out"),
                    "answers": ("deploy_model", corpus, "--csv", work / "out/answers.csv")}
        for what, command in commands.items():
            for way, flags in ways.items():
                shutil.rmtree(work / "out", ignore_errors=True)
                run = processes.script(*command, *flags)
                yield row(f"{what}, {way}", heard_s / run.seconds, ".0f", " times real time",
                          f"{run.seconds:.1f} s, largest process {run.peak_mib:.0f} MiB")
        yield _cost_of_cluster(address)
    processes.script(*_preprocess(corpus, work / "pictures"))
    yield from _sizes(work / "pictures/mfc_dataset", heard_s)
    yield _merging(work, corpus)
    yield from _training(work)


def _corpus(folder):
    for i, path in enumerate(sounds.voices(folder / "all", RECORDINGS, SECONDS)):
        target = folder / ("female", "male")[i % 2] / f"s{i % 20}" / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    (folder / "all").rmdir()
    return folder


def _preprocess(corpus, work):
    return ("preprocess_wavs", corpus, "--corpus", "folder", "--out", work / "mfc_dataset",
            "--maps", work / "maps")


@contextlib.contextmanager
def _cluster(work):
    """Address of a scheduler with two workers of one thread."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    host, port = address.split(":")
    commands = [("scheduler", "--host", host, "--port", port),
                ("worker", f"tcp://{address}", "--nworkers", "2", "--nthreads", "1")]
    with open(work / "dask.log", "w") as log, contextlib.ExitStack() as stack:
        for command in commands:
            process = subprocess.Popen([sys.executable, "-m", "dask", *command, "--no-dashboard"],
                                       stdout=log, stderr=log, cwd=processes.ROOT,
                                       env={**os.environ, "PYTHONPATH": str(processes.ROOT)})
            stack.callback(process.wait)
            stack.callback(process.terminate)
        yield f"tcp://{address}"


def _cost_of_cluster(address):
    items = list(map(str, range(TASKS)))
    with connected(address, _nothing, str) as cluster:
        list(cluster.map(items[:1000]))  # starts the processes
        started = time.perf_counter()
        list(cluster.map(items))
        seconds = time.perf_counter() - started
    return row("recordings that one client hands out, with no work in them", TASKS / seconds,
               ".0f", "/s", f"{TASKS} in {seconds:.1f} s, the workers beside it on the same "
               "2 cores")


def _nothing():
    return str.upper


def _sizes(folder, heard_s):
    sizes = [path.stat().st_size for path in folder.glob("*.jpg")]
    manifest, per_hour = (folder / "manifest.csv").stat().st_size, 3600 / heard_s
    yield row("pictures of an hour of sound", len(sizes) * per_hour, ".0f")
    yield row("their size", sum(sizes) * per_hour / 1e6, ".1f", " MB")
    yield row("their manifest", manifest * per_hour / 1e6, ".1f", " MB")


def _merging(work, corpus):
    out = work / "sharded/mfc_dataset"
    for k in (1, 2):
        processes.script(*_preprocess(corpus, work / "sharded"), "--shard", f"{k}/2")
    run = processes.script("merge_shards", out, "--maps", work / "sharded/maps")
    pictures = len(list(out.glob("*.jpg")))
    return row("merge of two shards", pictures / run.seconds, ".0f", " pictures/s",
               f"{pictures} in {run.seconds:.1f} s")


def _training(work):
    """Seconds that an epoch more takes, alone and by two processes of a thread."""
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    dataset = work / "pictures/mfc_dataset"
    for way, start in (("1 process of 2 threads", []), ("2 processes of 1 thread", launch)):
        seconds = []
        for epochs in (1, 3):
            out = work / f"model{len(start)}-{epochs}"
            run = processes.run([*start, processes.ROOT / "scripts/train_model.py", dataset,
                                 *TRAIN, "--epochs", str(epochs), "--out", out, "--quiet"])
            seconds.append(run.seconds)
        with open(Path(dataset) / "manifest.csv", newline="") as file:
            pictures = sum(1 for _ in csv.DictReader(file))
        epoch = (seconds[1] - seconds[0]) / 2
        yield row(f"training at 64x64, {way}", pictures / epoch, ".0f", " pictures/s",
                  f"{epoch:.1f} s for an epoch of {pictures}, a fifth of which validates")
