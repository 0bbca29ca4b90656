"""The trainer and what it is made of, against torch's own ways and a plain loop."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from tests.training_support import WINDOW, Blocks, TinyModel, Watch, task
from wakekit.history import History
from wakekit.training import DivergedError
from wakekit_training.adamw import AdamW
from wakekit_training.cosine import Cosine
from wakekit_training.ema import Ema
from wakekit_training.sgd import SGD
from wakekit_training.shuffle import Shuffle
from wakekit_training.standard import Standard

if TYPE_CHECKING:
    from wakekit import TrainingState


def test_training_is_the_plain_loop() -> None:
    """The weights equal those of the same steps written out by hand, bit for bit."""
    found = Standard(epochs=3).fit(task()).weights
    given = task()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = TinyModel().build(1, 2)
        optimizer = torch.optim.AdamW(
            [
                {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": 0.01},
                {"params": [p for p in model.parameters() if p.ndim <= 1], "weight_decay": 0.0},
            ],
            lr=1e-2,
        )
        for epoch in range(3):
            model.train()
            order = Shuffle(batch_size=16).batches(given.train.pools, torch.Generator().manual_seed(2 * epoch))
            for chosen in order:
                audio = given.train.audio.view(-1, WINDOW)[chosen].float() / 32768
                loss = nn.functional.cross_entropy(model(Blocks()(audio)), given.train.labels[chosen])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    for name, value in model.state_dict().items():
        assert torch.equal(found[name], value), name


def test_the_callers_random_state_is_untouched_and_does_not_matter() -> None:
    """T22: results depend on the task's seed alone."""
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one = Standard(epochs=1).fit(task()).weights
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(99)
    two = Standard(epochs=1).fit(task()).weights
    other = Standard(epochs=1).fit(task(seed=1)).weights
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_ema_equals_torchs_own_average() -> None:
    """T24: weights and BatchNorm buffers equal torch.optim.swa_utils with the same decay, to 1e-6."""
    live: list[nn.Module] = []

    def average(kept: Tensor, now: Tensor, count: Any) -> Tensor:
        del count
        return 0.9 * kept + 0.1 * now if kept.is_floating_point() else now

    reference: list[AveragedModel] = []

    def start(state: TrainingState) -> None:
        live.append(state.model)
        reference.append(AveragedModel(state.model, avg_fn=average, use_buffers=True))
        reference[0].n_averaged += 1

    def step(_: TrainingState) -> None:
        reference[0].update_parameters(live[0])

    callbacks = {"a": Watch(start, "fit_started"), "b": Watch(step), "ema": Ema(decay=0.9, warmup=False)}
    found = Standard(epochs=3).fit(task(callbacks=callbacks)).weights
    for name, value in reference[0].module.state_dict().items():
        torch.testing.assert_close(found[name], value, atol=1e-6, rtol=1e-6)
    assert any(not torch.equal(found[name], value) for name, value in live[0].state_dict().items())


def test_what_is_validated_is_what_is_saved() -> None:
    """T25: the last row of history is the loss of the saved weights, with averaging or without."""
    for callbacks in ({}, {"ema": Ema(decay=0.9)}):
        given = task(callbacks=callbacks)
        weights = Standard(epochs=2).fit(given).weights
        model = TinyModel().build(1, 2)
        model.load_state_dict(weights)
        audio = given.dev.audio.view(-1, WINDOW).float() / 32768
        with torch.no_grad():
            loss = nn.functional.cross_entropy(model.eval()(Blocks()(audio)), given.dev.labels)
        assert given.history.rows[-1]["dev_loss"] == pytest.approx(float(loss), rel=1e-5)
        assert [row["epoch"] for row in given.history.rows] == [0, 1]


def test_kept_weights_are_copies() -> None:
    """T23: weights kept at the best epoch do not change when training goes on."""
    history = History()

    def spoil(state: TrainingState) -> None:
        if state.epoch == 2:
            for parameter in state.model.parameters():
                parameter.data.normal_(generator=torch.Generator().manual_seed(0)).mul_(50)

    callbacks = {"spoil": Watch(spoil, "epoch_ended")}
    found = Standard(epochs=3, keep="best").fit(task(callbacks=callbacks, history=history)).weights
    assert history.rows[2]["dev_loss"] > history.rows[1]["dev_loss"]
    same = Standard(epochs=3, keep="last").fit(task(callbacks={"stop": Watch(_stop_after_two, "epoch_ended")})).weights
    assert all(torch.equal(found[name], same[name]) for name in found)


def _stop_after_two(state: TrainingState) -> None:
    state.stop = state.epoch == 1


def test_divergence_names_the_step_and_keeps_good_weights() -> None:
    """A loss that is not finite stops training at that step, with the weights of the last good epoch."""

    def spoil(state: TrainingState) -> None:
        if state.step == 8:
            next(state.model.parameters()).data.fill_(math.nan)

    with pytest.raises(DivergedError, match="epoch 1, step 9") as caught:
        Standard(epochs=3).fit(task(callbacks={"spoil": Watch(spoil)}))
    good = Standard(epochs=1).fit(task()).weights
    assert caught.value.weights is not None
    assert all(torch.equal(caught.value.weights[name], good[name]) for name in good)


def test_cosine_rises_and_falls_as_the_paper_says() -> None:
    """Warm-up is linear, the rest is half a cosine down to the floor, as torch's own scheduler has it."""
    model = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    schedule = Cosine(warmup=0.2, floor=0.1).build(optimizer, 50)
    rates = []
    for _ in range(50):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates[:10] == pytest.approx([0.05 * (step + 1) for step in range(10)])
    again = torch.optim.SGD(model.parameters(), lr=0.5)
    peer = torch.optim.lr_scheduler.CosineAnnealingLR(again, T_max=40, eta_min=0.05)
    for rate in rates[10:]:
        assert rate == pytest.approx(again.param_groups[0]["lr"], rel=1e-5)
        again.step()
        peer.step()


def test_optimizers_are_torchs() -> None:
    """AdamW decays matrices only; SGD passes its options on; both step like torch's."""
    model = nn.Sequential(nn.Conv1d(2, 3, 2), nn.BatchNorm1d(3))
    groups = AdamW(weight_decay=0.3).build(model).param_groups
    assert [(len(group["params"]), group["weight_decay"]) for group in groups] == [(1, 0.3), (3, 0.0)]
    copied = copy.deepcopy(model)
    ours, theirs = (
        SGD(lr=0.1, nesterov=True).build(model),
        torch.optim.SGD(copied.parameters(), 0.1, 0.9, nesterov=True),
    )
    for net, optimizer in ((model, ours), (copied, theirs)):
        for _ in range(3):
            optimizer.zero_grad()
            net(torch.ones(4, 2, 6)).square().sum().backward()
            optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), copied.parameters(), strict=True))
    with pytest.raises(ValueError, match="momentum above 0"):
        SGD(momentum=0.0, nesterov=True)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_training_runs_on_cuda() -> None:
    """The same task trains on CUDA under bfloat16."""
    given = task(device=torch.device("cuda"), precision="bfloat16")
    weights = Standard(epochs=2).fit(given).weights
    assert all(torch.isfinite(value).all() for value in weights.values())
