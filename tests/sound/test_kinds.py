"""Every kind of file that people report is heard as the ``ffmpeg`` command hears it."""

import os
import shutil

import numpy as np
import pytest
from kinds import AS_FFMPEG, HOSTILE, KINDS, UNTOLD, Kind, Workshop, seconds_by_ffmpeg

from voxsight.errors import RecordingError
from voxsight.sound.recording import Recording

LOSS_S = 0.3  # a loss of this length must be told, where the length is known


@pytest.fixture
def workshop(tmp_path):
    lacking = [tool for tool in ("ffmpeg", "sox") if not shutil.which(tool)]
    if lacking and os.environ.get("VOXSIGHT_REQUIRE_AUDIO"):
        pytest.fail(f"{lacking[0]} is not installed")
    if lacking:
        pytest.skip(f"{lacking[0]} is not installed")
    return Workshop(tmp_path)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_kind_of_file_is_heard(kind: Kind, workshop):
    path = kind.make(workshop)
    heard_s = (seconds_by_ffmpeg(path) if kind.heard == AS_FFMPEG
               else kind.heard * workshop.seconds)
    if not heard_s:  # its index is gone
        with pytest.raises(RecordingError):
            Recording(path).read()
        return
    recording = Recording(path)
    samples = np.concatenate(list(recording.blocks()))
    assert len(samples) == round(recording.heard_s * recording.rate)
    assert recording.heard_s == pytest.approx(heard_s, abs=kind.within_s)
    assert recording.duration_s >= recording.heard_s
    if kind.missing is not UNTOLD:
        assert bool(recording.missing) == kind.missing, recording.missing
    if kind.length:
        length_s = kind.length * workshop.seconds
        assert recording.duration_s == pytest.approx(length_s, abs=0.2)
        assert bool(recording.missing) or heard_s > length_s - LOSS_S
    if kind.heard >= 1:  # undamaged, and as loud as the talk, but for ffmpeg's -3 dB in stereo
        level = np.sqrt(np.mean(np.square(workshop.samples / 32768)))
        assert 0.6 * level < np.sqrt(np.mean(np.square(samples))) < 1.1 * level


@pytest.mark.parametrize("name", HOSTILE)
def test_what_names_other_files_is_refused(name, workshop):
    path = workshop.write(name, HOSTILE[name].format(workshop.talk).encode())
    with pytest.raises(RecordingError):
        Recording(path).read()
