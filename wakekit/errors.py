"""The errors a user can cause, each with the exit code that the command line returns for it.

A message is one sentence that says what is wrong, where, and what to do; the command line prints it without a
traceback.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from wakekit.widths import beginning, width_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from importlib.metadata import EntryPoint

_TAB = 4
_WIDEST = 160
_NARROWEST = 20
_INDENT = "    "
_LONGEST = 400


def counted(count: int, noun: str) -> str:
    """Return a noun with how many there are, as in `1 check` and `20 checks`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def an(noun: str) -> str:
    """Return a noun with its article, as in `an optimizer`."""
    return f"{'an' if noun[:1] in tuple('aeiou') else 'a'} {noun}"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known name that a misspelt one may be meant for, whatever its capitals; None where there is none."""
    from difflib import get_close_matches  # noqa: PLC0415

    names = list(known)
    near = get_close_matches(word, names, n=1) or get_close_matches(word.lower(), names, n=1)
    return near[0] if near else None


class WakekitError(Exception):
    """A run that cannot go on: bad audio, no data, a target that makes no sense."""

    exit_code = 1


class PluginError(WakekitError):
    """A plugin that is broken, missing or ambiguous."""

    exit_code = 3


@contextmanager
def blaming(component: str) -> Iterator[None]:
    """Turn what a component raises, SystemExit included, into a PluginError that names it and the line it came from.

    What says already what is wrong for a user passes: WakekitError and OSError. A pipe that broke does not, as it would
    end the command without a word.
    """
    try:
        yield
    except (WakekitError, OSError) as error:
        if not isinstance(error, BrokenPipeError):
            raise
        raise failure(component, error) from error
    except (Exception, SystemExit) as error:
        raise failure(component, error) from error


def who(kind: str, component: object, name: str = "") -> str:
    """Return what errors call a component whose value is at hand; `name` is its id in the recipe, where it has one."""
    cls = type(component)
    itself = f"{cls.__name__} of {cls.__module__}"
    return f"{kind} {name} ({itself})" if name else f"{kind} {itself}"


def abridged(answer: object) -> str:
    """Return the beginning of a wrong answer, on one line, for an error that tells of it."""
    try:
        return printable(" ".join(f"{answer!r:.240}".split()))[:80]
    except Exception:  # noqa: BLE001 - what it is says enough
        return an(type(answer).__name__)


def system_said(error: OSError) -> str:
    """Return what the operating system refused as one sentence, with who asked for it where that was noted."""
    return "; ".join([f"{error.filename or 'the system says'}: {error.strerror or error}", *notes_of(error)])


def notes_of(error: BaseException) -> list[str]:
    """Return what was added to an error on its way."""
    return [str(note) for note in getattr(error, "__notes__", ())]


def failure(component: str, error: BaseException) -> PluginError:
    """Return the error that says what a component raised, and where."""
    return PluginError(f"{component} failed: {in_a_sentence(error)} @ {raised_at(error)}")


def in_a_sentence(error: BaseException) -> str:
    """Return what was raised as one line, also where it cannot say what is wrong."""
    text, kind = "", printable(type(error).__name__)
    with suppress(Exception):
        text = printable(" ".join(str(error).split()))
    return f"{kind}: {text}" if text else kind


def printable(text: str) -> str:
    """Return a text as one line that can be printed anywhere: what cannot is written as its escape, much is cut."""
    text = escaped(text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def escaped(text: str) -> str:
    """Return a line with what cannot be printed written as its escape."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def raised_at(error: BaseException) -> str:
    """Return the file and line that an error comes from, as its author can mend it.

    That is the last one of a plugin, or of what is no installed package; wakekit's own plugins come after all others,
    then anything else.
    """
    from pathlib import Path  # noqa: PLC0415 - only where something failed
    from traceback import walk_tb  # noqa: PLC0415

    others = ("<", *(f"{Path(file).parent}{os.sep}" for file in (__file__, os.__file__)))
    own, strange = _plugin_packages()
    theirs, ours, place = None, None, ""
    for frame, line in walk_tb(error.__traceback__):
        file = frame.f_code.co_filename
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        place = f"{file}:{line}"
        if package in own:
            ours = place
        elif package in strange or not (file.startswith(others) or "-packages" in file):
            theirs = place
    return theirs or ours or place


def _plugin_packages() -> tuple[set[str], set[str]]:
    """Return the packages of the plugins that come with wakekit, and those of all others."""
    from importlib.metadata import entry_points  # noqa: PLC0415

    found: tuple[set[str], set[str]] = set(), set()
    points: Iterable[EntryPoint] = ()
    with suppress(Exception):
        points = entry_points(group=__package__)
    for point in points:
        # What names no module is no plugin.
        with suppress(Exception):
            found[point.dist is None or point.dist.name != __package__].add(point.module.partition(".")[0])
    return found


class Problem:
    """One mistake in a recipe: the path of the key it concerns and what is wrong with it.

    `path` holds table keys and array positions, as in `("metrics", "eer", "type")`. `on_key` says whether the key
    itself is wrong (unknown, missing) rather than its value. `message` is the whole sentence; `suggestion` is what to
    write instead, bare, where that is known. `missing` says that something is not there which ought to be.
    """

    __slots__ = ("message", "missing", "on_key", "path", "suggestion")

    def __init__(
        self,
        path: Sequence[str | int],
        message: str,
        *,
        on_key: bool = False,
        suggestion: str | None = None,
        missing: bool = False,
    ) -> None:
        self.path = tuple(path)
        self.message = message
        self.on_key = on_key
        self.suggestion = suggestion
        self.missing = missing

    def under(self, *prefix: str | int) -> Problem:
        """Return the same problem seen from an outer table."""
        return self.moved((*prefix, *self.path))

    def moved(self, path: Sequence[str | int], message: str | None = None) -> Problem:
        """Return the same problem at another path, perhaps in other words."""
        words = self.message if message is None else message
        return Problem(path, words, on_key=self.on_key, suggestion=self.suggestion, missing=self.missing)

    def __repr__(self) -> str:
        return f"Problem({self.path!r}, {self.message!r})"


class Mistake(NamedTuple):
    """A problem with its place: what editors, scripts and people are told.

    `file` is the recipe's file, or the option as typed (`--set lr=3`), and then `line` and `column` are 0; elsewhere
    they count from 1. `path` is the dotted key, `source` the line itself.
    """

    file: str
    line: int
    column: int
    path: str
    message: str
    suggestion: str | None = None
    source: str = ""

    @property
    def text(self) -> str:
        """The mistake on one line, as in `recipe.toml:14:1: normalizer.esp: unknown option …`."""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return ": ".join(part for part in (place, self.path, self.message) if part)

    @property
    def excerpt(self) -> str:
        """The line it stands on and a caret under the place, each indented; empty where there is none."""
        return self.excerpt_within(_WIDEST + len(_INDENT))

    def excerpt_within(self, columns: int) -> str:
        """Return the excerpt in lines of at most so many columns, so that a terminal breaks none of them."""
        if not self.line or not self.source.strip():
            return ""
        room = max(min(columns - len(_INDENT), _WIDEST), _NARROWEST)
        before, after = _shown(self.source[: self.column - 1]), _shown(self.source[self.column - 1 :])
        if width_of(before) > room // 2:
            before = f"…{beginning(before[::-1], room // 2)[::-1]}"
        width = width_of(before)
        return f"{_INDENT}{before}{beginning(after, room - width)}\n{_INDENT}{' ' * width}^"

    def __str__(self) -> str:
        return "\n".join(filter(None, (self.text, self.excerpt)))


def _shown(text: str) -> str:
    """Return part of a line with tabs and what cannot be seen replaced, so that a caret stands where it should."""
    return "".join(one if one.isprintable() else " " * _TAB if one == "\t" else "\ufffd" for one in text)


class RecipeError(WakekitError):
    """A recipe that cannot be run, with every mistake found in it.

    `lines` are the mistakes on one line each; the error's own text shows the place in the recipe too. `warnings` are
    what else there is to say about the recipe.
    """

    exit_code = 2

    def __init__(self, mistakes: Sequence[Mistake | str]) -> None:
        self.warnings: tuple[Mistake, ...] = ()
        self.mistakes = tuple(Mistake("", 0, 0, "", one) if isinstance(one, str) else one for one in mistakes)
        super().__init__("\n".join(map(str, self.mistakes)))

    @property
    def lines(self) -> tuple[str, ...]:
        """Every mistake on one line, with its place."""
        return tuple(mistake.text for mistake in self.mistakes)
