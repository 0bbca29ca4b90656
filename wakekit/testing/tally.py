"""What a conformance run comes to: counts per component, failures, and the text that tells of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from wakekit.errors import counted
from wakekit.testing.conformance import EXPECTED, FAILED, PASSED, SKIPPED, Outcome, missing

if TYPE_CHECKING:
    from collections.abc import Sequence

_RAN = {PASSED, FAILED, EXPECTED}


@attrs.frozen
class Tally:
    """All outcomes of a conformance run, and the components that it was about."""

    components: tuple[str, ...]
    outcomes: tuple[Outcome, ...]

    def of(self, component: str) -> tuple[Outcome, ...]:
        """Return the outcomes of one component."""
        return tuple(one for one in self.outcomes if one.component == component)

    @property
    def failures(self) -> tuple[str, ...]:
        """A line per check that failed, and per component that was checked too little."""
        wrong = [f"{one.component}/{one.check}: {one.reason}" for one in self.outcomes if one.state == FAILED]
        return (*wrong, *self.shortfalls)

    @property
    def shortfalls(self) -> tuple[str, ...]:
        """A line per component on which fewer checks ran than its kind asks for."""
        ran = {name: sum(one.state in _RAN for one in self.of(name)) for name in self.components}
        return tuple(filter(None, (missing(name, count) for name, count in ran.items())))

    def text(self) -> str:
        """Return a line per component: how many checks ran, and what did not pass."""
        width = max(map(len, self.components), default=0)
        return "\n".join(line for name in self.components for line in _lines(name, width, self.of(name)))


def _lines(name: str, width: int, outcomes: Sequence[Outcome]) -> list[str]:
    ran = [one for one in outcomes if one.state in _RAN]
    counts = {state: sum(one.state == state for one in outcomes) for state in (FAILED, EXPECTED, SKIPPED)}
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    head = f"{name:<{width}}  {counted(len(ran), 'check')} ran" + (f", {told}" if told else "")
    reasons: dict[tuple[str, str], list[str]] = {}
    for one in outcomes:
        if one.state != PASSED:
            reasons.setdefault((one.state, one.reason), []).append(one.check)
    return [head, *(f"  {', '.join(checks)}: {state}: {reason}" for (state, reason), checks in reasons.items())]
