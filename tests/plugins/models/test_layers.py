"""A convolution with its batch norm is the same layer folded and unfolded."""

from __future__ import annotations

import torch
from torch import nn

from wakekit_models.layers import ConvNorm


def drawn(*shape: int) -> torch.Tensor:
    """Return standard normal numbers, always the same."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def layer() -> ConvNorm:
    """Return a layer with every option of a convolution set and statistics that are not the initial ones."""
    conv = nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2, bias=False)
    module = ConvNorm(conv)
    for number, tensor in enumerate([*module.norm.parameters(), *module.norm.buffers()][:4]):
        tensor.data.copy_(drawn(6).abs() + 0.3 + number)
    return module


def test_inference_is_convolution_then_norm() -> None:
    """Folded weights give what the two layers give one after the other, and the same gradients."""
    module, hidden = layer().eval(), drawn(3, 4, 7, 9)
    outputs = [module(hidden), module.norm(module.conv(hidden))]
    torch.testing.assert_close(outputs[0], outputs[1], rtol=1e-5, atol=1e-5)
    gradients = [torch.autograd.grad(output.square().sum(), list(module.parameters())) for output in outputs]
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=1e-3)


def test_training_learns_running_statistics() -> None:
    """A training pass normalizes by the batch and moves the running statistics; inference leaves them alone."""
    module, hidden = layer().train(), drawn(3, 4, 7, 9)
    before = module.norm.get_buffer("running_mean").clone()
    torch.testing.assert_close(module(hidden), module.norm(module.conv(hidden)))
    after = module.norm.get_buffer("running_mean").clone()
    assert not torch.equal(before, after)
    module.eval()(hidden)
    assert torch.equal(module.norm.get_buffer("running_mean"), after)
