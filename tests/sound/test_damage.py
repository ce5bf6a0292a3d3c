import shutil

import pytest
from fuzz_damage import FORMATS, fuzz


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_of_damaged_files_everything_is_heard_that_ffmpeg_hears(tmp_path):
    """A few of the many files that ``fuzz_damage.py`` damages when it is run by hand."""
    assert list(fuzz(2 * len(FORMATS), tmp_path, first=20_000, jobs=2)) == []
