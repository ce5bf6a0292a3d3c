"""Standard streams and arguments as they come: closed, without a reader, in another encoding."""

import csv
import os
import shutil
import subprocess
import sys
import termios

import pytest
from conftest import MY_WAVS, ROOT

import voxsight
from voxsight.commands import COMMANDS, GROUPS
from voxsight.commands.runner import main, make_parser, parse

DEPLOY = [sys.executable, ROOT / "scripts/deploy_model.py"]
SHORT = MY_WAVS / "slt_seven.wav"


def paths_in(table):
    with open(table, newline="") as file:
        return [row["path"] for row in csv.DictReader(file)]


def test_a_bar_is_drawn_on_a_terminal_only(process):
    done = process("deploy_model", MY_WAVS)
    assert done.returncode == 0 and done.stderr == ""
    assert len(done.stdout.splitlines()) == len(list(MY_WAVS.glob("*.wav")))
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (25, 80))
    done = subprocess.run([*DEPLOY, MY_WAVS], cwd=ROOT, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    assert done.returncode == 0 and b"recording" in os.read(ours, 100_000)
    os.close(ours)


@pytest.mark.slow
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_do_no_harm(tmp_path, closed):
    """The first file that is opened does not take the place of stdout either."""
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *DEPLOY, SHORT, "nowhere.wav",
         "--csv", tmp_path / "a.csv"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert ("nowhere.wav: " in done.stderr) == ("2>" not in closed)
    assert paths_in(tmp_path / "a.csv") == [str(SHORT), "nowhere.wav"]
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 3


def test_streams_that_python_does_not_have(monkeypatch, tmp_path):
    """As under pythonw."""
    from voxsight.commands.runner import run_command

    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    paths = [*map(str, sorted(MY_WAVS.glob("*.wav"))), "nowhere.wav"]  # enough for a bar
    assert run_command("deploy", [*paths, "--csv", str(tmp_path / "a.csv"), "--model",
                                  str(ROOT / "models/default")]) == 1
    assert paths_in(tmp_path / "a.csv") == paths


@pytest.mark.slow
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_goes_away_loses_nothing(tmp_path, unbuffered):
    running = subprocess.Popen(
        [*DEPLOY, *[SHORT] * 9, "--csv", tmp_path / "a.csv", "--timeline", tmp_path / "lines",
         "--heatmaps", tmp_path / "maps"], cwd=ROOT, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": unbuffered})
    assert running.stdout.readline().startswith("female")
    running.stdout.close()
    assert running.stderr.read() == "" and running.wait() == 0
    assert paths_in(tmp_path / "a.csv") == [str(SHORT)] * 9
    assert list((tmp_path / "lines").glob("*.rttm")) and list((tmp_path / "maps").glob("*.png"))


def test_a_full_disk_is_not_a_reader_that_went_away():
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*DEPLOY, SHORT], cwd=ROOT, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2 and b"No space left" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("encoding", "shown"), [
    ("ascii", r"\u58f0\xfc.wav"), ("cp1252", "\\u58f0\N{LATIN SMALL LETTER U WITH DIAERESIS}.wav"),
    ("utf-8", "声ü.wav")])
def test_what_a_stream_cannot_encode_is_escaped(tmp_path, encoding, shown):
    shutil.copy(SHORT, tmp_path / "声ü.wav")
    done = subprocess.run([*DEPLOY, "声ü.wav", "nowhere/声ü.wav", "--model",
                           ROOT / "models/default"], cwd=tmp_path, capture_output=True,
                          env={**os.environ, "PYTHONIOENCODING": encoding})
    assert done.returncode == 1
    assert done.stdout.decode(encoding).endswith(f"  {shown}\n")
    assert done.stderr.decode(encoding).startswith(f"nowhere/{shown}: found no such file")


def test_nothing_is_said_where_no_input_is(process, tmp_path):
    (tmp_path / "sounddevice.py").write_text("def query_devices(): return []\n")
    done = process("record_wav", "--list-devices", PYTHONPATH=str(tmp_path))
    assert done.returncode == 0 and done.stdout == "" and "no inputs found" in done.stderr


@pytest.mark.parametrize(("name", "before", "where"), [
    ("deploy", [], "paths"), ("explain", ["MODEL"], "inputs"), ("robustness", ["MODEL"], "sources"),
    ("compare", [], "sources"), ("embeddings", [], "sources"), ("analyse", [], "sources"),
    ("speakers", [], "sources")])
def test_paths_may_stand_on_both_sides_of_an_option(name, before, where):
    parser = make_parser(name)
    args = parse(parser, [*before, "a", "b", "--quiet", "c", "--out" if where != "paths" else
                          "--csv", "x", "d", "--", "-e"])
    assert getattr(args, where) == ["a", "b", "c", "d", "-e"] and args.quiet
    assert parse(parser, [*before, "--", "-e", "--quiet"]).quiet is False


def run_main(monkeypatch, capfd, *argv):
    monkeypatch.setattr(sys, "argv", ["voxsight", *argv])
    try:
        code = main()
    except SystemExit as stop:
        code = stop.code
    return code, *capfd.readouterr()


@pytest.mark.parametrize("argv", [["--version"], *([name, "--version"] for name in COMMANDS)],
                         ids=lambda argv: argv[0])
def test_every_command_says_its_version(monkeypatch, capfd, argv):
    assert run_main(monkeypatch, capfd, *argv) == (0, f"voxsight {voxsight.__version__}\n", "")


@pytest.mark.parametrize("asked", ["help", "--help", "-h"])
def test_help_lists_every_command_by_what_it_is_for(monkeypatch, capfd, asked):
    code, out, err = run_main(monkeypatch, capfd, asked)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    for name, command in COMMANDS.items():
        (line,) = (line for line in lines if line.startswith(f"  {name} "))
        assert line.endswith(command.about) and len(line) <= 80
        title = next(lines[i] for i in range(lines.index(line), 0, -1) if lines[i][:1] != " ")
        assert title == f"{GROUPS[command.group]}:"
    assert set(GROUPS) == {command.group for command in COMMANDS.values()}
    code, out, _ = run_main(monkeypatch, capfd, "help", "deploy")
    assert code == 0 and out.startswith("usage: voxsight deploy")


@pytest.mark.parametrize(("argv", "said"), [
    (["deployy", "a.wav"], "did you mean deploy?"), (["robust"], "did you mean robustness?"),
    (["xyz"], "voxsight help"), (["help", "rain"], "did you mean train?"), ([], "usage: ")])
def test_a_mistyped_command_suggests_the_nearest(monkeypatch, capfd, argv, said):
    code, out, err = run_main(monkeypatch, capfd, *argv)
    assert (code, out) == (2, "") and said in err
