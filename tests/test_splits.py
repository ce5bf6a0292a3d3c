from collections import Counter

import numpy as np
import pytest

from voxsight import splits
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


@pytest.mark.parametrize("rule", ["fold:5", "fold:x", "fold:3/3", "fold:0/1", "chapter"])
def test_unknown_rules(people, rule):
    with pytest.raises(UsageError, match=f"--split {rule}: expected"):
        splits.split(*people, rule)


def test_a_side_without_a_gender_is_refused():
    with pytest.raises(UsageError, match="would hold"):
        splits.split(["a", "b"], ["female", "male"], "speaker", 0.5)
