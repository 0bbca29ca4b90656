"""Manifests as files: JSON Lines with one clip, stream or impulse response a line.

Reading is strict, and every mistake is reported with its line; writing keeps all that was read. Paths are relative to
the manifest. A line of kind `manifest`, which only `write_manifest` makes, holds the keyword and the notes.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import attrs

from wakekit.data import Clip, ImpulseResponse, Manifest, Stream, as_json
from wakekit.errors import WakekitError
from wakekit.manifest_line import AUDIO, Header, Line, Pools

_MOST_SHOWN = 20


@attrs.frozen
class Row:
    """A value of a manifest and the line it stands on."""

    line: int
    value: Clip | Stream | ImpulseResponse


def read_manifest(path: Path, *, keyword: str | None = None, pools: Pools | None = None) -> Manifest:
    """Return the manifest in a file; `keyword` and `pools` (see `read_rows`) stand in for what the file does not say.

    Raises WakekitError listing all mistakes, each with its line.
    """
    header, rows = _read(path, pools)
    keyword = keyword or (header.keyword if header else None)
    if keyword is None:
        raise WakekitError(
            f"{path}: expected a line of kind 'manifest' with the keyword, or a keyword for it, got neither"
        )
    values = [row.value for row in rows]
    return Manifest(
        keyword=keyword,
        clips=tuple(value for value in values if isinstance(value, Clip)),
        streams=tuple(value for value in values if isinstance(value, Stream)),
        impulse_responses=tuple(value for value in values if isinstance(value, ImpulseResponse)),
        notes=header.notes if header else (),
    )


def read_rows(path: Path, *, pools: Pools | None = None) -> list[Row]:
    """Return a manifest's rows in order, without its header.

    `pools` gives the pool of a label: a mapping, in which every label must stand, or a function, which returns None for
    a clip to leave out and raises WakekitError for a label it does not take. Without it each clip states its `pool`.
    Raises WakekitError listing all mistakes, each with its line.
    """
    return _read(path, pools)[1]


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write a manifest; audio in the file's folder is named relative to it, other audio by its absolute path."""
    folder = Path(os.path.abspath(path.parent))  # noqa: PTH100  (resolve would follow links)
    lines = [{"kind": "manifest", "keyword": manifest.keyword, "notes": list(manifest.notes)}]
    for kind, values in _by_kind(manifest).items():
        lines += [{"kind": kind, AUDIO: _relative(value.audio, folder), **_stated(value)} for value in values]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    path.write_text(text, encoding="utf-8")


def _by_kind(manifest: Manifest) -> dict[str, tuple[Clip, ...] | tuple[Stream, ...] | tuple[ImpulseResponse, ...]]:
    return {"clip": manifest.clips, "stream": manifest.streams, "impulse_response": manifest.impulse_responses}


def _stated(value: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return what differs from a field's default, as JSON; the audio's path is left out."""
    fields = [field for field in attrs.fields(type(value)) if field.name != "audio"]
    stated = {field.name: getattr(value, field.name) for field in fields if getattr(value, field.name) != field.default}
    events = [_stated(event) for event in stated.pop("events", ())]
    plain: dict[str, Any] = as_json(stated)
    return plain | ({"events": events} if events else {})


def _relative(audio: Path, folder: Path) -> str:
    whole = Path(os.path.abspath(audio))  # noqa: PTH100
    return (whole.relative_to(folder) if whole.is_relative_to(folder) else whole).as_posix()


def _read(path: Path, pools: Pools | None) -> tuple[Header | None, list[Row]]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise WakekitError(f"{path}: expected a manifest in UTF-8 that can be read: {error}") from error
    folder = Path(os.path.abspath(path.parent))  # noqa: PTH100
    header: Header | None = None
    rows: list[Row] = []
    mistakes: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        reader = Line(folder, pools)
        value = reader.read(line)
        mistakes += [f"{path}:{number}: {mistake}" for mistake in reader.mistakes]
        if isinstance(value, Header):
            header = value
        elif value is not None:
            rows.append(Row(number, value))
    if mistakes:
        raise WakekitError("\n".join(listed(mistakes)))
    return header, rows


def listed(mistakes: list[str], *, most: int = _MOST_SHOWN) -> list[str]:
    """Return the first mistakes, and how many more there are."""
    more = len(mistakes) - most
    return mistakes[:most] + ([f"and {more} more"] if more > 0 else [])
