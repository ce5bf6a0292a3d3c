import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import MY_WAVS, ROOT, as_if_stopped, make_gendered_folder, wait_until
from test_cepstra import published_picture

from voxsight.errors import UsageError
from voxsight.pictures import cepstra, jpeg
from voxsight.pictures.dataset import (
    COLUMNS,
    Picture,
    altered_copies_of,
    read_dataset,
    read_embeddings,
    read_recipe,
    split_pictures,
)
from voxsight.pictures.recipe import RECIPES


def contents(folder):
    """The files of a folder by name, but for what a killed process was in the middle of."""
    return {path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and not path.name.startswith(".tmp-")}


def assert_published(pictures, recipe, stored, root):
    """Pixels equal to the plain chain's, at the offsets that were drawn."""
    for picture in pictures:
        samples = stored[picture.source]
        key = os.path.relpath(picture.source, root)
        front = cepstra.random_leading_zeros(key, len(samples), recipe)
        plain = np.stack([published_picture(samples, front)] * 3, axis=-1)
        np.testing.assert_array_equal(jpeg.decode(picture.path),
                                      jpeg.decode(jpeg.encode(plain, recipe)))


@pytest.fixture
def preprocess(script, tmp_path):
    def run(source, *flags, corpus="folder", name="work"):
        work = tmp_path / name
        done = script("preprocess_wavs", source, "--corpus", corpus, "--out",
                      work / "mfc_dataset", "--maps", work / "maps", *flags)
        return done, work

    return run


def test_the_training_target_of_a_picture():
    said = [Picture("", "", "", *rest).target for rest in (
        ("female", ""), ("male", "", "pitch+room"), ("male", "", "child+room"),
        ("female", "", "child"))]
    assert said == [1.0, 0.0, 0.5, 0.5]
    assert np.isnan(Picture("", "", "", "unlabelled", "", "pitch").target)


def test_altered_and_unlabelled_pictures_in_a_split():
    """Copies follow their recording, and those without a label are trained on."""
    people = [Picture(f"{speaker}{kind}", f"{speaker}.wav", f"s{speaker}",
                      ("female", "male")[speaker % 2], "", kind)
              for speaker in range(10) for kind in ("", "pitch", "child")]
    others = [Picture(f"u{i}", f"u{i}.wav", f"u{i}", "unlabelled", "", kind)
              for i in range(4) for kind in ("", "noise")]
    train, valid = split_pictures(people + others, "speaker", 0.2, 1)
    held_out = {p.source for p in valid}
    assert len(valid) == 2 and not any(p.augmentation for p in valid)
    assert len(train) == 8 * 3 + 8 and not held_out & {p.source for p in train}
    copies = altered_copies_of(people + others, held_out)
    assert [p.augmentation for p in copies] == ["pitch", "pitch"]
    assert {p.source for p in copies} == held_out
    nameless = [Picture(f"n{i}", f"n{i}.wav", f"s{i}", "unlabelled", "") for i in range(10)]
    train, valid = split_pictures(people + nameless, "speaker", 0.2, 1)
    assert not {p.speaker for p in valid} & {p.speaker for p in train}
    assert len(train) == 8 * 3 + 8  # recordings of whom it is known and of whom it is not


def test_unlabelled_recordings(preprocess, gendered_folder, tmp_path):
    voices = sorted(gendered_folder().rglob("*.wav"))[:3]
    (tmp_path / "x.csv").write_text("path,speaker\n" + "".join(f"{v},me\n" for v in voices))
    done, work = preprocess(tmp_path / "x.csv", "--augment", "1", corpus="unlabelled")
    assert done.returncode == 0, done.stderr
    pictures, _ = read_dataset(work)
    assert {p.gender for p in pictures} == {"unlabelled"}
    assert {os.path.basename(p.path).split("_")[0] for p in pictures} == {"unlabelled"}
    assert len([p for p in pictures if p.augmentation]) == len(pictures) / 2
    assert json.loads((work / "maps" / "female.json").read_text()) == {}
    done, _ = preprocess(tmp_path / "x.csv", corpus="csv", name="other")
    assert done.returncode == 2 and "no column gender" in done.stderr


@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("flags", [(), ("--teacher", "resemblyzer")])
def test_what_has_changed_since_is_converted_again(preprocess, gendered_folder, tmp_path, flags,
                                                   stopped):
    """Another voice under an old name, and another label; nothing else is converted again."""
    voices = sorted(gendered_folder(speakers=4).rglob("*.wav"))
    table = tmp_path / "voices.csv"

    def convert(name, mislabelled=()):
        labels = ["male" if "/male/" in str(p) or p in mislabelled else "female" for p in voices]
        table.write_text("path,speaker,gender\n" + "".join(
            f"{path},{path.parent.name},{label}\n" for path, label in zip(voices, labels)))
        return preprocess(table, *flags, corpus="csv", name=name)

    _, work = convert("work", mislabelled=voices[:1])
    if stopped:
        as_if_stopped(work / "mfc_dataset")
    shutil.copy(MY_WAVS / "rms_seven.wav", voices[4])
    done, _ = convert("work")
    assert "; 2 recordings converted, 6 done before" in done.stdout
    again, fresh = (dict(pictures_by_voice(folder)) for folder in (work, convert("fresh")[1]))
    assert again == fresh
    rows = csv.DictReader((work / "mfc_dataset/manifest.csv").read_text().splitlines())
    assert {path.name for path in work.glob("mfc_dataset/*.jpg")} == {r["image"] for r in rows}


def pictures_by_voice(work):
    """Label, JPEG and embedding of each picture, by its recording and time."""
    pictures, _ = read_dataset(work)
    embeddings = [None] * len(pictures)
    if (work / "mfc_dataset/resemblyzer.float16").exists():
        embeddings = map(tuple, read_embeddings(work, "resemblyzer").tolist())
    for picture, embedding in zip(pictures, embeddings, strict=True):
        yield ((picture.source, picture.start_s),
               (picture.gender, Path(picture.path).read_bytes(), embedding))


def test_altered_windows_come_from_around_their_window():
    from voxsight.pictures.conversion import _shifted
    from voxsight.sound.windows import Window

    recipe, rng = RECIPES["voxsight"], np.random.default_rng(0)
    size = recipe.window_samples
    around = np.arange(2 * size, dtype=np.float32)
    window = Window(0.0, 1.0, around[size // 2: size // 2 + size], (), around, size // 2)
    starts = [int(_shifted(around, window, recipe, rng)[0]) for _ in range(200)]
    assert min(starts) < 0.15 * size and max(starts) > 0.85 * size
    assert all(0.1 * size - 1 <= s <= 0.9 * size for s in starts)
    assert all(len(_shifted(around, window, recipe, rng)) == size for _ in range(5))
    short = Window(0.0, 0.1, around[:100], (), around[:100], 0)
    assert len(_shifted(around[:100], short, recipe, rng)) == 100


def test_pictures_manifest_and_maps(preprocess, gendered_folder):
    done, work = preprocess(gendered_folder(), "--augment", "0.5")
    assert done.returncode == 0, done.stderr
    with open(work / "mfc_dataset" / "manifest.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert f"{len(rows)} pictures; 16 recordings converted" in done.stdout
    for gender in ("female", "male"):
        own = [row["image"] for row in rows if row["gender"] == gender]
        assert own == [f"{gender}_{i}.jpg" for i in range(len(own))]
        mapped = json.loads((work / "maps" / f"{gender}.json").read_text())
        assert list(mapped) == [f"mfc_dataset/{name}" for name in own]
        assert all(os.path.isfile(source) for source in mapped.values())
    altered = {row["source"] for row in rows if row["augmentation"]}
    assert 0 < len(altered) < 16
    pictures, recipe = read_dataset(work)
    assert recipe == RECIPES["voxsight"]
    assert jpeg.decode(pictures[0].path).shape == (64, 64, 3)
    assert {p.speaker for p in pictures} == {
        f"corpus:{gender}/{gender[0]}{i}" for gender in ("female", "male") for i in range(4)}


@pytest.mark.slow
def test_any_number_of_processes_writes_the_same(preprocess, gendered_folder):
    corpus = gendered_folder()
    _, one = preprocess(corpus, "--augment", "0.5", "--jobs", "1", name="one")
    _, three = preprocess(corpus, "--augment", "0.5", "--jobs", "3", name="three")
    assert contents(one) == contents(three)


@pytest.fixture(scope="module")
def long_corpus(script, tmp_path_factory):
    """A corpus whose last recording is long enough to be stopped in, and what is made of it."""
    folder = tmp_path_factory.mktemp("long")
    corpus = make_gendered_folder(folder / "corpus", speakers=4)
    samples, rate = soundfile.read(MY_WAVS / "slt_fox.wav", dtype="int16")
    (corpus / "male/z").mkdir()
    soundfile.write(corpus / "male/z/long.wav", np.tile(samples, 150), rate)
    script("preprocess_wavs", corpus, "--corpus", "folder", "--out", folder / "whole/mfc_dataset",
           "--maps", folder / "whole/maps")
    return corpus, contents(folder / "whole")


@pytest.mark.slow
@pytest.mark.parametrize("stop, code", [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)])
def test_a_stopped_run_is_finished_by_the_same_command(preprocess, long_corpus, tmp_path, stop,
                                                       code):
    (corpus, whole), work = long_corpus, tmp_path / "stopped"
    command = [sys.executable, ROOT / "scripts" / "preprocess_wavs.py", corpus, "--corpus",
               "folder", "--out", work / "mfc_dataset", "--maps", work / "maps", "--jobs", "1"]
    partial = work / "mfc_dataset" / "manifest.csv.partial"
    # A shell's background jobs, such as these tests may be, are deaf to Ctrl-C.
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    assert wait_until(lambda: partial.is_file() and partial.read_bytes().count(b"\n") > 6, process)
    process.send_signal(stop)
    _, said = process.communicate()
    assert process.returncode == code and b"Traceback" not in said
    assert not (work / "mfc_dataset" / "manifest.csv").exists()
    with open(partial, "ab") as file:  # as if killed in mid-write
        file.write(b'[["female_99.jpg", "half a li')
    done, _ = preprocess(corpus, name="stopped")
    assert done.returncode == 0, done.stderr
    assert "done before" in done.stdout and " 0 done before" not in done.stdout
    assert contents(work) == whole


@pytest.mark.slow
def test_a_second_corpus_joins_and_other_settings_do_not(preprocess, gendered_folder, tmp_path):
    preprocess(gendered_folder())
    done, work = preprocess(gendered_folder(tmp_path / "second"))
    assert done.returncode == 0
    assert {p.corpus for p in read_dataset(work)[0]} == {"corpus", "second"}
    again, _ = preprocess(tmp_path / "second")
    assert "0 recordings converted, 16 done before" in again.stdout
    refused, _ = preprocess(tmp_path / "second", "--size", "32x32")
    assert refused.returncode == 2
    assert "other settings" in refused.stderr and "Traceback" not in refused.stderr


def test_bad_recordings_cost_nothing_else(preprocess, gendered_folder):
    corpus = gendered_folder()
    (corpus / "female" / "f0" / "empty.wav").touch()
    soundfile.write(corpus / "male" / "m0" / "zeros.wav", np.zeros(16_000), 16_000)
    done, _ = preprocess(corpus)
    assert done.returncode == 1
    assert "16 recordings converted, 0 done before, 2 failed" in done.stdout
    lines = [line for line in done.stderr.splitlines() if ".wav: " in line]
    assert len(lines) == 2 and "empty file" in lines[0] and "zeros only" in lines[1]


def test_audiomnist_layout_gives_the_published_pictures(preprocess, tmp_path, rng):
    data = tmp_path / "AudioMNIST" / "data"
    speakers = {"01": "male", "02": "female"}
    data.mkdir(parents=True)
    (data / "audioMNIST_meta.txt").write_text(
        json.dumps({name: {"gender": gender} for name, gender in speakers.items()}))
    stored = {}
    for speaker in speakers:
        (data / speaker).mkdir()
        for digit in range(3):
            length = int(rng.integers(20_000, 47_998))
            samples = (rng.normal(size=length) * np.hanning(length) * 8000).astype(np.int16)
            path = data / speaker / f"{digit}_{speaker}_0.wav"
            soundfile.write(path, samples, 48_000)
            stored[str(path)] = samples
    done, work = preprocess(data.parent, "--recipe", "audiomnist", corpus="audiomnist")
    assert done.returncode == 0, done.stderr
    pictures, recipe = read_dataset(work)
    assert recipe == RECIPES["audiomnist"] and len(pictures) == 6
    assert_published(pictures, recipe, stored, data.parent)


@pytest.mark.slow
@pytest.mark.corpora
def test_two_hundred_real_digits_give_the_published_pictures(preprocess, corpora, tmp_path):
    """Real words, brought to AudioMNIST's 48 kHz and 16 bit, in its layout."""
    import soxr

    source = corpora / "audiomnist_az" / "data"
    data = tmp_path / "AudioMNIST" / "data"
    shutil.copytree(source, data, ignore=lambda folder, names: [n for n in names if "_" in n
                                                                and n.endswith(".wav")])
    stored = {}
    for path in sorted(source.rglob("*.wav")):
        samples, rate = soundfile.read(path)
        samples = soxr.resample(samples, rate, 48_000)[:47_998]
        samples = np.clip(samples * 32768, -32768, 32767).astype(np.int16)
        target = data / path.relative_to(source)
        soundfile.write(target, samples, 48_000)
        stored[str(target)] = samples
        if len(stored) == 200:
            break
    done, work = preprocess(data.parent, "--recipe", "audiomnist", corpus="audiomnist")
    assert done.returncode == 0, done.stderr
    pictures, recipe = read_dataset(work)
    assert len(pictures) == 200
    assert_published(pictures, recipe, stored, data.parent)


@pytest.mark.corpora
def test_published_pictures_are_a_dataset(corpora):
    pictures, recipe = read_dataset(corpora / "audiomnist_mfc")
    assert len(pictures) == 30_000 and recipe.name == "audiomnist"
    assert len({p.speaker for p in pictures}) == 60


def test_a_dataset_without_its_recipe(tmp_path):
    for content, message in (("{}", "'recipe'"), ("[]", "'recipe'"),
                             ('{"recipe": {"hop": 1}}', "not a recipe")):
        (tmp_path / "recipe.json").write_text(content)
        with pytest.raises(UsageError, match=f"{message}.*make the dataset again"):
            read_recipe(tmp_path)


def test_missing_source_and_wrong_usage(preprocess, tmp_path):
    done, _ = preprocess(tmp_path / "nothing")
    assert done.returncode == 2 and "found nothing there" in done.stderr
    done, _ = preprocess(tmp_path, "--size", "64")
    assert done.returncode == 2 and "expected HxW" in done.stderr
