import csv
import json
import re
import shutil
import sys

import numpy as np
import pytest
from conftest import MY_WAVS
from sklearn.metrics import balanced_accuracy_score, brier_score_loss

from voxsight.evaluation.benchmark.scoring import gain, score
from voxsight.evaluation.labelled import LabelledPrediction

NAMES = ["slt_fox", "slt_hello", "slt_three", "slt_seven", "rms_morning", "rms_seven", "kal_count"]
# A model of another maker: female where the strongest period of the first second is short.
RULE = """
import csv, pathlib, sys
import numpy as np, soundfile

log = pathlib.Path(__file__).with_suffix(".log")
given = sys.argv[1:] if sys.argv[1:] else sys.stdin.read().splitlines()
if given[0].startswith("@"):
    given = open(given[0][1:], encoding="utf-8").read().splitlines()
with log.open("a") as file:
    file.write("".join(path + "\\n" for path in given))
print("score,path,label,p_female")
for path in given:
    samples, rate = soundfile.read(path)
    spectrum = np.abs(np.fft.rfft(samples[: rate] * np.hanning(len(samples[: rate])))) ** 2
    hz = np.arange(len(spectrum)) * rate / min(rate, len(samples))
    low, high = (spectrum[(hz > a) & (hz < b)].sum() for a, b in ((80, 150), (150, 260)))
    p = high / (low + high)
    label = "uncertain" if 0.3 < p < 0.7 else "female" if p > 0.5 else "male"
    csv.writer(sys.stdout).writerow([p, path, label, round(p, 4)])
"""


@pytest.fixture
def voices(tmp_path):
    """Synthetic voices as a corpus of their own place."""
    return corpus(tmp_path / "voices", NAMES)


def corpus(folder, names, **more):
    folder.mkdir(exist_ok=True)
    for name in names:
        shutil.copy(MY_WAVS / f"{name}.wav", folder)
    rows = [f"{name}.wav,{name.split('_')[0]},{'female' if name[:3] == 'slt' else 'male'}"
            for name in names]
    (folder / "manifest.csv").write_text("\n".join(["path,speaker,gender", *rows]) + "\n")
    return folder / "manifest.csv"


@pytest.fixture
def model(tmp_path):
    """A command model from the text of a Python script."""
    def make(text, how="{paths}", name="rule"):
        path = tmp_path / f"{name}.py"
        path.write_text(text)
        return f"{name}=command:{sys.executable} {path} {how}"

    return make


def answering(rows):
    """A script that prints a row for each recording, as a format of its path."""
    return ("import sys\nprint('path,label,p_female')\n"
            f"for path in sys.argv[1:]:\n    print(f{rows!r})\n")


@pytest.fixture
def bench(script, voices, tmp_path):
    def run(*args, corpora=(voices,)):
        return script("benchmark_models", *args, "--corpora", *corpora, "--out", tmp_path / "out",
                      "--quiet")

    return run


def read(tmp_path, name="rule"):
    with open(tmp_path / f"out/{name}/predictions.csv", newline="") as file:
        return (json.loads((tmp_path / f"out/{name}.json").read_text()),
                list(csv.DictReader(file)))


@pytest.mark.parametrize("how", ["@{list}", "{paths}", ""])
def test_figures_of_an_outside_model(how, bench, model, tmp_path):
    """Given its recordings in three ways; against scikit-learn."""
    done = bench(model(RULE, how))
    assert done.returncode == 0, done.stderr
    found, rows = read(tmp_path)
    is_female = [row["gender"] == "female" for row in rows]
    p = np.array([float(row["p_female"]) for row in rows])
    assert found["n"] == len(rows) == len(NAMES) and found["n_speakers"] == 3
    assert found["uar"]["value"] == pytest.approx(balanced_accuracy_score(is_female, p >= 0.5))
    assert found["brier"]["value"] == pytest.approx(brier_score_loss(is_female, p))
    answered = [row["label"] in ("female", "male") for row in rows]
    assert found["coverage"]["value"] == pytest.approx(np.mean(answered))
    assert found["accuracy_answered"]["value"] == pytest.approx(
        np.mean((p >= 0.5)[answered] == np.array(is_female)[answered]))
    assert {group: sum(row["n"] for row in rows) for group, rows in found["by"].items()} == \
        dict.fromkeys(("corpus", "label", "pitch", "duration"), len(NAMES))
    assert all(float(row["f0_hz"]) > 60 and float(row["duration_s"]) > 0.1 for row in rows)
    assert found["mean_over_corpora"]["uar"]["value"] == found["uar"]["value"]
    assert len(found["risk_coverage"]["risk"]) == 100 and found["seed"] == 42
    assert found["command"].startswith("voxsight benchmark") and found["versions"]["numpy"]


def test_what_is_left_out_counts_as_wrong(bench, model, tmp_path):
    """A row that is missing, and one that says nothing."""
    text = answering("{path},female,0.9").replace(
        "print(f", "'hello' in path or print(f'{path},,' if 'three' in path else f")
    done = bench(model(text))
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"rule: found no answer to 2 of {len(NAMES)} recordings, expected one to each; they count "
        "as wrong"]
    found, _ = read(tmp_path)
    assert found["without_answer"] == found["without_probability"] == 2
    assert found["recall"]["value"] == 0.5 and found["recall_male"]["value"] == 0
    assert found["coverage"]["value"] == pytest.approx(5 / 7)
    assert found["brier"]["value"] == pytest.approx((2 * 0.01 + 3 * 0.81) / 5)


def test_labels_without_probabilities(bench, model, tmp_path):
    done = bench(model(answering("{path},{'female' if 'slt' in path else 'male'},")))
    assert done.returncode == 0, done.stderr
    found, _ = read(tmp_path)
    assert found["uar"]["value"] == found["accuracy_answered"]["value"] == 1
    assert found["ece"]["value"] is None and found["without_answer"] == 0
    assert found["aurc"]["value"] == 0  # and no more than the error rate may be
    assert found["aurc"]["high"] == pytest.approx(1 - found["accuracy"]["low"])
    assert "| rule | - | - | 0.000" in done.stdout


@pytest.mark.parametrize("right", [[0, 1, 2, 3, 4, 5, 6, 7], [], [0, 1, 2, 3, 4, 5, 6], [7]])
def test_no_interval_is_without_width(right):
    """All right, all wrong, one wrong or right; in each bin of the reliability too."""
    answers = [LabelledPrediction(f"{i}.wav", f"s{i // 2}", "female", "c", label="female" if
                                  i in right else "male", p_female=0.9 if i in right else 0.1)
               for i in range(8)]
    found = score(answers, 0)
    for name, figure in found.items():
        if isinstance(figure, dict) and "value" in figure and figure["value"] is not None:
            assert figure["low"] < figure["high"], name
            assert figure["low"] <= figure["value"] <= figure["high"], name
    curve = found["reliability"]
    assert len(curve["observed"]) == 8
    assert all(high - low > 0.9 for low, high in zip(curve["low"], curve["high"]))  # one speaker


def test_models_that_decide_alike_may_differ_on_others():
    def answers(sure):
        return [LabelledPrediction(f"{i}.wav", f"s{i}", ("female", "male")[i % 2], "c",
                                   label=("female", "male")[i % 2],
                                   p_female=(sure, 1 - sure)[i % 2]) for i in range(20)]

    found = gain(answers(0.9), answers(0.8), 0)
    assert found["value"] == 0 and found["low"] < -0.1 and found["high"] > 0.1
    same = gain(answers(0.9), answers(0.9), 0)
    assert same["low"] == same["high"] == 0


@pytest.mark.parametrize("text, found", [
    ("import sys; sys.exit('no such weights')", "exit code 1 (no such weights)"),
    ("import sys; print('path,label'); sys.exit(3)", "exit code 3"),
    ("import os; os.abort()", "exit code -6"),
    ("print('hello')", "the columns 'hello'"),
    ("", "no columns in the first line"),
    ("import sys; sys.stdout.buffer.write(bytes(range(256)) * 9)", "its output: found"),
    (answering("{path},woman,0.9"), "the label 'woman'"),
    (answering("{path},female,90"), "p_female '90'"),
    (answering("{path},female,nan"), "p_female 'nan'"),
    (answering("x{path},female,0.9"), "exactly as it was given"),
    (answering("{path},female,0.9\n{path},male,0.1"), "a second row"),
    ("print('path,label')\nwhile True:\n    print('a' * 10 ** 6)", "more than 64 MB"),
])
def test_a_model_that_cannot_be_run_is_one_line(text, found, bench, model, tmp_path):
    """And the next one is measured all the same."""
    good = model(answering("{path},female,0.9"), name="good")
    done = bench(model(text), good)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("rule: ") and found in done.stderr
    assert sorted(path.name for path in (tmp_path / "out").glob("*.json")) == ["good.json"]


def test_a_run_that_was_stopped_goes_on(bench, model, tmp_path):
    """The second call of the command fails; what the first one answered is not asked again."""
    log = tmp_path / "rule.log"
    stops = RULE.replace("print(\"score",
                         "if log.read_text().count('\\n') == 6:\n    sys.exit(9)\nprint(\"score")
    assert bench(model(stops), "--batch", "3").returncode == 1
    done = bench(model(stops), "--batch", "3")
    assert done.returncode == 0, done.stderr
    asked = log.read_text().split()
    assert len(asked) == 3 + 3 + 4 and len(set(asked)) == len(NAMES)
    assert asked[6:] == asked[3:6] + asked[-1:]
    bench(model(stops))
    assert log.read_text().split() == asked
    bench(model(stops), "--again")
    assert log.read_text().split()[len(asked):] == [*asked[:3], *asked[6:]]


def test_a_command_whose_script_changed_is_asked_again(bench, model, tmp_path):
    assert bench(model(answering("{path},female,0.9"))).returncode == 0
    assert bench(model(answering("{path},male,0.1"))).returncode == 0
    assert {row["label"] for row in read(tmp_path)[1]} == {"male"}


@pytest.mark.slow
def test_models_side_by_side(script, bench, model, tmp_path):
    """A folder and a command, on two corpora, one of them with a recording that is broken."""
    other = corpus(tmp_path / "other", ["rms_seven", "slt_fox", "kal_count"])
    with other.open("a") as file:
        file.write("broken.wav,x,male\n")
    (tmp_path / "other/broken.wav").write_bytes(b"no sound")
    corpora = (tmp_path / "voices/manifest.csv", other)
    guess = model(answering("{path},{'male' if 'slt_fox' in path else 'female'},0.6"), name="guess")
    assert bench(guess, corpora=corpora).returncode == 1
    done = bench("models/default", corpora=corpora)
    assert done.returncode == 1 and done.stderr.count("\n") == 2  # copies, and what is broken
    assert f"{tmp_path}/other/broken.wav: found" in done.stderr
    default, answers = read(tmp_path, "default")
    assert default["n"] == 10 and default["corpora"]["other"]["unreadable"] == 1
    assert default["speakers"].startswith("speakers shared with training 0 of ")
    page = (tmp_path / "out/index.html").read_text()
    for text in ("default", "guess", "AURC", "By pitch", "risk_coverage.png", "reliability.png"):
        assert text in page
    assert all((tmp_path / "out" / name).stat().st_size > 9_000
               for name in ("risk_coverage.png", "reliability.png"))
    (difference,) = csv.DictReader((tmp_path / "out/differences.csv").open())
    uar = {name: read(tmp_path, name)[0]["mean_over_corpora"]["uar"]["value"]
           for name in ("default", "guess")}
    assert difference["first"] == "default" and difference["second"] == "guess"
    assert float(difference["value"]) == pytest.approx(uar["default"] - uar["guess"])
    assert float(difference["low"]) <= float(difference["value"]) <= float(difference["high"])
    deployed = script("deploy_model", tmp_path / "voices", "--json", "--quiet")
    expected = {row["path"]: row["p_female"] for row in json.loads(deployed.stdout)}
    assert {row["path"]: pytest.approx(float(row["p_female"]), abs=1e-4)
            for row in answers if "voices" in row["path"]} == expected


def test_models_of_other_recordings_are_left_out(bench, model, tmp_path):
    other = corpus(tmp_path / "other", NAMES[:2])
    assert bench(model(answering("{path},female,0.9"), name="a"), corpora=(other,)).returncode == 0
    done = bench(model(answering("{path},female,0.9"), name="b"))
    assert done.returncode == 0 and re.search("^1 model,", done.stdout, re.M)
    assert "Differences" not in done.stdout and "Differences" not in (
        tmp_path / "out/index.html").read_text()


def test_corpora_that_share_a_recording_or_a_speaker_are_refused(bench, model, voices, tmp_path):
    rule = model(answering("{path},female,0.9"))
    again = voices.with_name("again.csv")
    again.write_text(voices.read_text().replace("path,", "corpus,path,").replace("\n", "\nx,")[:-2])
    for folder, names in (("a", NAMES), ("b", ["rms_seven", "awb_three"])):
        (tmp_path / folder).mkdir()
        corpus(tmp_path / folder / "data", names)
    same_names = [tmp_path / folder / "data/manifest.csv" for folder in "ab"]
    for corpora, found in (((voices, again), f"{voices.parent}/kal_count.wav"),
                           (same_names, "data:rms")):
        done = bench(rule, corpora=corpora)
        assert done.returncode == 2 and done.stderr.count("\n") == 1
        assert f"found {found} in {corpora[0]} and in {corpora[1]}" in done.stderr


def test_corpora_of_one_name_are_told_apart(bench, model, tmp_path):
    for folder, names in (("a", NAMES[:4]), ("b", NAMES[4:])):
        (tmp_path / folder).mkdir()
        corpus(tmp_path / folder / "data", names)
    assert bench(model(answering("{path},female,0.9")), corpora=[
        tmp_path / folder / "data/manifest.csv" for folder in "ab"]).returncode == 0
    assert {name: part["n"] for name, part in read(tmp_path)[0]["corpora"].items()} == {
        "data": 4, "data_2": 3}


def test_digest_is_of_what_is_said_not_of_where(bench, model, tmp_path):
    """A corpus that lies elsewhere, with its rows in another order, is the same."""
    rule = model(answering("{path},female,0.9"))
    assert bench(rule).returncode == 0
    before = read(tmp_path)[0]["corpora"]["voices"]
    (tmp_path / "elsewhere").mkdir()
    moved = corpus(tmp_path / "elsewhere/voices", NAMES[::-1])
    assert bench(rule, corpora=(moved,)).returncode == 0
    assert read(tmp_path)[0]["corpora"]["voices"] == before
    changed = corpus(tmp_path / "elsewhere/voices", [*NAMES[:-1], "awb_three"])
    bench(rule, corpora=(changed,))
    assert read(tmp_path)[0]["corpora"]["voices"]["sha256"] != before["sha256"]


@pytest.mark.parametrize("models, message", [
    (["no/such/folder"], "no config.json"), (["command:"], "no program"),
    (["command:no-such-program {list}"], "no program"), (["command:'"], "no closing quotation"),
    (["a=command:true", "a=command:false"], "2 models of this name")])
def test_wrong_usage(models, message, bench):
    done = bench(*models)
    assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1


def test_names_of_models(tmp_path):
    from voxsight.evaluation.benchmark.entrants import read_entrants

    names = [one.name for one in read_entrants(
        ["models/default", "command:true {list}", "command:true {paths}", "mine=models/default"])]
    assert names == ["default", "true", "true_2", "mine"]
