"""A probability is not shown where it means nothing."""

import json

import numpy as np
import pytest
import soundfile

from voxsight.answer.live import Moment, status_line
from voxsight.answer.prediction import Prediction


def test_a_tone_has_no_probability_on_the_terminal(script, tmp_path):
    path = tmp_path / "tone.wav"
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 16_000), 16_000)
    said = script("deploy_model", path).stdout
    assert said.split()[:3] == ["no_speech", "p_female", "speech"]
    (row,) = json.loads(script("deploy_model", path, "--json").stdout)
    assert row["label"] == "no_speech" and 0 <= row["p_female"] <= 1, "kept for programs"


@pytest.mark.parametrize(("label", "shown"), [("no_speech", False), ("uncertain", True)])
def test_nor_while_it_is_recorded(label, shown):
    prediction = Prediction("a.wav", label, 0.625, 0.0, 1.0)
    assert ("0.62" in status_line([Moment(1.0, 0.1, prediction)])) == shown
