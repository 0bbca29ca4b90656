"""Passes, added rows, accumulation, and what callbacks are told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import torch
from torch import Tensor, nn

from tests.training_support import WINDOW, Watch, rows, task
from wakekit import ExtraRows, Hooks, TrainingState, WakekitError
from wakekit.errors import PluginError
from wakekit.history import History
from wakekit_training.adamw import AdamW
from wakekit_training.balanced import Balanced
from wakekit_training.cosine import Cosine
from wakekit_training.shuffle import Shuffle
from wakekit_training.standard import Standard

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

HOOKS = (
    "fit_started", "pass_started", "epoch_started", "gradients_ready", "step_ended", "epoch_ended", "validated",
    "pass_ended", "fit_ended",
)  # fmt: skip


@attrs.frozen
class Diary:
    """A callback that writes down what it is told, and where training stands."""

    told: list[tuple[str, int, int, int]]

    def build(self) -> Hooks:
        """Return hooks that all do the same."""
        hooks = _Writing()
        for name in HOOKS:
            setattr(hooks, name, self._entry(name))
        return hooks

    def _entry(self, name: str) -> Callable[..., None]:
        def told(state: TrainingState, *_: object) -> None:
            self.told.append((name, state.pass_number, state.epoch, state.step))

        return told


class _Writing(Hooks):
    pass


class Linear:
    """A model component without BatchNorm or dropout."""

    def build(self, n_features: int, n_classes: int) -> nn.Module:
        """Return the module."""
        return nn.Sequential(nn.Flatten(), nn.Linear(n_features * 4, n_classes))


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Say whether two sets of weights are the same to the bit."""
    return all(torch.equal(one[name], other[name]) for name in one)


def mined(places: Sequence[int]) -> ExtraRows:
    """Return rows at the given windows of the train audio."""
    start = torch.tensor(places) * WINDOW
    zero = torch.zeros_like(start)
    provenance = tuple({"source": f"clip {place}"} for place in places)
    return ExtraRows(start=start, slack=zero, low=start, high=start + WINDOW, provenance=provenance)


def test_callbacks_are_told_in_the_documented_order() -> None:
    """Fit, passes, epochs and steps nest as the contract says, with counts that match."""
    told: list[tuple[str, int, int, int]] = []
    Standard(epochs=1, passes=2).fit(task(train=rows(20, 1), callbacks={"diary": Diary(told)}))
    steps = [[("gradients_ready", n, n, 2 * n + k), ("step_ended", n, n, 2 * n + k)] for n in (0, 1) for k in (0, 1)]
    passes = [
        [
            ("pass_started", n, n, 2 * n), ("epoch_started", n, n, 2 * n), *steps[2 * n], *steps[2 * n + 1],
            ("epoch_ended", n, n, 2 * n + 2), ("validated", n, n, 2 * n + 2), ("pass_ended", n, n + 1, 2 * n + 2),
        ]
        for n in (0, 1)
    ]  # fmt: skip
    assert told == [("fit_started", 0, 0, 0), *passes[0], *passes[1], ("fit_ended", 1, 2, 4)]


def test_a_failing_callback_is_named() -> None:
    """What a callback raises ends training with its id and line; what a user can mend passes as it is."""

    def fail(_: TrainingState) -> None:
        raise KeyError("lost")

    with pytest.raises(
        PluginError,
        match=r"callback mine \(Watch of tests\.training_support\) failed: KeyError: 'lost' @ .*test_passes.py:\d+",
    ):
        Standard(epochs=1).fit(task(callbacks={"mine": Watch(fail)}))

    def refuse(_: TrainingState) -> None:
        raise WakekitError("set more passes")

    with pytest.raises(WakekitError, match=r"^set more passes$"):
        Standard(epochs=1).fit(task(callbacks={"mine": Watch(refuse, "fit_started")}))


def test_a_pass_begins_anew_but_for_the_weights() -> None:
    """Optimizer and schedule are fresh in each pass; the weights go on, and each pass's are kept."""
    rates: list[float] = []
    moments: list[int] = []

    def look(state: TrainingState) -> None:
        rates.append(state.optimizer.param_groups[0]["lr"])
        moments.append(len(state.optimizer.state))

    given = task(callbacks={"look": Watch(look, "pass_started")}, schedule=Cosine(warmup=0.5))
    found = Standard(epochs=2, passes=3).fit(given)
    assert rates == [rates[0]] * 3
    assert moments == [0, 0, 0]
    assert len(found.earlier) == 2
    first = Standard(epochs=2).fit(task(schedule=Cosine(warmup=0.5)))
    assert equal(found.earlier[0], first.weights)
    assert not equal(found.earlier[0], found.earlier[1])
    assert [row["pass"] for row in given.history.rows] == [1, 1, 2, 2, 3, 3]


def test_the_kept_weights_are_what_a_pass_ends_with() -> None:
    """With `keep = "best"` callbacks see, and the next pass begins with, the best epoch's weights."""
    seen: list[dict[str, Tensor]] = []

    def look(state: TrainingState) -> None:
        seen.append({name: value.clone() for name, value in state.evaluated.state_dict().items()})

    def spoil(state: TrainingState) -> None:
        if state.pass_epoch == 2:
            for parameter in state.model.parameters():
                parameter.data.normal_(generator=torch.Generator().manual_seed(0)).mul_(50)

    callbacks = {
        "spoil": Watch(spoil, "epoch_ended"),
        "end": Watch(look, "pass_ended"),
        "go": Watch(look, "pass_started"),
    }
    found = Standard(epochs=3, passes=2, keep="best").fit(task(callbacks=callbacks))
    assert equal(found.earlier[0], seen[1])
    assert equal(found.earlier[0], seen[2])


def test_a_callback_may_ask_for_fresh_weights() -> None:
    """After `restart` the next pass starts from the initial weights, not from those trained."""
    seen: list[dict[str, Tensor]] = []

    def start(state: TrainingState) -> None:
        seen.append({name: value.clone() for name, value in state.model.state_dict().items()})

    def end(state: TrainingState) -> None:
        state.restart = True

    callbacks = {"start": Watch(start, "pass_started"), "end": Watch(end, "pass_ended")}
    Standard(epochs=1, passes=2).fit(task(callbacks=callbacks))
    assert equal(seen[0], seen[1])


@pytest.mark.parametrize("elsewhere", [False, True])
def test_added_rows_are_trained_on_from_the_next_pass(tmp_path: Path, elsewhere: bool) -> None:  # noqa: FBT001
    """They join their pool, with their audio also where the table lies on another device, and are written down."""
    sizes: list[int] = []
    tables: list[Any] = []

    def end(state: TrainingState) -> None:
        if state.pass_number == 0:
            state.add_rows(mined([3, 5, 7]))

    def start(state: TrainingState) -> None:
        sizes.append(state.steps)

    class Spy:
        """A sampler that looks at the pools."""

        batch_size = 16

        def batches(self, pools: dict[str, Tensor], generator: torch.Generator) -> Sequence[Tensor]:
            """Return what `shuffle` does."""
            tables.append({name: len(found) for name, found in pools.items()})
            return Shuffle(batch_size=16).batches(pools, generator)

    given = task(
        train=rows(47, 1), sampler=Spy(), folder=tmp_path,
        callbacks={"end": Watch(end, "pass_ended"), "start": Watch(start, "pass_started")},
    )  # fmt: skip
    if elsewhere:
        given = attrs.evolve(given, train=attrs.evolve(given.train, audio=given.train.audio.clone()))
    found = Standard(epochs=1, passes=2).fit(given)
    assert sizes == [3, 4]
    assert tables[-1] == {"positive": 23, "negative": 24, "hard": 3}
    lines = [json.loads(line) for line in (tmp_path / "added_rows.jsonl").read_text().splitlines()]
    assert [line["source"] for line in lines] == ["clip 3", "clip 5", "clip 7"]
    assert lines[0]["pool"] == "hard"
    table = given.train.extended(mined([3, 5, 7]), given.audio)
    assert table.labels[-3:].tolist() == [0, 0, 0]
    audio, real = table.crop(torch.tensor([47, 49]), torch.zeros(2))
    assert torch.equal(audio, given.train.crop(torch.tensor([3, 7]), torch.zeros(2))[0])
    assert real.tolist() == [WINDOW, WINDOW]
    assert found.earlier


def test_rows_that_no_sampler_visits_are_reported(tmp_path: Path) -> None:
    """T21: a sampler that leaves the pool of added rows out wastes them, which is said."""

    def end(state: TrainingState) -> None:
        if state.pass_number == 0:
            state.add_rows(mined([3, 5, 7]))

    for ratio, told in (((1.0, 1.0, 0.0), 1), ((1.0, 1.0, 1.0), 0)):
        given = task(sampler=Balanced(ratio=ratio, batch_size=12), callbacks={"end": Watch(end, "pass_ended")})
        Standard(epochs=1, passes=2).fit(attrs.evolve(given, folder=tmp_path))
        warnings = [row["warning"] for row in given.history.rows if "warning" in row]
        assert len(warnings) == told
        assert all("visits none of the 3 rows that were added: give the pool hard a share" in one for one in warnings)


@pytest.mark.parametrize("count", [90, 70, 33])
def test_accumulated_batches_are_one_large_batch(count: int) -> None:
    """T26: every row counts alike, also where the last step of an epoch takes fewer batches and a smaller one."""

    class Whole:
        """A sampler without chance."""

        def __init__(self, batch_size: int) -> None:
            self.batch_size = batch_size

        def batches(self, pools: dict[str, Tensor], generator: torch.Generator) -> Sequence[Tensor]:
            """Return the rows in order."""
            del generator
            return torch.cat(list(pools.values())).split(self.batch_size)

    sizes = {"train": rows(count, 1), "model": Linear(), "optimizer": AdamW(lr=1e-2), "history": History()}
    apart = Standard(epochs=3, accumulate=4).fit(task(**sizes, sampler=Whole(8)))
    together = Standard(epochs=3).fit(task(**{**sizes, "history": History()}, sampler=Whole(32)))
    assert apart.steps == together.steps
    for name, value in together.weights.items():
        torch.testing.assert_close(apart.weights[name], value, atol=1e-6, rtol=1e-5)


def test_a_rehearsal_leaves_no_trace() -> None:
    """T23: after steps at mad learning rates, model, buffers, optimizer and chance are as if nothing had been."""
    losses: list[float] = []

    def rehearse(state: TrainingState) -> None:
        before = torch.get_rng_state()
        with state.rehearse() as step:
            for _ in range(20):
                state.optimizer.param_groups[0]["lr"] = 10.0
                losses.append(float(step()))
        assert torch.equal(before, torch.get_rng_state())

    tried = Standard(epochs=2).fit(task(callbacks={"rehearse": Watch(rehearse, "fit_started")}))
    plain = Standard(epochs=2).fit(task())
    assert equal(tried.weights, plain.weights)
    assert len(losses) == 20
    assert max(losses) > 2 * losses[0]


def test_stopping_ends_the_pass_only() -> None:
    """`stop` ends the pass after its epoch; the next pass begins."""

    def stop(state: TrainingState) -> None:
        state.stop = True

    given = task(callbacks={"stop": Watch(stop)})
    found = Standard(epochs=5, passes=2).fit(given)
    assert found.epochs == 2
    assert len(given.history.rows) == 2


def test_what_a_model_raises_is_named() -> None:
    """BatchNorm cannot take batches of one row: the model is named, with no traceback for a user."""
    with pytest.raises(PluginError, match=r"model .* failed: ValueError: Expected more than 1 value per channel"):
        Standard(epochs=1).fit(task(sampler=Shuffle(batch_size=1)))
