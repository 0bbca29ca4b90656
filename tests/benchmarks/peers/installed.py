"""Loads one module of an installed package from its file, as importing the package would load much more."""

from __future__ import annotations

import importlib.util
from importlib.metadata import distribution
from pathlib import Path
from typing import Any


def module_of(package: str, path: str) -> Any:
    """Return the module at a path below where the package is installed."""
    place = Path(str(distribution(package).locate_file(path)))
    spec = importlib.util.spec_from_file_location(place.stem, place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
