"""Puts the page together: what each section shows, and the template that lays it out.

File names, speakers and notes are strangers' text: the template escapes everything that is not made here.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from wakekit.worst import worst_speaker
from wakekit_evaluation.report import breakdowns, headline, players, tables, text
from wakekit_evaluation.report.figures import plots_by_section
from wakekit_evaluation.report.theming import inline
from wakekit_evaluation.report.toml_markup import highlighted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wakekit.run_folder import Run

_TEMPLATES = ("report.html.j2", "ablation.html.j2", "macros.html.j2")
_MAIN_PACKAGES = ("wakekit", "torch", "torchaudio", "numpy", "scipy", "scikit-learn", "numba", "soundfile")


def render(run: Run, *, listen: int, shown: int) -> str:
    """Return the page; `listen` false accepts and misses carry their sound, lists fold after `shown` rows."""
    return fill(
        _TEMPLATES[0],
        run=run,
        shown=shown,
        plots=plots_by_section(run),
        accepts=players.false_accepts(run, most=listen),
        missed=players.misses(run, most=listen),
        recipe=highlighted(run.recipe),
        **_numbers(run),
        **made_by(run.environment),
    )


def fill(template: str, **values: Any) -> str:  # noqa: ANN401
    """Return a page of the report with its style, from a template of this folder and the values it names."""
    here = files("wakekit_evaluation.report")
    sources = {name: here.joinpath(name).read_text(encoding="utf-8") for name in _TEMPLATES}
    environment = Environment(
        loader=DictLoader(sources), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    style = here.joinpath("style.css").read_text(encoding="utf-8")
    page = environment.get_template(template)
    return page.render(style=Markup(style), inline=inline, **values)  # noqa: S704  # our own file


def _numbers(run: Run) -> dict[str, Any]:
    return {
        "sentences": headline.sentences(run),
        "tiles": headline.tiles(run),
        "operating": tables.operating_table(run),
        "settings": tables.settings_table(run),
        "measures": tables.measures_table(run.test, "Every measure on test"),
        "passes": tables.passes_table(run),
        "conditions": tables.conditions_table(run),
        "condition_measures": {
            name: tables.measures_table(judged, f"Every measure under {name}")
            for name, judged in tables.judged_worst_first(run)[1:]
        },
        "worst": tables.worst_condition(run),
        "worst_speaker": worst_speaker(run.test.speakers),
        "speakers": breakdowns.by_speaker(run),
        "snr": breakdowns.snr_table(run),
        "streams": breakdowns.by_stream(run),
        "by_hour": breakdowns.by_hour(run),
        "composed": _composed(run),
    }


def _composed(run: Run) -> str:
    rate = run.test.measure("fa-per-hour")
    counts = {} if rate is None else rate.counts
    if not counts.get("composed_share"):
        return ""
    return (
        f"{text.share(counts['composed_share'])} of the test audio is composed from clips, and "
        f"{text.share(counts.get('silence_share'))} of it is silence; a home sounds different."
    )


def made_by(known: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a page shows of the environment that a run or an ablation was made in."""
    packages = known.get("packages", {})
    made = {
        "wakekit": packages.get("wakekit"),
        "device": known.get("device"),
        "threads": known.get("threads"),
        "python": known.get("python"),
        "platform": known.get("platform"),
        "processor": known.get("processor"),
        "commit": known.get("commit"),
        "time": known.get("time"),
    }
    lower = {name.lower(): version for name, version in packages.items()}
    return {
        "made": {name: value for name, value in made.items() if value is not None},
        "main_packages": {name: lower[name] for name in _MAIN_PACKAGES if name in lower},
        "packages": packages,
        "stages": known.get("stages", {}),
    }
