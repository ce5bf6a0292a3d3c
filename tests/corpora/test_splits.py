from collections import Counter

import numpy as np
import pytest

from voxsight.corpora import splits
from voxsight.errors import UsageError


@pytest.fixture
def people(rng):
    names = np.array([f"s{i}" for i in rng.integers(0, 40, 900)])
    genders = np.array(["male" if int(name[1:]) % 4 else "female" for name in names])
    return names, genders


def test_by_speaker_nobody_is_on_both_sides(people):
    names, genders = people
    train, valid = splits.split(names, genders, "speaker", 0.25, seed=1)
    assert not set(names[train]) & set(names[valid])
    assert sorted([*train, *valid]) == list(range(900))
    for gender in ("female", "male"):
        everyone = len(set(names[genders == gender]))
        chosen = len(set(names[valid][genders[valid] == gender]))
        assert chosen == pytest.approx(everyone / 4, abs=1)
    assert splits.shared_speakers(names[train], names[valid]) == "speakers shared 0 of 40"


def test_random_shares_speakers_and_says_so(people):
    names, genders = people
    train, valid = splits.split(names, genders, "random", 0.2, seed=1)
    assert len(valid) == 180
    assert splits.shared_speakers(names[train], names[valid]) == "speakers shared 40 of 40"


def test_seeds_differ_and_repeat(people):
    one, again, two = (splits.split(*people, "random", 0.2, seed=s)[1] for s in (1, 1, 2))
    assert one.tolist() == again.tolist() != two.tolist()


def test_folds_are_disjoint_and_complete(people):
    names, genders = people
    seen = Counter()
    for fold in range(5):
        train, valid = splits.split(names, genders, f"fold:{fold}")
        assert not set(names[train]) & set(names[valid])
        seen.update(set(names[valid]))
    assert set(seen.values()) == {1} and len(seen) == 40
    assert len(splits.split(names, genders, "fold:9/10")[1])


def test_chapters_stay_together_and_share_speakers(people):
    names, genders = people
    chapters = [f"{name}-{i % 3}" for i, name in enumerate(names)]
    train, valid = splits.split(names, genders, "chapter", 0.3, chapters=chapters)
    assert not {chapters[i] for i in train} & {chapters[i] for i in valid}
    assert set(names[train]) & set(names[valid])
    with pytest.raises(UsageError, match="chapter is not known"):
        splits.split(names, genders, "chapter", 0.3, chapters=[None] * 900)


def test_folds_of_the_audiomnist_paper():
    """12, 6 and 6 of 24 speakers, each tested once; half of each part is female."""
    females = {"12", "26", "28", "36", "43", "47", "52", "56", "57", "58", "59", "60"}
    tested = Counter()
    names = np.array([f"audiomnist:{i:02}" for i in range(1, 61)])
    genders = ["female" if name[-2:].lstrip("0") in females else "male" for name in names]
    for fold, (trained, validating, testing) in enumerate(splits.PAPER_FOLDS):
        assert [len(trained), len(validating), len(testing)] == [12, 6, 6]
        assert len({*trained, *validating, *testing}) == 24
        for part in (trained, validating, testing):
            assert 2 * len(set(part) & females) == len(part)
        tested.update(testing)
        train, test = splits.split(names, genders, f"paper:{fold}/test")
        assert sorted(names[train]) == sorted(f"audiomnist:{int(i):02}" for i in trained)
        assert sorted(names[test]) == sorted(f"audiomnist:{int(i):02}" for i in testing)
        assert len(splits.split(names, genders, f"paper:{fold}")[1]) == 6
    assert len(tested) == 24 and set(tested.values()) == {1}


@pytest.mark.parametrize("rule", ["fold:5", "fold:x", "fold:3/3", "fold:0/1", "halves",
                                  "paper:4", "paper:0/none"])
def test_unknown_rules(people, rule):
    with pytest.raises(UsageError, match=f"--split {rule}: expected"):
        splits.split(*people, rule)


def test_a_side_without_a_gender_is_refused():
    with pytest.raises(UsageError, match="would hold"):
        splits.split(["a", "b"], ["female", "male"], "speaker", 0.5)


def test_who_has_a_recording_on_the_other_side_is_shared(tmp_path):
    for name, sound in (("a", b"one"), ("b", b"two"), ("copy_of_a", b"one"), ("c", b"three")):
        (tmp_path / name).write_bytes(sound)
    at = {name: str(tmp_path / name) for name in ("a", "b", "copy_of_a", "c", "gone")}
    found = splits.shared_speakers(
        ["x:a", "x:b", "x:d"], ["y:a", "y:c", "y:e"], train_paths=[at["a"], at["b"], at["gone"]],
        valid_paths=[at["copy_of_a"], at["c"], at["gone"]])
    assert found == "speakers shared 1 of 6"
