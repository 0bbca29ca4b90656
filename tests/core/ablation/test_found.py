"""What an ablation warns of when it puts together what was found."""

from __future__ import annotations

import attrs

from tests.core.ablation.simulated import counted
from wakekit.ablation.found import _other_speakers


def test_other_speakers_are_warned_of() -> None:
    """Who is heard can make a difference by itself: variants judged on others than the recipe are named."""
    same = counted([1, 2])
    other = attrs.evolve(same, speakers=tuple(f"{name}-other" for name in same.speakers))
    assert _other_speakers({0: same}, {"a": {0: same}, "b": {}, "c": {1: other}}) == []
    (told,) = _other_speakers({0: same, 1: same}, {"a": {0: same}, "b": {0: same, 1: other}})
    assert told == "judged on other speakers than the recipe, which alone can make a difference: b"
    (told,) = _other_speakers({0: same}, {str(number): {0: other} for number in range(99)})
    assert told.endswith(" more")
    assert len(told) < 200
