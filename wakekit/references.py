"""Fill `${env:NAME}` and `${vars.name}` into a recipe's texts, at once and without evaluating anything."""

from __future__ import annotations

import os
import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from wakekit.errors import Problem
from wakekit.layers import Text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wakekit.merging import KeyPath

VARS = "vars"
_REFERENCE = re.compile(r"\$\{([^}]*)\}")


class _UnfilledError(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class References:
    """Fills references in, and remembers what was wrong with them and which variables were used."""

    def __init__(self, written: object) -> None:
        self.variables: Mapping[str, Any] = written if isinstance(written, dict) else {}
        self.problems: list[Problem] = []
        self.used: set[str] = set()
        self._unknown: set[str] = set()
        self._taken: dict[KeyPath, tuple[str, ...]] = {}
        if not isinstance(written, dict):
            self.problems.append(Problem((VARS,), "expected a table of values to refer to, as in ${vars.name}"))

    def filled(self, value: Any, path: KeyPath) -> Any:  # noqa: ANN401
        """Return a value with its references filled in; those that cannot be become empty, and problems."""
        if isinstance(value, dict):
            return {key: self.filled(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.filled(item, (*path, index)) for index, item in enumerate(value)]
        if isinstance(value, Text) and "${" in value:
            self._taken[path] = tuple(re.findall(r"\$\{vars\.([^}]*)\}", value))
            try:
                return self._expanded(value, ())
            except _UnfilledError as error:
                self.problems.append(error.problem.under(*path))
                return Text.at(value.folder, "")
        return value

    def follows(self, problem: Problem) -> bool:
        """Return whether a problem is with a value that could not be filled in, and so is said already."""
        failed = {known.path for known in self.problems}
        return any(problem.path[:length] in failed for length in range(1, len(problem.path) + 1))

    def behind(self, path: KeyPath) -> tuple[str, ...]:
        """Return the variables that the value at a path was made of."""
        return next((self._taken[path[:end]] for end in range(1, len(path) + 1) if path[:end] in self._taken), ())

    def unused(self) -> list[Problem]:
        """Return the variables that nothing refers to, as what to warn of."""
        return [_unused(name, {*self.used, *self._unknown}) for name in self.variables if name not in self.used]

    def mistyped(self) -> list[Problem]:
        """Return the variables whose names may be meant by references to others that do not exist."""
        return [problem for problem in self.unused() if problem.suggestion in self._unknown]

    def _expanded(self, text: Text, within: tuple[str, ...]) -> Any:  # noqa: ANN401
        """Return a text with its references filled in; one that is nothing but a reference takes the value itself."""
        if "${" in _REFERENCE.sub("", text):
            message = "a reference to a variable is never closed; write ${env:NAME} or ${vars.name}"
            raise _UnfilledError(Problem((), message))
        whole = _REFERENCE.fullmatch(text)
        if whole:
            found = self._lookup(whole[1], within)
            # A path in [vars] is relative to the file that wrote it there.
            return Text.at(text.folder, found) if type(found) is str else found
        return Text.at(text.folder, _REFERENCE.sub(lambda match: str(self._lookup(match[1], within)), text))

    def _lookup(self, reference: str, within: tuple[str, ...]) -> Any:  # noqa: ANN401
        """Return what a reference stands for; raises _UnfilledError where it stands for nothing."""
        if reference.startswith("env:"):
            name = reference.removeprefix("env:")
            if name not in os.environ:
                message = f"the environment variable {name} is not set; set it, as in {name}=… wakekit run …"
                raise _UnfilledError(Problem((), message))
            return os.environ[name]
        name = reference.removeprefix("vars.")
        if not reference.startswith("vars.") or name not in self.variables:
            self._unknown.add(name)
            near = get_close_matches(name, self.variables, n=1)
            how = (
                f"did you mean ${{vars.{near[0]}}}?" if near else "use ${env:NAME} or ${vars.name} with a table [vars]"
            )
            message = f"unknown reference ${{{reference}}}; {how}"
            suggestion = f"${{vars.{near[0]}}}" if near else None
            missing = reference.startswith("vars.")
            raise _UnfilledError(Problem((), message, suggestion=suggestion, missing=missing))
        if name in within:
            message = f"${{vars.{name}}} refers to itself, through {' → '.join([*within, name])}"
            raise _UnfilledError(Problem((), message))
        self.used.add(name)
        found = self.variables[name]
        return self._expanded(found, (*within, name)) if isinstance(found, Text) and "${" in found else found


def _unused(name: str, asked: set[str]) -> Problem:
    near = get_close_matches(name, sorted(asked), n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else "; drop it, or use it"
    message = f"nothing refers to ${{vars.{name}}}{hint}"
    return Problem((VARS, name), message, on_key=True, suggestion=near[0] if near else None)
