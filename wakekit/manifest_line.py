"""One line of a manifest: which keys it may have, what their values must be, and everything that is wrong with it.

Keys mean the same wherever they stand, so each has one check. Unknown keys are left alone (NeMo has more than we read)
unless they look like a misspelt one.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import attrs

from wakekit.data import POOLS, Clip, Event, ImpulseResponse, Stream
from wakekit.errors import WakekitError

Pools = Callable[[str], str | None] | Mapping[str, str]

AUDIO = "audio_filepath"

_ALIKE = 0.8
_ROUNDING = 0.02  # seconds by which times may pass the end of the audio: manifests round


@attrs.frozen
class Header:
    """What a manifest says as a whole."""

    keyword: str
    notes: tuple[str, ...] = ()


KINDS: dict[str, type] = {"clip": Clip, "stream": Stream, "impulse_response": ImpulseResponse, "manifest": Header}


class Line:
    """Reads one line into its value, gathering `mistakes` on the way."""

    def __init__(self, folder: Path, pools: Pools | None) -> None:
        self.mistakes: list[str] = []
        self._folder = folder
        self._pools = pools

    def read(self, text: str) -> Header | Clip | Stream | ImpulseResponse | None:
        """Return the line's value; None where it has mistakes, or is a clip to leave out."""
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, dict):
            self._wrong(f"expected a JSON object, got {text.strip()[:40]!r}")
            return None
        kind = data.pop("kind", None)
        if not isinstance(kind, str) or kind not in KINDS:
            self._wrong(f"kind: expected one of {', '.join(KINDS)}, got {kind!r}")
            return None
        try:
            value = self._build(KINDS[kind], kind, data)
        except OverflowError:
            self._wrong(f"{kind}: expected numbers of a size that audio has, got one too large")
            return None
        return value if value is not None and self._fits(value) else None

    def _wrong(self, mistake: str) -> None:
        self.mistakes.append(mistake)

    def _build(self, cls: type, name: str, data: Mapping[str, Any]) -> Any:  # noqa: ANN401
        """Return an instance of `cls` from JSON data, or None where something is wrong with it or it is left out."""
        before = len(self.mistakes)
        keys = {AUDIO if field.name == "audio" else field.name: field for field in attrs.fields(cls)}
        given = {key: value for key, value in data.items() if key in keys and value is not None}
        self._guard(name, data, set(keys))
        values = {keys[key].name: self._value(key, value) for key, value in given.items()}
        needed = [key for key, field in keys.items() if field.default is attrs.NOTHING and key != "pool"]
        for key in needed:
            if key not in given:
                self._wrong(f"{name} lacks {key!r}")
        if cls is Clip and isinstance(values.get("label"), str):
            values["pool"] = self._pool(values["label"], values.get("pool"))
            if values["pool"] is None:
                return None
        if cls is Event and self._pools is not None and isinstance(values.get("label"), str):
            self._pool(values["label"], None)
        return cls(**values) if len(self.mistakes) == before else None

    def _guard(self, name: str, data: Mapping[str, Any], keys: set[str]) -> None:
        absent = sorted(keys - data.keys())
        for key in sorted(data.keys() - keys):
            for meant in get_close_matches(key, absent, n=1, cutoff=_ALIKE):
                self._wrong(f"unknown key {key!r} of {name} (did you mean {meant!r}?)")

    def _value(self, key: str, value: Any) -> Any:  # noqa: ANN401
        """Return a key's value as its field holds it; anything at all, after a complaint, where it is wrong."""
        if key == "events":
            rows = value if isinstance(value, list) and all(isinstance(row, dict) for row in value) else None
            if rows is None:
                self._wrong(f"events: expected a list of objects, got {value!r}")
            return tuple(self._build(Event, "event", row) for row in rows or ())
        expected, check = _CHECKS.get(key, _TEXT)
        if not check(value):
            self._wrong(f"{key}: expected {expected}, got {value!r}")
            return None
        if key == AUDIO:
            return Path(os.path.normpath(self._folder / value))
        if isinstance(value, list):
            return tuple(map(float, value)) if key == "word" else tuple(value)
        return float(value) if isinstance(value, int) else value

    def _pool(self, label: str, stated: str | None) -> str | None:
        """Return the pool of a label; None, where need be after a complaint, leaves the clip out."""
        try:
            return self._look_up(label, stated)
        except WakekitError as error:
            self._wrong(str(error))
            return None

    def _look_up(self, label: str, stated: str | None) -> str | None:
        if callable(self._pools):
            return self._pools(label)
        if self._pools is not None and label not in self._pools:
            raise WakekitError(undeclared(label, self._pools))
        if self._pools is None and stated is None:
            raise WakekitError("clip lacks 'pool', and nothing says which pool its label means")
        return stated if self._pools is None else self._pools[label]

    def _fits(self, value: object) -> bool:
        """Check that times lie within the audio."""
        if isinstance(value, Clip) and value.word and value.word[1] > value.duration + _ROUNDING:
            self._wrong(f"word: expected times within the clip's {value.duration:g} s, got {list(value.word)}")
        if isinstance(value, Stream):
            for event in value.events:
                if not event.start < event.end <= value.duration + _ROUNDING:
                    self._wrong(
                        f"events: expected start < end, both within the stream's {value.duration:g} s,"
                        f" got {event.start:g} and {event.end:g}"
                    )
        return not self.mistakes


def undeclared(label: str, known: Mapping[str, str]) -> str:
    """Say that a label is in no pool, and which one may have been meant."""
    near = get_close_matches(label, known, n=1)
    return f"label {label!r} is in no pool" + (f" (did you mean {near[0]!r}?)" if near else "")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_time(value: object) -> bool:
    return _is_number(value) and value >= 0  # type: ignore[operator]


def _is_length(value: object) -> bool:
    return _is_number(value) and value > 0  # type: ignore[operator]


def _is_span(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_time, value)) and value[0] < value[1]  # noqa: PLR2004


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


_TEXT = ("text", _is_text)
_LENGTH = ("a number above 0", _is_length)
_TIME = ("a number of at least 0", _is_time)
_TEXTS = ("a list of texts", _is_texts)
_CHECKS: dict[str, tuple[str, Callable[[object], bool]]] = {
    "offset": _TIME,
    "start": _TIME,
    "end": _TIME,
    "silence": _TIME,
    "duration": _LENGTH,
    "rt60": _LENGTH,
    "snr_db": ("a number", _is_number),
    "word": ("[start, end] with 0 <= start < end", _is_span),
    "pool": (f"one of {', '.join(POOLS)}", POOLS.__contains__),
    "speakers": _TEXTS,
    "notes": _TEXTS,
}
