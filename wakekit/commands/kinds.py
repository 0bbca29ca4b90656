"""`wakekit kinds`: say what a component of each kind must be."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from wakekit.contracts import contract, contracts, summary
from wakekit.listing import known_kind

if TYPE_CHECKING:
    import argparse


def command(options: argparse.Namespace) -> int:
    """Carry out the command; return its exit code."""
    if options.all:
        print(contracts(), end="")
    elif options.kind:
        print(contract(known_kind(options.kind)))
    else:
        print(summary(sys.stdout))
    return 0
