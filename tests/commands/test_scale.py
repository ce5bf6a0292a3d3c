"""Many machines: a real Dask scheduler with two workers, and shards that are merged."""

import contextlib
import functools
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import MY_WAVS, ROOT, as_if_stopped, make_gendered_folder, wait_until
from distributed import Client
from test_conversion import contents
from test_survival import rows_so_far
from test_workers import make

from voxsight.base import files
from voxsight.base.parallel import cluster, shards
from voxsight.corpora.reading import read_corpus
from voxsight.errors import UsageError
from voxsight.pictures import conversion, merging
from voxsight.pictures.recipe import RECIPES

on_cluster = pytest.mark.xdist_group("cluster")  # one scheduler and its workers
DASK = [sys.executable, "-m", "dask"]


class Machines:
    """A scheduler and workers, a process group each."""

    def __init__(self, folder):
        self._stack = contextlib.ExitStack()
        self._environment = {
            **os.environ, "PYTHONPATH": os.pathsep.join(
                [str(ROOT), *(str(ROOT / "tests" / name) for name in (
                    "", "base", "pictures", "commands"))]),
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "2"}
        self._log = self._stack.enter_context(open(folder / "log", "w"))
        with socket.create_server(("127.0.0.1", 0)) as free:
            host, port = free.getsockname()
        self.address = f"tcp://{host}:{port}"
        self.scheduler = self._started("scheduler", "--host", host, "--port", str(port))
        self.workers = [self.worker() for _ in range(2)]
        with Client(self.address, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)

    def _started(self, *command):
        process = subprocess.Popen([*DASK, *command, "--no-dashboard"], start_new_session=True,
                                   env=self._environment, stdout=self._log, stderr=self._log)
        self._stack.callback(self.kill, process)
        return process

    def worker(self):
        """A worker that is started again when it dies."""
        return self._started("worker", self.address, "--nworkers", "1", "--nthreads", "1")

    @staticmethod
    def kill(*processes):
        """At once, each with the one that would start it again."""
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        for process in processes:
            process.wait()

    def close(self):
        self._stack.close()


@pytest.fixture(scope="module")
def machines(tmp_path_factory):
    with contextlib.closing(Machines(tmp_path_factory.mktemp("dask"))) as found:
        yield found


def processes_kept():
    return len(cluster._processes)


def preprocess(corpus, work, *flags):
    return ["preprocess_wavs", corpus, "--corpus", "folder", "--out", f"{work}/mfc_dataset",
            "--maps", f"{work}/maps", "--augment", "1.5", *flags]


def started(name, *args):
    """The process of a script."""
    return subprocess.Popen([sys.executable, ROOT / "scripts" / f"{name}.py", *args], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Recordings that no test changes, one of them broken."""
    root = make_gendered_folder(tmp_path_factory.mktemp("scale") / "corpus", speakers=16)
    (root / "male" / "m1" / "broken.wav").write_bytes(b"RIFF but no sound")
    return root


@on_cluster
def test_pictures_of_a_cluster_of_which_a_worker_is_killed(machines, script, corpus, tmp_path):
    """The bytes are those of one process."""
    whole = script(*preprocess(corpus, tmp_path / "whole", "--jobs", "1"))
    process = started(*preprocess(corpus, tmp_path / "cluster", "--dask", machines.address))
    if wait_until(lambda: rows_so_far(tmp_path / "cluster") > 30, process):
        machines.kill(machines.workers.pop())
    said, errors = process.communicate()
    assert len(machines.workers) == 1, "the other was killed while the work went on"
    machines.workers.append(machines.worker())
    assert whole.returncode == process.returncode == 1, errors
    assert "broken.wav" in errors
    assert said.split(": ")[1] == whole.stdout.split(": ")[1]
    assert (found := contents(tmp_path / "cluster")) == contents(tmp_path / "whole")

    # As a run leaves it that is stopped half way.
    as_if_stopped(tmp_path / "cluster/mfc_dataset", after=0.5)
    again = script(*preprocess(corpus, tmp_path / "cluster", "--dask", machines.address))
    assert " 0 done before" not in again.stdout and "1 failed" in again.stdout
    assert contents(tmp_path / "cluster") == found


@on_cluster
def test_the_work_waits_for_workers_when_all_have_gone(machines, corpus, tmp_path):
    process = started(*preprocess(corpus, tmp_path, "--quiet", "--dask", machines.address))
    assert wait_until(lambda: rows_so_far(tmp_path) >= 10, process)
    machines.kill(*machines.workers)
    said_so = select.select([process.stderr], [], [], 60)[0] and process.stderr.readline()
    machines.workers[:] = machines.worker(), machines.worker()
    assert said_so and "found no worker left" in said_so
    said, errors = process.communicate()
    assert process.returncode == 1, errors
    assert errors.count("\n") == 1 and "broken.wav" in errors
    assert said.endswith("1 failed\n")


@pytest.mark.slow
def test_a_scheduler_that_goes_is_told_in_a_line(corpus, tmp_path):
    with contextlib.closing(Machines(tmp_path)) as machines:
        process = started(*preprocess(corpus, tmp_path, "--quiet", "--dask", machines.address))
        assert wait_until(lambda: rows_so_far(tmp_path) >= 10, process)
        machines.kill(machines.scheduler)
        _, errors = process.communicate()
    assert process.returncode == 2 and errors.count("\n") == 1, errors
    assert "found that the scheduler went" in errors


@on_cluster
def test_answers_of_a_cluster(machines, script, tmp_path):
    """Rows, heat maps, pictures and timelines, in folders named as from elsewhere."""
    voices = tmp_path / "voices"
    voices.mkdir()
    for name in ("slt_three", "rms_seven", "kal_count"):
        shutil.copy(MY_WAVS / f"{name}.wav", voices)
    (voices / "broken.wav").write_bytes(b"RIFF but no sound")
    there = os.path.relpath(tmp_path, ROOT)
    outputs = {"--heatmaps": "h", "--pictures": "p", "--timeline": "t"}
    here = script("deploy_model", voices, "--csv", tmp_path / "here.csv", *[
        x for flag, name in outputs.items() for x in (flag, tmp_path / "here" / name)])
    done = script("deploy_model", os.path.relpath(voices, ROOT), "--csv", tmp_path / "there.csv",
                  "--dask", machines.address, *[
                      x for flag, name in outputs.items()
                      for x in (flag, f"file://{tmp_path}/there/{name}" if name != "t"
                                else f"{there}/there/{name}")])
    assert here.returncode == done.returncode == 1, done.stderr
    rows = (tmp_path / "there.csv").read_text()
    assert rows.replace(there, str(tmp_path)) == (tmp_path / "here.csv").read_text()
    assert contents(tmp_path / "there") == contents(tmp_path / "here")
    assert len(contents(tmp_path / "there")) > 3 * 3


@on_cluster
def test_an_item_on_which_processes_die_is_lost_alone(machines):
    deadly = (3, 40)
    with cluster.connected(machines.address, functools.partial(make, deadly, (23,)),
                           "lost {}".format) as ready:
        found = list(ready.map(list(range(60))))
    with Client(machines.address, set_as_default=False) as client:
        assert client.run(processes_kept) == dict.fromkeys(client.nthreads(), 0)
    deadly += (23,)
    assert found == [f"lost {i}" if i in deadly else i * i for i in range(60)]


@on_cluster
def test_without_a_scheduler_or_workers(script, machines, monkeypatch, tmp_path):
    done = script("deploy_model", MY_WAVS, "--dask", "tcp://127.0.0.1:9")
    assert done.returncode == 2 and "dask scheduler" in done.stderr
    assert "Traceback" not in done.stderr
    monkeypatch.setattr(cluster.voxsight, "__version__", "9.9")
    with pytest.raises(UsageError, match=r"expected voxsight 9\.9"), cluster.connected(
            machines.address, make, str):
        pass


@pytest.mark.slow
def test_pictures_at_a_url(gendered_folder):
    """A file system that only fsspec reaches."""
    utterances = read_corpus(root := gendered_folder(), "folder")
    done = conversion.convert(utterances, RECIPES["voxsight"], "memory://bucket/mfc_dataset",
                              "memory://bucket/maps", root=root, quiet=True)
    local = root.parent / "local"
    conversion.convert(utterances, RECIPES["voxsight"], local / "mfc_dataset", local / "maps",
                       root=root, quiet=True)
    there = files.location("memory://bucket")
    expected = contents(local)
    found = {name: (there / name).read_bytes() for name in expected}
    maps = [name for name in expected if name.startswith("maps")]
    for name in maps:  # the recordings do not lie at the URL
        sources = json.loads(found.pop(name))
        assert sorted(set(sources.values())) == [u.path for u in utterances
                                                 if u.gender in name.split("/")[1].split(".")]
        assert [Path(path).is_absolute() for path in sources.values()] == len(sources) * [True]
        assert list(sources) == list(json.loads(expected.pop(name)))
    assert found == expected and done.pictures == len(expected) - 2
    again = conversion.convert(utterances, RECIPES["voxsight"], "memory://bucket/mfc_dataset",
                               "memory://bucket/maps", root=root, quiet=True)
    assert (again.recordings, again.already_done) == (0, len(utterances))


def test_what_a_url_lacks_is_said():
    with pytest.raises(UsageError, match="voxsight\\[cluster\\]"):
        files.location("nowhere://bucket/a")


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("n", [0, 1, 5, 100])
def test_shares_are_the_whole_and_alike(n, count):
    shares = [shards.Shard(k, count).part_of(list(range(n))) for k in range(1, count + 1)]
    assert [item for share in shares for item in share] == list(range(n))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.slow
def test_shards_of_a_dataset(gendered_folder, tmp_path):
    """Merged, they are what one run leaves, byte for byte."""
    utterances = read_corpus(root := gendered_folder(speakers=4), "folder")[1:]

    def converted(place, **options):
        conversion.convert(utterances, RECIPES["voxsight"], place / "mfc_dataset", place / "maps",
                           root=root, altered_copies=1.0, teacher="resemblyzer", jobs=1, quiet=True,
                           **options)

    out, maps = tmp_path / "parts/mfc_dataset", tmp_path / "parts/maps"
    converted(tmp_path / "whole")
    converted(tmp_path / "parts", shard=shards.Shard(2, 2))
    with pytest.raises(UsageError, match="run --shard 1/2"):
        merging.merge_datasets(out, maps)
    converted(tmp_path / "parts", shard=shards.Shard(1, 2))
    n = merging.merge_datasets(out, maps, quiet=True)
    shutil.rmtree(tmp_path / "parts/mfc_dataset.parts")
    merged = contents(tmp_path / "parts")
    assert merged == contents(tmp_path / "whole")
    assert n == sum(name.endswith(".jpg") for name in merged) > 2 * len(utterances)


@pytest.mark.slow
def test_shards_of_answers(script, tmp_path):
    whole, parts, plain = (tmp_path / name for name in ("whole.csv", "parts.csv", "plain"))
    script("deploy_model", MY_WAVS, "--csv", whole)
    for k in (1, 2):
        script("deploy_model", MY_WAVS, "--csv", parts, "--shard", f"{k}/2")
    assert "8 rows" in script("merge_shards", parts).stdout
    assert parts.read_bytes() == whole.read_bytes()
    script("deploy_model", MY_WAVS, "--csv", plain, "--shard", "1/1")
    assert "8 rows" in script("merge_shards", plain).stdout
    assert plain.read_bytes() == whole.read_bytes()
    shutil.copy(tmp_path / "parts.csv.parts/1of2.csv", tmp_path / "parts.csv.parts/1of4.csv")
    done = script("merge_shards", parts)
    assert done.returncode == 2 and "expected those of 4 shards" in done.stderr
    done = script("merge_shards", tmp_path / "other.csv")
    assert done.returncode == 2 and "--shard K/N" in done.stderr
    done = script("deploy_model", MY_WAVS, "--shard", "3/2")
    assert done.returncode == 2 and "K from 1 to N" in done.stderr


def test_shards_of_two_corpora_are_not_merged(gendered_folder, tmp_path):
    for k, speakers in ((1, 2), (2, 4)):
        root = gendered_folder(tmp_path / str(speakers), speakers)
        conversion.convert(read_corpus(root, "folder"), RECIPES["voxsight"], tmp_path / "d",
                           tmp_path / "maps", root=root, shard=shards.Shard(k, 2), quiet=True)
    with pytest.raises(UsageError, match="another corpus"):
        merging.merge_datasets(tmp_path / "d", tmp_path / "maps")
    assert not (tmp_path / "d").exists() and not (tmp_path / "maps").exists()
