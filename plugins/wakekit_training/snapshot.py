"""All that a training needs to go on as if it had not been stopped, as one tree of tensors and numbers.

Values are copied, because `state_dict` hands out the very tensors that training goes on to change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import torch
from torch import Tensor, nn

from wakekit import ExtraRows
from wakekit.errors import blaming
from wakekit_training.added_rows import write_added_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wakekit import Hooks
    from wakekit_training.loop import Training

_POSITION = ("pass_number", "epoch", "step", "pass_epoch", "pass_step")
_ASKED = ("stop", "restart")


def copied(module: nn.Module) -> dict[str, Tensor]:
    """Return a copy of a module's weights and buffers, on the CPU."""
    state: Mapping[str, Tensor] = module.state_dict()
    return {name: value.detach().to("cpu", copy=True) for name, value in state.items()}


def snapshot(training: Training) -> dict[str, Any]:
    """Return where a training stands between two steps; its values are only good until the next one."""
    state, schedule = training.state, training.schedule
    return {
        "position": {name: getattr(state, name) for name in _POSITION},
        "asked": {name: getattr(state, name) for name in _ASKED},
        "done": training.done,
        "history": len(training.task.history.rows),
        "random": random_states(training.task.device),
        "draws": training.draws.get_state(),
        "rates": training.rates,
        "initial": training.initial,
        "model": training.model.state_dict(),
        "optimizer": training.optimizer.state_dict(),
        "schedule": schedule.state_dict() if schedule else {},
        "losses": training.losses,
        "best": training.best,
        "kept": training.kept,
        "earlier": training.earlier,
        "extra": [_table(extra) for extra in training.extra],
        "settled": training.settled,
        "callbacks": {name: _remembered(training.called[name], hooks) for name, hooks in training.hooks.items()},
    }


def _remembered(called: str, hooks: Hooks) -> Mapping[str, Any]:
    with blaming(called):
        return hooks.state_dict()


def restore(training: Training, saved: Mapping[str, Any]) -> None:
    """Bring a training, at the start of the same pass, to where the snapshot was taken."""
    training.model.load_state_dict(saved["model"])
    training.optimizer.load_state_dict(saved["optimizer"])
    if training.schedule is not None:
        training.schedule.load_state_dict(saved["schedule"])
    training.losses.copy_(saved["losses"])
    training.state.loss = training.losses[training.state.pass_step - 1]
    training.best, training.kept, training.earlier = saved["best"], saved["kept"], saved["earlier"]
    training.draws.set_state(saved["draws"])
    training.done = saved["done"]
    for name, hooks in training.hooks.items():
        with blaming(training.called[name]):
            hooks.load_state_dict(saved["callbacks"][name])
    # What callbacks said and asked for on the way here was said and asked for before.
    for name, value in saved["asked"].items():
        setattr(training.state, name, value)
    training.extra = extra_rows(saved)
    if training.extra:
        write_added_rows(training.task.folder, training.extra)
    training.task.history.rewind(saved["history"])
    # Last, because building and restoring may draw.
    set_random_states(saved["random"], training.task.device)


def extra_rows(saved: Mapping[str, Any]) -> list[ExtraRows]:
    """Return the rows that had been added by the time of the snapshot."""
    return [ExtraRows(**{**table, "provenance": tuple(table["provenance"])}) for table in saved["extra"]]


def _table(extra: ExtraRows) -> dict[str, Any]:
    table = {field.name: getattr(extra, field.name) for field in attrs.fields(ExtraRows)}
    return {**table, "provenance": [dict(row) for row in extra.provenance]}


def random_states(device: torch.device) -> list[Tensor]:
    """Return torch's global random states, of the CPU and of the device."""
    states = [torch.get_rng_state()]
    return [*states, torch.cuda.get_rng_state(device)] if device.type == "cuda" else states


def set_random_states(states: list[Tensor], device: torch.device) -> None:
    """Set what `random_states` returned."""
    torch.set_rng_state(states[0])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states[1], device)
