import pytest

from voxsight.base import files


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


@pytest.mark.parametrize("values", [{}, {"a": "b"}, {'q"\n': "\udcff\u00fc/x", "b": "", "c": "d"}])
def test_pairs_are_written_as_the_dictionary_would_be(values, tmp_path):
    files.write_json(tmp_path / "whole", values)
    files.write_json_pairs(tmp_path / "pairs", iter(values.items()))
    assert (tmp_path / "pairs").read_bytes() == (tmp_path / "whole").read_bytes()
