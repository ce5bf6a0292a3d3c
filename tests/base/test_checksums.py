import json

import pytest

from voxsight.base import checksums


def test_digests_show_any_change(tmp_path):
    (tmp_path / "weights").write_bytes(b"abc")
    checksums.write_checksummed_json(tmp_path / "c.json", {"a": [1, 0.1], "b": "\u00fc"},
                                     ["weights"])
    assert checksums.read_checksummed_json(tmp_path / "c.json", files_too=True) == {"a": [1, 0.1],
                                                                                    "b": "\u00fc"}
    text = (tmp_path / "c.json").read_text()
    for changed in (text.replace("0.1", "0.2"), text.replace('"a"', '"c"'),
                    json.dumps({"a": [1, 0.1], "sha256": {}})):
        (tmp_path / "c.json").write_text(changed)
        with pytest.raises(ValueError, match="not as it was written"):
            checksums.read_checksummed_json(tmp_path / "c.json")
    (tmp_path / "c.json").write_text(text)
    (tmp_path / "weights").write_bytes(b"abcd")
    checksums.read_checksummed_json(tmp_path / "c.json")
    with pytest.raises(ValueError, match="weights is not as it was written"):
        checksums.read_checksummed_json(tmp_path / "c.json", files_too=True)
