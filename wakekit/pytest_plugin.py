"""`pytest --wakekit NAME`: every conformance check on every component of an installed plugin as a test of its own.

Tests of the project run beside them where the command line names files or folders, else the checks run alone.

Imports nothing but pytest until the option is used, because pytest loads it in every project where wakekit is
installed.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from wakekit.testing.conformance import Conformance, Outcome, Task
    from wakekit.testing.tally import Tally

_PROPERTY = "wakekit"
_KIT: pytest.StashKey[_Kit] = pytest.StashKey()


class _Kit:
    """What one run of pytest knows of the checks: the tasks, and the outcomes that its reports brought."""

    def __init__(self, conformance: Conformance) -> None:
        self.conformance = conformance
        self.outcomes: list[Outcome] = []

    def tally(self) -> Tally:
        """Return what the run came to."""
        from wakekit.testing.tally import Tally  # noqa: PLC0415

        components = dict.fromkeys(task.subject.label for task in self.conformance.tasks)
        return Tally(tuple(components), tuple(self.outcomes))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--wakekit`."""
    parser.getgroup("wakekit").addoption(
        "--wakekit",
        action="append",
        default=[],
        metavar="PLUGIN",
        help="run wakekit's conformance checks over this installed plugin, or its distribution (repeatable); "
        "alone, unless files or folders with tests are named too",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Find the plugins' components and the checks that concern them."""
    names = config.getoption("--wakekit")
    if not names:
        return
    from wakekit.errors import WakekitError  # noqa: PLC0415
    from wakekit.testing.conformance import prepare  # noqa: PLC0415
    from wakekit.testing.declared import declared_for  # noqa: PLC0415

    folder = tempfile.TemporaryDirectory(prefix="wakekit-")
    config.add_cleanup(folder.cleanup)
    try:
        conformance = prepare(names, declared_for(names, config.rootpath), Path(folder.name))
        tasks = conformance.tasks
    except WakekitError as error:
        raise pytest.UsageError(str(error)) from error
    if not tasks:
        raise pytest.UsageError("no check concerns any component")
    kit = config.stash[_KIT] = _Kit(conformance)
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args, config.args_source = [], pytest.Config.ArgsSource.ARGS
    if not config.option.collectonly:
        config.pluginmanager.register(_Gatherer(kit), "wakekit-conformance")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add a test for each check of each component."""
    if _KIT in config.stash:
        kit = config.stash[_KIT]
        checks = [
            CheckItem.from_parent(session, name=f"wakekit:{task.key}", nodeid=_node(task), task=task, kit=kit)
            for task in kit.conformance.tasks
        ]
        items += checks
        # So that they are counted among what was collected.
        config.hook.pytest_collectreport(report=pytest.CollectReport("", "passed", None, [*checks]))


def _node(task: Task) -> str:
    """Return an id that groups checks by component, for reports, and for xdist to keep them together."""
    return f"wakekit-conformance::{task.subject.label}::{task.check.name}"


class CheckItem(pytest.Item):
    """One check of one component."""

    def __init__(self, *, task: Task, kit: _Kit, **given: Any) -> None:  # noqa: ANN401
        super().__init__(**given)
        self.task, self.kit = task, kit

    def runtest(self) -> None:
        """Carry the check out."""
        outcome = self.kit.conformance.outcome(self.task)
        told = {
            "component": outcome.component,
            "check": outcome.check,
            "state": outcome.state,
            "reason": outcome.reason,
        }
        self.user_properties.append((_PROPERTY, json.dumps(told)))
        if outcome.state == "skipped":
            pytest.skip(outcome.reason)
        if outcome.state == "failed as expected":
            pytest.xfail(outcome.reason)
        if outcome.state == "failed":
            raise _FailedError(outcome.reason)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:  # noqa: ANN401
        """Return why the check failed, in one sentence and with what it holds."""
        if isinstance(excinfo.value, _FailedError):
            return f"{excinfo.value}\n({self.task.check.help})"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return where the check comes from, for the heading of its failure."""
        return self.path, None, self.task.key


class _FailedError(Exception):
    pass


class _Gatherer:
    """Gathers outcomes from reports, which also come from the worker processes of pytest-xdist."""

    def __init__(self, kit: _Kit) -> None:
        self.kit = kit

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a check came to."""
        from wakekit.testing.conformance import Outcome  # noqa: PLC0415

        if report.when == "call":
            told = [json.loads(str(value)) for name, value in report.user_properties if name == _PROPERTY]
            self.kit.outcomes += [Outcome(**one) for one in told]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail where fewer checks ran than a kind's minimum."""
        good = session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}
        if good and self.kit.tally().shortfalls and not hasattr(session.config, "workerinput"):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell how many checks ran on each component."""
        from wakekit.testing.tally import Tally  # noqa: PLC0415

        tally = self.kit.tally()
        seen = {one.component for one in tally.outcomes}
        some = Tally(tuple(name for name in tally.components if name in seen), tally.outcomes)
        terminalreporter.section("wakekit conformance")
        terminalreporter.line(some.text())
        for line in some.shortfalls:
            terminalreporter.line(f"too few checks: {line}", red=True)
        left = [name for name in tally.components if name not in seen]
        if left:
            terminalreporter.line(f"too few checks: none ran on {', '.join(left)}", red=True)
        if tally.shortfalls:
            terminalreporter.line("a part of the checks proves nothing, so that this run has failed", red=True)
