"""`answer/batch` hands windows and predictions to writers, and knows nothing of what they write."""

import dataclasses
import shutil

import pytest
from conftest import MY_WAVS

from voxsight.answer.batch import predict_all
from voxsight.answer.writers import Timelines
from voxsight.errors import UsageError


@dataclasses.dataclass(frozen=True)
class Recorded:
    """Writes the order of what it is told to a file for each recording."""

    folder: str

    def begin(self, name, model):
        return _Told(f"{self.folder}/{name}.txt")

    def located(self):
        return self


class _Told:
    def __init__(self, path):
        self.path, self.words = path, []

    def append(self, window):
        self.words.append(f"{window.start_s:.3f} {window.picture.shape} {window.class_maps.shape}")

    def finish(self, prediction):
        with open(self.path, "w") as file:
            file.write("\n".join([*self.words, prediction.label]))


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_writer_gets_every_window_and_then_the_prediction(jobs, tmp_path, tiny_model):
    writers = [Recorded(str(tmp_path))]
    predictions = list(predict_all([str(MY_WAVS)], tiny_model[0], writers=writers, jobs=jobs,
                                   quiet=True))
    told = [path.read_text().splitlines() for path in sorted(tmp_path.iterdir())]
    assert len(told) == len(predictions) == 8
    for prediction, (*windows, label) in zip(predictions, told):
        starts = [float(line.split()[0]) for line in windows]
        assert label == prediction.label and starts == sorted(starts)
        assert windows[0].endswith("(64, 64, 3) (2, 4, 4)")


@pytest.mark.parametrize("names", [
    ("a b", "a_b", "a\u00a0b"), ("tab\there", "line\nbreak", "bell\x07"), ("x/a", "x_a", "X_a"),
    ("\u3000", "\u202f"), (b"latin\xe9".decode(errors="surrogateescape"), "latin")])
def test_joined_rttm_can_be_read(names, tmp_path, tiny_model):
    for name in names:
        (tmp_path / "in" / f"{name}.wav").parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(MY_WAVS / "slt_three.wav", tmp_path / "in" / f"{name}.wav")
    list(predict_all([str(tmp_path / "in")], tiny_model[0], writers=[Timelines(tmp_path / "out")],
                     quiet=True))
    written = list((tmp_path / "out").rglob("*.rttm"))
    lines = [line for path in written for line in path.read_text().splitlines()]
    assert {len(line.split()) for line in lines} == {10}
    assert len({line.split()[1] for line in lines}) == len(written) == len(names)


def test_writers_need_a_picture_network(tmp_path, tiny_model):
    from voxsight.metrics.calibration import Calibration
    from voxsight.network.folder import ClassifierConfig, ModelFolder

    folder = ModelFolder(tiny_model[0])
    folder.config = ClassifierConfig("logistic", {}, Calibration(), {}, {})
    with pytest.raises(UsageError, match="classifier logistic, expected a picture network"):
        next(predict_all([str(MY_WAVS)], folder, writers=[Recorded(str(tmp_path))]))
