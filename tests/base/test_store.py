"""The store: values come back, and never those of another file, setting or version."""

import os

import numpy as np
import pytest

from voxsight.base.store import Store, file_key
from voxsight.errors import UsageError


def test_arrays_come_back_as_they_were(tmp_path, rng):
    arrays = {"embedding": rng.normal(size=(3, 4)).astype(np.float32), "speech_s": np.float64(1.5),
              "nothing": np.zeros((0, 2)), "letters": np.frombuffer(b"{}", np.uint8)}
    with Store(tmp_path / "cache") as store:
        store.put("key", arrays)
    with Store(tmp_path / "cache") as store:
        kept = store.get("key")
        assert "key" in store and "another" not in store and store.get("another") is None
    assert set(kept) == set(arrays)
    for name, values in arrays.items():
        assert kept[name].dtype == np.asarray(values).dtype
        np.testing.assert_array_equal(kept[name], values)


def test_a_value_is_replaced_as_a_whole(tmp_path):
    with Store(tmp_path) as store:
        store.put("key", {"a": np.arange(3), "b": np.arange(2)})
        store.put("key", {"a": np.arange(1)})
        assert list(store.get("key")) == ["a"]


def test_two_runs_share_a_store(tmp_path):
    with Store(tmp_path) as one, Store(tmp_path) as other:
        one.put("one", {"x": np.ones(1)})
        other.put("other", {"x": np.ones(2)})
        assert "other" in one and "one" in other


def test_a_file_that_is_no_store_is_told_with_the_remedy(tmp_path):
    (tmp_path / "store.sqlite").write_bytes(b"garbage " * 200)
    with pytest.raises(UsageError, match=r"store\.sqlite: .*delete it or name another folder"):
        Store(tmp_path)


def test_what_cannot_be_written_is_told(tmp_path):
    with Store(tmp_path) as store:
        store._database.execute("PRAGMA query_only = on")  # root may write into read-only files
        with pytest.raises(UsageError, match="readonly"):
            store.put("key", {"a": np.arange(3)})


@pytest.mark.parametrize("change", ["content", "time", "kind", "version", "settings", "path"])
def test_a_key_changes_with_all_that_shapes_the_value(change, tmp_path):
    path = tmp_path / "me.wav"
    path.write_bytes(b"one voice")
    key = file_key(path, "embedding", 1, "resemblyzer", [("layer", 3)])
    assert key == file_key(path, "embedding", 1, "resemblyzer", [("layer", 3)])
    kind, version, settings = "embedding", 1, [("layer", 3)]
    if change == "content":
        stamp = os.stat(path).st_mtime_ns
        path.write_bytes(b"another voice")
        os.utime(path, ns=(stamp, stamp))
    elif change == "time":
        os.utime(path, ns=(1, 1))
    elif change == "kind":
        kind = "chunks"
    elif change == "version":
        version = 2
    elif change == "settings":
        settings = [("layer", 4)]
    else:
        path = path.rename(tmp_path / "you.wav")
    assert file_key(path, kind, version, "resemblyzer", settings) != key
