import json
import subprocess
import sys

import pytest

from voxsight import files
from voxsight.errors import UsageError

HOLD = ("import sys; from voxsight.files import only_writer\n"
        "with only_writer(sys.argv[1]): print('held', flush=True); sys.stdin.read()")


def test_one_run_writes_at_a_time(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    other = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path / "real"], text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout.readline() == "held\n"
    for path in (tmp_path / "real", tmp_path / "link"):
        with pytest.raises(UsageError, match="another run"), files.only_writer(path):
            pass
    with files.only_writer(tmp_path / "elsewhere"):
        pass
    other.kill()
    other.communicate()
    with files.only_writer(tmp_path / "real"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "real"]


def test_what_is_written_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "x.txt"
    with pytest.raises(ZeroDivisionError), files.replacing(path) as temporary:
        temporary.write_text("half")
        1 / 0  # noqa: B018
    assert list(path.parent.iterdir()) == []
    files.write_bytes(path, b"one")
    files.write_bytes(path, b"two")
    assert path.read_bytes() == b"two" and len(list(path.parent.iterdir())) == 1


@pytest.mark.parametrize("name", ["a" * 255, "\u00fc" * 127, "\U0001f642" * 60, "a\udcff" * 120])
def test_long_names_are_cut_and_stay_apart(name, tmp_path):
    cut, other = (files.fitting_name(text) for text in (name, name[:-1]))
    assert cut != other and files.fitting_name("short") == "short"
    (tmp_path / f"{cut}_1234.pictures.jpg").touch()


def test_a_seal_shows_any_change(tmp_path):
    (tmp_path / "weights").write_bytes(b"abc")
    files.write_sealed_json(tmp_path / "c.json", {"a": [1, 0.1], "b": "\u00fc"}, ["weights"])
    assert files.read_sealed_json(tmp_path / "c.json", files_too=True) == {"a": [1, 0.1],
                                                                           "b": "\u00fc"}
    text = (tmp_path / "c.json").read_text()
    for changed in (text.replace("0.1", "0.2"), text.replace('"a"', '"c"'),
                    json.dumps({"a": [1, 0.1], "sha256": {}})):
        (tmp_path / "c.json").write_text(changed)
        with pytest.raises(ValueError, match="not as it was written"):
            files.read_sealed_json(tmp_path / "c.json")
    (tmp_path / "c.json").write_text(text)
    (tmp_path / "weights").write_bytes(b"abcd")
    files.read_sealed_json(tmp_path / "c.json")
    with pytest.raises(ValueError, match="weights is not as it was written"):
        files.read_sealed_json(tmp_path / "c.json", files_too=True)


@pytest.mark.parametrize("values", [{}, {"a": "b"}, {'q"\n': "\udcff\u00fc/x", "b": "", "c": "d"}])
def test_pairs_are_written_as_the_dictionary_would_be(values, tmp_path):
    files.write_json(tmp_path / "whole", values)
    files.write_json_pairs(tmp_path / "pairs", iter(values.items()))
    assert (tmp_path / "pairs").read_bytes() == (tmp_path / "whole").read_bytes()
