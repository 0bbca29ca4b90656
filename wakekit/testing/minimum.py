"""How many checks must have run on a component of each kind: a kit that quietly checks less is no kit.

A check that does not concern a component, is left out, or has no device, has not run.
"""

from __future__ import annotations

from wakekit.kinds import KINDS

MINIMUM = dict.fromkeys(KINDS, 14)
