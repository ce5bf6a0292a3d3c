"""Nothing leaves the machine: no name is looked up, nothing is sent, the home holds no traces."""

import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
import uuid

import pytest
from conftest import MY_WAVS, ROOT, wait_until

from voxsight.base.environment import SILENT

# Put before libc: notes and refuses whatever is not for this machine.
WATCH = r"""
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void note(const char *name) {
    int file = open(getenv("WATCHED"), O_WRONLY | O_APPEND | O_CREAT, 0600);
    dprintf(file, "%s\n", name);
    close(file);
}
int getaddrinfo(const char *name, const char *port, const struct addrinfo *hints,
                struct addrinfo **found) {
    if (!name || !strncmp(name, "127.", 4) || !strcmp(name, "localhost")) {
        int (*real)() = dlsym(RTLD_NEXT, "getaddrinfo");
        return real(name, port, hints, found);
    }
    note(name);
    return EAI_FAIL;
}
int connect(int socket, const struct sockaddr *to, socklen_t size) {
    char name[64];
    const struct sockaddr_in *in = (const struct sockaddr_in *)to;
    int ours = to->sa_family == AF_INET ? *(unsigned char *)&in->sin_addr == 127
                                        : to->sa_family != AF_INET6;
    if (ours) {
        int (*real)() = dlsym(RTLD_NEXT, "connect");
        return real(socket, to, size);
    }
    note(inet_ntop(AF_INET, &in->sin_addr, name, sizeof name));
    return -1;
}
"""
# One process does it all, and the last command goes on until it is stopped.
WORK = """
from voxsight.commands.runner import run_command
for line in sys.argv[1:]:
    assert run_command(line.split()[0], [*line.split()[1:], "--quiet"]) == 0, line
"""
TALKATIVE = "import voxsight; voxsight.classify(sys.argv[1]); input()"
# Settings and caches of libraries, which stay on this machine.
USUAL = re.compile(r"\.config/matplotlib|\.cache/(matplotlib|fontconfig|voxsight|numba)/")


@pytest.fixture
def watched(tmp_path):
    """Start Python under the watch, with an empty home and without variables of CI."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if sys.platform != "linux" or not compiler:
        pytest.skip("needs Linux and a C compiler")
    (tmp_path / "watch.c").write_text(WATCH)
    subprocess.run([compiler, "-shared", "-fPIC", "-w", "-o", tmp_path / "watch.so",
                    tmp_path / "watch.c", "-ldl"], check=True)
    (tmp_path / "models").symlink_to(ROOT / "models")
    running = []

    def start(name, code, *args, **environment):
        (tmp_path / name).mkdir()
        running.append(subprocess.Popen(
            [sys.executable, "-c", f"import sys\n{code}", *args], cwd=tmp_path, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path / name),
                 "LD_PRELOAD": str(tmp_path / "watch.so"),
                 "WATCHED": str(tmp_path / f"{name}.log"), **environment}))
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.communicate()


def ask(url, path):
    """The page, and the answer of its HTTP interface."""
    with urllib.request.urlopen(url) as page:
        assert page.status == 200
    border = uuid.uuid4().hex
    body = (f'--{border}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
            ).encode() + path.read_bytes() + f"\r\n--{border}--\r\n".encode()
    request = urllib.request.Request(f"{url}api/classify", body, {
        "Content-Type": f"multipart/form-data; boundary={border}"})
    with urllib.request.urlopen(request) as answer:
        return answer.read()


@pytest.mark.slow
@pytest.mark.xdist_group("web")
def test_answering_training_embedding_and_the_page_call_nobody(watched, gendered_folder, tmp_path):
    corpus = gendered_folder()
    process = watched(
        "home", WORK,
        f"preprocess {corpus} --corpus folder --out {tmp_path}/set --maps {tmp_path}/maps",
        f"train {tmp_path}/set --arch resnet18 --weights none --head-epochs 1 --epochs 0 "
        f"--out {tmp_path}/model",
        f"embeddings folder:{corpus} --stage embed --embeddings {tmp_path}/embeddings",
        f"deploy {MY_WAVS} --heatmaps {tmp_path}/maps --csv {tmp_path}/a.csv --jobs 2",
        f"serve --port 0 --keep-in {tmp_path}/kept")
    lines = iter(process.stdout.readline, "")
    url = next((line for line in lines if line.startswith("http")), None)
    assert url, process.stderr.read()
    assert b"female" in ask(url.strip(), MY_WAVS / "slt_fox.wav")
    # Whoever is started later and told to be talkative has called when this one would have.
    talkative = watched("talkative", TALKATIVE, MY_WAVS / "slt_fox.wav", ORT_DISABLE_TELEMETRY="0")
    calls = tmp_path / "talkative.log"
    assert wait_until(calls.exists, talkative), talkative.stderr.read()
    process.send_signal(signal.SIGINT)
    process.wait()
    assert not (tmp_path / "home.log").exists(), (tmp_path / "home.log").read_text()
    assert not traces(tmp_path / "home") and traces(tmp_path / "talkative")


def traces(home):
    """Files below a home folder that are not the usual ones."""
    names = [path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()]
    return [name for name in names if not USUAL.match(name)]


def test_a_home_that_cannot_be_written_to_is_not_complained_of(process, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "fonts.conf").write_text(
        "<fontconfig><dir>/usr/share/fonts</dir><cachedir prefix='xdg'>fontconfig</cachedir>"
        "</fontconfig>")  # as users who are not root have it: no cache of the whole system
    command = ["deploy_model", MY_WAVS / "slt_fox.wav", "--heatmaps", tmp_path / "drawn"]
    unset = {"XDG_CACHE_HOME": "", "XDG_CONFIG_HOME": "", "CI": "", "GITHUB_ACTIONS": "",
             "MPLCONFIGDIR": "", "FONTCONFIG_FILE": str(tmp_path / "fonts.conf")}
    for _ in range(2):  # as it was installed, and with what the first run stored
        done = process(*command, HOME=f"{tmp_path}/file/home", TMPDIR=str(tmp_path), **unset)
        assert (done.returncode, done.stderr) == (0, "")
    assert list((tmp_path / f"voxsight-{os.getuid()}").rglob("fontlist*"))


def test_onnxruntime_is_imported_and_silenced_in_one_place():
    """Before that import, in every process, since the package imports that place first."""
    found = {name: set() for name in ("import onnxruntime", *SILENT)}
    for folder in ("voxsight", "scripts", "benchmarks", "nbs", "docs"):
        for path in (ROOT / folder).rglob("*"):
            text = path.read_text() if path.suffix in (".py", ".ipynb") else ""
            for name in found:
                if name in text:
                    found[name].add(path.relative_to(ROOT).as_posix())
    assert found.pop("import onnxruntime") == {"voxsight/base/inference.py"}
    assert set().union(*found.values()) == {"voxsight/base/environment.py"}
    code = "import os, voxsight.errors; print(*(os.environ[name] for name in os.sys.argv[1:]))"
    done = subprocess.run([sys.executable, "-c", code, *SILENT], capture_output=True, text=True,
                          env={"HF_HUB_DISABLE_TELEMETRY": "theirs"})
    assert done.stdout.split() == ["1", "theirs"], done.stderr
