"""What a shell is offered when one presses the tab key: recipes, kinds, components, plugins, runs, keys to set.

argcomplete does the talking with the shell. Nothing is imported that a candidate does not need, a component never: the
options of one are read in its source. Whatever goes wrong, there are no candidates rather than an error.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
from contextlib import redirect_stderr
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import argcomplete
from argcomplete.shell_integration import shellcode

from wakekit.kinds import KINDS, SLOTS
from wakekit.layers import read_layers, shipped_recipes
from wakekit.merging import CONDITIONS
from wakekit.registry import Registry, installed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Candidates = Callable[[str, argparse.Namespace], Iterable[str]]

_SHIPPED = "wakekit:"
_CORE = ("audio", "window", "compose", "operating_point", "plugins")
_SLOTS = {slot.key: slot for slot in SLOTS}
_FINISHED = ("metrics.json", "folds.json")
# zsh: of a line with several commands, the words of the one that is being typed, rather than the whole of it.
_IN_ZSH = {
    'COMP_LINE="$BUFFER"': 'COMP_LINE="${(j: :)words[1,CURRENT]}"',
    'COMP_POINT="$CURSOR"': (
        'COMP_POINT="$(( ${#${(j: :)words[1,CURRENT]}} - ${#SUFFIX} - ${#ISUFFIX} - ${#QISUFFIX} ))"'
    ),
}
# What the shell shows next must be typed first: these end a candidate that is not whole.
_MORE = (".", "/", ":", "=")


def complete(
    parser: argparse.ArgumentParser, *, answer: TextIO | None = None, leave: Callable[[int], object] = os._exit
) -> None:
    """Answer the shell that started this process to ask for candidates, and end the process with `leave`.

    The answer goes where the shell reads it, unless it is to go elsewhere.
    """
    for command in _all_parsers(parser):
        for action in command._actions:  # noqa: SLF001
            found = _COMPLETERS.get(action.dest) or _COMPLETERS.get(str(action.metavar))
            if found is not None and action.choices is None:
                action.completer = _Completer(found)  # type: ignore[attr-defined]
    # What plugins have to say while they are imported belongs to a command that is carried out.
    with Path(os.devnull).open("w", encoding="utf-8") as silence, redirect_stderr(silence):
        argcomplete.autocomplete(parser, always_complete_options=False, exit_method=leave, output_stream=answer)


def _all_parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:  # noqa: SLF001
        for inner in (action.choices or {}).values() if isinstance(action, argparse._SubParsersAction) else ():  # noqa: SLF001
            yield from _all_parsers(inner)


class _Completer:
    """Calls a function as argcomplete wants it; a mistake of whatever kind means no candidates."""

    def __init__(self, function: Candidates) -> None:
        self.function = function

    def __call__(self, *, prefix: str, parsed_args: argparse.Namespace, **_: object) -> list[str]:
        try:
            return _grown(lambda start: self.function(start, parsed_args), prefix)
        except Exception:  # noqa: BLE001
            return []


def _grown(candidates: Callable[[str], Iterable[str]], prefix: str) -> list[str]:
    """Return the candidates; where the only one needs more to be typed, what may come after it."""
    found = _starting(candidates(prefix), prefix)
    while len(found) == 1 and found[0].endswith(_MORE) and found[0] != prefix:
        prefix = found[0]
        further = _starting(candidates(prefix), prefix)
        if not further:
            break
        found = further
    return found


def _starting(words: Iterable[str], prefix: str) -> list[str]:
    return sorted({word for word in words if word.startswith(prefix)})


def _registry(options: argparse.Namespace) -> Registry:
    return installed(getattr(options, "disable_plugin", None) or ())


def _kinds(_prefix: str, _options: argparse.Namespace) -> Iterable[str]:
    return KINDS


def _plugins(_prefix: str, _options: argparse.Namespace) -> Iterable[str]:
    return [plugin.name for plugin in installed().plugins]


def _names(kind: str, options: argparse.Namespace) -> list[str]:
    registry = _registry(options)
    return [registry.name_of(entry) for entry in registry.entries(kind)]


def _components(_prefix: str, options: argparse.Namespace) -> Iterable[str]:
    return _names(options.kind, options) if options.command == "components" else ()


def _recipes(prefix: str, _options: argparse.Namespace) -> Iterator[str]:
    """Yield recipe files and folders, and below `wakekit:` the shipped ones."""
    if prefix.startswith(_SHIPPED):
        root = shipped_recipes()
        inner, _, _ = prefix.removeprefix(_SHIPPED).rpartition("/")
        for path in (root / inner).iterdir():
            name = f"{_SHIPPED}{path.relative_to(root).with_suffix('').as_posix()}"
            if path.is_dir():
                yield f"{name}/"
            elif path.suffix == ".toml":
                yield name
        return
    yield _SHIPPED
    for name, path in _listed(prefix):
        if path.is_dir():
            yield f"{name}/"
        elif path.suffix == ".toml":
            yield name


def _runs(prefix: str, _options: argparse.Namespace) -> Iterator[str]:
    """Yield folders of finished runs, and other folders to look in."""
    starts = [prefix] if prefix else ["", "runs/"]
    for start in starts:
        for name, path in _listed(start):
            if any((path / file).is_file() for file in _FINISHED):
                yield name
            elif path.is_dir() and (name != "runs" or prefix):
                yield f"{name}/"


def _listed(prefix: str) -> Iterator[tuple[str, Path]]:
    """Yield what lies in the folder that a prefix names, hidden things only where they are asked for."""
    folder, slash, begun = prefix.rpartition("/")
    folder += slash
    for path in Path(folder or ".").expanduser().iterdir():
        if begun.startswith(".") or not path.name.startswith("."):
            yield folder + path.name, path


def _changes(prefix: str, options: argparse.Namespace) -> Iterable[str]:
    """Return `key=` and, after the sign, values: components of a kind, true and false, choices."""
    key, equals, _ = prefix.partition("=")
    if equals:
        return [f"{key}={value}" for value in _values(key, options)]
    return _keys(prefix, _tree(options), end="=")


def _drops(prefix: str, options: argparse.Namespace) -> Iterable[str]:
    return _keys(prefix, _written(options), end="")


def _keys(prefix: str, tree: dict[str, Any], *, end: str) -> Iterator[str]:
    """Yield the keys at the level of the tables that a prefix has come to."""
    *outer, _ = prefix.split(".")
    for name in outer:
        tree = tree[name]
    above = "".join(f"{name}." for name in outer)
    for key, below in tree.items():
        bare = key if re.fullmatch(r"[\w-]+", key) else f'"{key}"'
        component = not outer and key in _SLOTS and not _SLOTS[key].many
        listed = len(outer) == 1 and outer[0] in _SLOTS and _SLOTS[outer[0]].many
        if not isinstance(below, dict) or component or listed or not end:
            yield f"{above}{bare}{end}"
        if isinstance(below, dict) and below:
            yield f"{above}{bare}."


def _values(key: str, options: argparse.Namespace) -> Iterable[str]:
    *outer, last = key.split(".")
    path = outer if last == "type" else [*outer, last]
    if path[:1] == [CONDITIONS]:
        path = path[2:]
    slot = _SLOTS.get(path[0]) if path else None
    if slot is not None and len(path) == (2 if slot.many else 1):
        return _names(slot.kind, options)
    held: Any = _settings()
    for name in (*outer, last):
        held = held.get(name) if isinstance(held, dict) else None
    return held or ()


def _tree(options: argparse.Namespace) -> dict[str, Any]:
    """Return the keys that may be set as tables within tables: the core's own, every slot, what the recipe has."""
    tree: dict[str, Any] = {**_settings()}
    written, registry = _written(options), _registry(options)
    for key, slot in _SLOTS.items():
        held = _table(written.get(key))
        if slot.many:
            tree[key] = {name: _options(registry, slot.kind, table) for name, table in held.items()}
        else:
            implied = slot.implied or key not in written
            tree[key] = _options(registry, slot.kind, {"type": slot.neutral, **held} if implied else held)
    if CONDITIONS in written:
        tree[CONDITIONS] = {name: _condition(registry, table) for name, table in _table(written[CONDITIONS]).items()}
    return tree


def _condition(registry: Registry, table: object) -> dict[str, Any]:
    written = _table(table)
    changed = _table(written.get("augmentations"))
    return {
        **written,
        "augmentations": {name: _options(registry, "augmentation", held) for name, held in changed.items()},
        "seed": None,
    }


def _table(value: object) -> dict[str, Any]:
    """Return what a recipe has where a table belongs, an empty one where it has something else."""
    return value if isinstance(value, dict) else {}


def _written(options: argparse.Namespace) -> dict[str, Any]:
    """Return the tables of the recipe that was typed, with its bases."""
    named = getattr(options, "recipe", None)
    try:
        return read_layers(named).table if named else {}
    except Exception:  # noqa: BLE001
        return {}


def _settings() -> dict[str, Any]:
    """Return the core's own keys; what stands for one are its choices."""
    import attrs  # noqa: PLC0415

    from wakekit.options import option_info  # noqa: PLC0415
    from wakekit.settings import Audio, Compose, Plugins, Settings, Target, Window  # noqa: PLC0415

    def choices(field: attrs.Attribute[Any]) -> tuple[str, ...]:
        if isinstance(field.default, bool):
            return ("false", "true")
        return tuple(str(one) for one in option_info(field).choices or () if one != "")

    def of(owner: type) -> dict[str, Any]:
        return {field.name: choices(field) for field in attrs.fields(owner) if field.init}

    tables = dict(zip(_CORE, (Audio, Window, Compose, Target, Plugins), strict=True))
    return {key: of(tables[key]) if key in tables else held for key, held in of(Settings).items()}


def _options(registry: Registry, kind: str, table: object) -> dict[str, Any]:
    """Return the options of the component that a table names, and what else the table has."""
    written = _table(table)
    try:
        target = registry.find(kind, str(written.get("type"))).component.target
        found = dict.fromkeys(_fields(target))
    except Exception:  # noqa: BLE001
        found = {}
    return {**found, **written, "type": None}


def _fields(target: str) -> list[str]:
    """Return the fields of a class, as its source declares them."""
    module, _, name = target.partition(":")
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        return []
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
    declared = [item for node in classes for item in node.body if isinstance(item, ast.AnnAssign)]
    return [
        item.target.id
        for item in declared
        if isinstance(item.target, ast.Name) and "ClassVar" not in ast.unparse(item.annotation)
    ]


# By the name of an argument, or by what it is called in the help.
_COMPLETERS: dict[str, Candidates] = {
    "changes": _changes,
    "drops": _drops,
    "disable_plugin": _plugins,
    "name": _components,
    "KIND": _kinds,
    "RECIPE": _recipes,
    "RUN": _runs,
}


def shell_script(shell: str) -> str:
    """Return what a shell is to read, once, to complete `wakekit`."""
    script = str(shellcode(["wakekit"], shell=shell)).strip()
    for written, better in _IN_ZSH.items():
        script = script.replace(written, better)
    return script


def print_script(shell: str, stream: TextIO) -> None:
    """Write the script of a shell, after what to do with it."""
    stream.write(f"# {_USES[shell]}\n{shell_script(shell)}\n")


_USES = {
    "bash": 'in ~/.bashrc: eval "$(wakekit completion bash)"',
    "zsh": 'in ~/.zshrc, after compinit: eval "$(wakekit completion zsh)"',
    "fish": "once: wakekit completion fish > ~/.config/fish/completions/wakekit.fish",
}
