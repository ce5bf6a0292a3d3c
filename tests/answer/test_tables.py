"""Where the table of answers may go, and what must never happen to what is there."""

import csv
import io
import os
import shutil
import stat
import subprocess
import sys
import threading

import pytest
from conftest import MY_WAVS, ROOT

VOICE = MY_WAVS / "slt_three.wav"
HEAD = "path,label,p_female,speech_s,duration_s,error,heard_s,missing,reason"


@pytest.fixture
def folder(tmp_path):
    for name in ("a.wav", "b.wav"):
        shutil.copy(VOICE, tmp_path / name)
    return tmp_path


def model(tiny_model):
    return ("--model", tiny_model[0])


@pytest.mark.parametrize("args", [
    ("--csv", "a.wav", "b.wav"), ("b.wav", "--csv", "link"), ("notes.txt", "--csv", "notes.txt"),
    ("b.wav", "--csv", "."), ("b.wav", "--csv", "new/"), ("b.wav", "--csv", "h", "--heatmaps", "h"),
    ("b.wav", "--csv", "t/b.csv", "--timeline", "t"), ("b.wav", "--csv", "-", "--json"),
    ("--heatmaps", "a.wav", "b.wav"), ("--pictures", "a.wav", "b.wav"),
    ("b.wav", "--timeline", "a.wav/below")])
def test_nothing_is_answered_and_nothing_lost(args, folder, script, tiny_model):
    (folder / "link").symlink_to("a.wav")
    (folder / "notes.txt").write_text("mine")
    before = sorted(os.listdir(folder))
    done = script("deploy_model", *args, *model(tiny_model), cwd=folder)
    assert done.returncode == 2 and not done.stdout
    *_, said = done.stderr.strip().splitlines()
    assert ".tmp-" not in said and any(str(arg) in said for arg in args)
    assert sorted(os.listdir(folder)) == before
    assert (folder / "a.wav").read_bytes() == VOICE.read_bytes()
    assert (folder / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("path", ["-", "/dev/stdout", "/dev/fd/1"])
def test_a_table_on_stdout_is_all_that_is_there(path, folder, script, tiny_model):
    done = script("deploy_model", folder, "nope.wav", "--csv", path, *model(tiny_model), cwd=folder)
    assert done.returncode == 1 and "nope.wav: found no such file" in done.stderr
    head, *rows = csv.reader(io.StringIO(done.stdout))
    assert ",".join(head) == HEAD
    assert [row[0] for row in rows] == [f"{folder}/a.wav", f"{folder}/b.wav", "nope.wav"]
    assert sorted(os.listdir(folder)) == ["a.wav", "b.wav"]  # no file "-", no journal


def test_a_pipe_gets_the_rows_and_no_file_lies_beside_it(folder, script, tiny_model):
    os.mkfifo(folder / "pipe")
    got = []
    reader = threading.Thread(target=lambda: got.append((folder / "pipe").read_text()),
                              daemon=True)
    reader.start()
    done = script("deploy_model", "a.wav", "--csv", "pipe", *model(tiny_model), cwd=folder)
    reader.join(60)
    assert done.returncode == 0 and "a.wav" in done.stdout
    assert got[0].startswith(f"{HEAD}\na.wav,") and got[0].count("\n") == 2
    assert sorted(os.listdir(folder)) == ["a.wav", "b.wav", "pipe"]


def test_a_device_stays_a_device(folder, script, tiny_model):
    try:
        os.mknod(folder / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("devices can be made by root only")
    for args in ((), ("--shard", "1/2")):
        done = script("deploy_model", "a.wav", "--csv", "null", *args, *model(tiny_model),
                      cwd=folder)
        assert done.returncode == 0, done.stderr
    assert stat.S_ISCHR((folder / "null").stat().st_mode)
    assert sorted(os.listdir(folder)) == ["a.wav", "b.wav", "null"]


@pytest.mark.slow
@pytest.mark.parametrize("timeline", [True, False])
def test_a_reader_that_goes_costs_no_other_output(timeline, folder, tiny_model):
    args = ("--timeline", "t") if timeline else ()
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/deploy_model.py", "a.wav", "b.wav", "--csv", "-", *args,
         *model(tiny_model)], cwd=folder, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert "Traceback" not in done.stderr
    expected = {f"{name}.{ending}" for name in "ab" for ending in ("csv", "rttm")}
    assert {p.name for p in folder.glob("t/*")} == (expected if timeline else set())


def test_a_link_is_written_through(folder, script, tiny_model):
    (folder / "real.csv").write_text("old\n")
    (folder / "link.csv").symlink_to("real.csv")
    done = script("deploy_model", "a.wav", "--csv", "link.csv", *model(tiny_model), cwd=folder)
    assert done.returncode == 0 and (folder / "link.csv").is_symlink()
    assert (folder / "real.csv").read_text().startswith(HEAD)


def test_paths_stay_as_given_and_formulas_are_told(folder, script, tiny_model):
    shutil.copy(VOICE, folder / "=1+1.wav")
    done = script("deploy_model", "=1+1.wav", "a.wav", "--csv", "t.csv", *model(tiny_model),
                  cwd=folder)
    assert (folder / "t.csv").read_text().splitlines()[1].startswith("=1+1.wav,")
    assert "t.csv: 1 paths begin as formulas do" in done.stderr
    done = script("deploy_model", ".", "--csv", "t.csv", *model(tiny_model), cwd=folder)
    assert "formulas" not in done.stderr
    assert (folder / "t.csv").read_text().splitlines()[1].startswith("./=1+1.wav,")


@pytest.mark.parametrize("name, args", [
    ("evaluate_model", ("MODEL", "c.csv", "--out", "OUT")),
    ("explain_model", ("MODEL", "a.wav", "--out", "OUT")),
    ("analyse_features", ("c.csv", "--out", "OUT")),
    ("compare_classifiers", ("c.csv", "--out", "OUT")),
    ("preprocess_wavs", ("c.csv", "--corpus", "csv", "--out", "OUT")),
    ("preprocess_wavs", ("c.csv", "--corpus", "csv", "--maps", "OUT")),
    ("train_model", ("d", "--out", "OUT")),
    ("measure_robustness", ("MODEL", "c.csv", "--out", "OUT")),
    ("export_model", ("MODEL", "--out", "OUT")),
    ("export_model", ("MODEL", "--to", "fastai", "--out", "OUT")),
    ("merge_shards", ("OUT",))])
def test_no_command_writes_over_a_recording(name, args, folder, script, tiny_model):
    (folder / "c.csv").write_text("path,speaker,gender\nb.wav,s,female\n")
    (folder / "a.wav.parts").mkdir()
    (folder / "a.wav.parts/1of1.csv").write_text(f"{HEAD}\n")
    places = {"MODEL": tiny_model[0], "OUT": "a.wav"}
    done = script(name, *(places.get(arg, arg) for arg in args), cwd=folder)
    assert done.returncode == 2 and "a.wav" in done.stderr and "Traceback" not in done.stderr
    assert (folder / "a.wav").read_bytes() == VOICE.read_bytes()


@pytest.mark.parametrize("name", ["predictions", "mistakes", "by_group"])
def test_results_do_not_replace_the_table_that_they_come_from(name, folder, script, tiny_model):
    table = folder / f"{name}.csv"
    table.write_text("path,speaker,gender\na.wav,s,female\nb.wav,t,male\n")
    before = table.read_bytes()
    done = script("evaluate_model", tiny_model[0], table, "--out", folder)
    assert done.returncode == 2 and "is an input" in done.stderr, done.stderr
    assert table.read_bytes() == before


def test_what_may_not_be_read_has_a_row(folder, bound, tiny_model):
    (folder / "locked").mkdir()
    shutil.copy(VOICE, folder / "locked")
    (folder / "notes.txt").touch()
    (folder / "a.wav").chmod(0)
    (folder / "locked").chmod(0)
    done = bound("deploy_model", folder, folder / "locked", folder / "locked" / VOICE.name,
                 "--csv", folder / "t.csv", *model(tiny_model))
    (folder / "locked").chmod(0o700)
    assert done.returncode == 1 and f"{folder}: left out 1 .txt" in done.stderr
    with open(folder / "t.csv", newline="") as file:
        errors = {row["path"].removeprefix(f"{folder}/"): row["error"]
                  for row in csv.DictReader(file)}
    assert errors.pop("b.wav") == ""
    assert errors.pop("a.wav").startswith("could not be opened (Permission denied)")
    assert errors.pop("locked").startswith("could not look into it (Permission denied)")
    error = errors.pop("locked/slt_three.wav")
    assert "(Permission denied)" in error and "permissions" in error and not errors
