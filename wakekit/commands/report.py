"""`wakekit report`: write the report of a finished run again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from wakekit.commands.asked import asked_registry
from wakekit.report import saved_report, write_plots, write_report

if TYPE_CHECKING:
    import argparse


def command(options: argparse.Namespace) -> int:
    """Carry out the command; return its exit code."""
    folder = Path(options.folder)
    report = saved_report(asked_registry(options), folder)
    if options.form:
        paths = write_plots(report, folder, options.form)
    else:
        paths = [path for path in (write_report(report, folder),) if path is not None]
    for path in paths:
        print(path)
    if not paths:
        print(f"{folder}: its recipe asks for no report")
    return 0
