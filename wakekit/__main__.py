"""`python -m wakekit` is `wakekit`."""

from __future__ import annotations

import sys

from wakekit.cli import main

sys.exit(main())
