"""The tables of a recipe that belong to the core rather than to a component."""

from __future__ import annotations

import re
from typing import Any

import attrs

from wakekit.options import option

FORMAT_VERSION = 1
_LONGEST = 100
_NAME = re.compile(rf"(?:\w[\w .-]{{0,{_LONGEST - 1}}})?")


def folder_name(text: str) -> str:
    """Return a text as the name of a folder: what a name may not hold becomes a dash."""
    return re.sub(r"^\W|[^\w .-]", "-", text)[:_LONGEST].lstrip("-. ") or "recipe"


@attrs.frozen
class Audio:
    """`[audio]`: how recordings are read."""

    sample_rate: int = option(16000, at_least=8000, at_most=48000, unit="Hz", help="rate everything is resampled to")
    bad_files: str = option(
        "error", choices=("error", "skip"), help="what a corrupt or empty recording does: end the run, or be left out"
    )


@attrs.frozen
class Window:
    """`[window]`: what the model sees at once."""

    seconds: float = option(1.5, above=0, at_most=10, unit="s", help="length of the window")
    tolerance_seconds: float = option(
        0.2,
        at_least=0,
        at_most=2,
        unit="s",
        help="in training the keyword ends at most this long before the window's end",
    )
    silence: float = option(0.02, at_least=0, below=1, help="share of all-zero windows among the negatives of training")


@attrs.frozen
class Compose:
    """`[compose]`: streams made of a split's own clips where the corpus has too few."""

    minutes: float = option(
        0.0,
        at_least=0,
        unit="min",
        help="audio without the keyword that dev and test are brought up to, clips permitting",
    )
    seed: int = option(0, at_least=0, below=2**53, help="seed of the order, gaps and backgrounds")
    silence: float = option(0.2, at_least=0, at_most=0.5, help="share of a composed stream that is gaps between clips")
    snr_db: tuple[float, float] = option((5.0, 20.0), unit="dB", help="range of the background's SNR")

    def __attrs_post_init__(self) -> None:
        """Refuse a range that is upside down."""
        if self.snr_db[0] > self.snr_db[1]:
            raise ValueError(f"snr_db: expected the lower end first, got {list(self.snr_db)}")


@attrs.frozen
class Target:
    """`[operating_point]`: what the threshold is chosen for, on dev.

    `search` also tries other settings of the detector, each list of values with each other, as in
    `search = { window = [3, 5], votes = [1, 2] }`; at most 50 settings, and never a lockout.
    """

    fa_per_hour: float = option(
        above=0, unit="1/h", help="false accepts per hour of audio without the keyword, at most"
    )
    bound: str = option(
        "estimate",
        choices=("estimate", "upper"),
        help="what must not exceed it: the rate found, or its one-sided upper bound",
    )
    level: float = option(0.95, at_least=0.5, below=1, help="level of the upper bound")
    search: dict[str, tuple[Any, ...]] = option(attrs.Factory(dict), help="values of detector options to choose from")
    tolerance_seconds: float = option(
        0.5, at_least=0, at_most=5, unit="s", help="a detection counts for a keyword until this long after its end"
    )


@attrs.frozen
class Condition:
    """`[conditions.<id>]`: a shifted copy of the test set, made by augmentations of its recordings in their order."""

    augmentations: dict[str, Any] = option(help="augmentations of domain 'waveform' or 'recording', keyed by id")
    seed: int = option(0, at_least=0, below=2**53, help="seed of what the augmentations draw")

    def describe(self) -> str:
        """Return what the condition changes, in words."""
        return "; ".join(f"{type(value).__name__} ({_options(value)})" for value in self.augmentations.values())


def _options(value: Any) -> str:  # noqa: ANN401
    fields = {field.name: getattr(value, field.name) for field in attrs.fields(type(value)) if field.init}
    return ", ".join(f"{name} = {_shown(item)}" for name, item in fields.items() if item is not None)


def _shown(value: object) -> str:
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(_shown, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


@attrs.frozen
class Plugins:
    """`[plugins]`: what the recipe needs installed; it changes no result."""

    require: tuple[str, ...] = option(
        (), help="distributions that offer plugins, with their versions, as in 'acme-wake >=0.3,<1'"
    )


@attrs.frozen(kw_only=True)
class Settings:
    """The core's part of a recipe."""

    wakekit: int = option(FORMAT_VERSION, choices=(FORMAT_VERSION,), help="version of the recipe format")
    name: str = option("", help="name of the run's folder; the file's name where empty")
    seed: int = option(0, at_least=0, below=2**53, help="seed of training")
    device: str = option("auto", choices=("auto", "cpu", "cuda"), help="where training and scoring run")
    threads: int = option(0, at_least=0, help="CPU threads; 0 leaves the choice to torch")
    precision: str = option(
        "auto", choices=("auto", "float32", "bfloat16"), help="of training; auto is bfloat16 on CUDA, else float32"
    )
    audio: Audio = attrs.field(factory=Audio)
    window: Window = attrs.field(factory=Window)
    compose: Compose = attrs.field(factory=Compose)
    operating_point: Target
    plugins: Plugins = attrs.field(factory=Plugins)

    def __attrs_post_init__(self) -> None:
        """Refuse a name that is no name of a folder."""
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"name: expected a letter or digit, then up to 99 more, spaces, '.', '_' or '-', got {self.name!r:.60}"
            )
