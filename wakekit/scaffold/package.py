"""A plugin package to begin with: one component that works, its tests, a recipe that uses it, and what packages need.

Everything is made from templates: those of `templates/package` are the same for all kinds, `templates/kinds` holds a
component of each kind with its test.
"""

from __future__ import annotations

import functools
import tomllib
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import attrs
import jinja2

from wakekit.kinds import SLOTS
from wakekit.scaffold import names

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from wakekit.registry import Registry

_TEMPLATES = "templates"
# Which template makes which file; paths hold the same placeholders as templates.
_FILES = {
    "pyproject.toml": "package/pyproject.toml",
    "README.md": "package/README.md",
    ".gitignore": "package/gitignore",
    ".github/workflows/test.yml": "package/test.yml",
    "src/{{ package }}/__init__.py": "package/init.py",
    "src/{{ package }}/py.typed": "",
    "src/{{ package }}/{{ module }}.py": "kinds/{{ kind }}/component.py",
    "recipes/{{ component }}.toml": "package/recipe.toml",
    "tests/test_{{ module }}.py": "kinds/{{ kind }}/test_component.py",
    "tests/test_conformance.py": "package/test_conformance.py",
    "tests/test_recipes.py": "package/test_recipes.py",
}


@attrs.frozen(kw_only=True)
class Package:
    """What a new plugin package is about; `warnings` are sentences on names that others have already."""

    plugin: str
    kind: str
    component: str
    summary: str
    example: str
    """Options for the conformance checks, as TOML."""
    qualified: bool = False
    """Whether a recipe must name the plugin too, as another one offers a component of the name."""
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def package(self) -> str:
        """The import package."""
        return names.import_name(self.plugin)

    @property
    def module(self) -> str:
        """The component's module."""
        return names.module_name(self.component)

    def files(self) -> dict[str, str]:
        """Return the text of every file by its path."""
        values = self._values()
        return {_filled(path, values): _made(_filled(template, values), values) for path, template in _FILES.items()}

    def _values(self) -> dict[str, Any]:
        slot = next(slot for slot in SLOTS if slot.kind == self.kind)
        # Its test imports the class, beside other names.
        sources = [f"kinds/{self.kind}/{part}.py" for part in ("component", "test_component")]
        return {
            "plugin": self.plugin,
            "package": self.package,
            "kind": self.kind,
            "component": self.component,
            "module": self.module,
            "cls": names.class_name(self.component, "".join(map(_source, sources))),
            "summary": self.summary,
            "example": self.example,
            "table": f"{slot.key}.{self.component}" if slot.many else slot.key,
            "typed": f"{self.plugin}:{self.component}" if self.qualified else self.component,
            "wakekit": supported(version("wakekit")),
        }


def new_package(plugin: str, kind: str, component: str | None, registry: Registry) -> Package:
    """Return a package of a plugin with one component of a kind, the kind's usual one unless it is named.

    Raises ScaffoldError where a name will not do.
    """
    about = tomllib.loads(_source(f"kinds/{names.known_kind(kind)}/about.toml"))
    name = names.plugin_name(plugin, {known.module.partition(":")[0] for known in registry.plugins})
    chosen = names.component_name(component or about["name"])
    notes = [f"{typed} is written {found}" for typed, found in ((plugin, name), (component, chosen)) if typed]
    same = [one.label() for one in registry.plugins if one.is_called(name)]
    rivals = [entry.plugin.label() for entry in registry.entries(kind) if entry.component.name == chosen]
    warnings = [f"a plugin {name} is installed already: {label}" for label in same]
    warnings += [
        f"{label} offers a {kind} {chosen!r} too: recipes must say which, as in {f'{name}:{chosen}'!r}"
        for label in rivals
        if label not in same
    ]
    return Package(
        plugin=name,
        kind=kind,
        component=chosen,
        summary=about["summary"],
        example=about["example"],
        qualified=bool(rivals),
        notes=tuple(note for note in notes if len(set(note.split(" is written "))) > 1),
        warnings=tuple(warnings),
    )


def supported(installed: str) -> str:
    """Return which versions of wakekit a package asks for: the one it was begun with, up to the next first number."""
    major, minor = installed.split(".")[:2]
    return f">={major}.{minor},<{int(major) + 1}"


def _made(template: str, values: dict[str, Any]) -> str:
    return _filled(_source(template), values) if template else ""


def _filled(template: str, values: dict[str, Any]) -> str:
    return _environment().from_string(template).render(values)


@functools.cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(  # noqa: S701 - code and text, no pages
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True, trim_blocks=True
    )


def _source(name: str) -> str:
    """Return a file of the templates; all but those in TOML end in `.j2`, so that no tool takes them for code."""
    folder: Traversable = files(__package__ or "") / _TEMPLATES
    for ending in (".j2", ""):
        path = folder.joinpath(*f"{name}{ending}".split("/"))
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise FileNotFoundError(name)
