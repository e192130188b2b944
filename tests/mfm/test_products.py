"""Products by either library give the same, and so does a recurrence that overwrites what it was given."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mfm.layers import matmul
from mfm.layers.linear import Linear, Lstm, initialise
from mfm.layers.matmul import affine, product

K, T, B, INPUTS, OUTPUTS = 3, 4, 5, 16, 7


@pytest.fixture(params=["large", "small"])
def _size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which side of the limit every product is on."""
    monkeypatch.setattr(matmul, "LARGE", 1 if request.param == "large" else 1 << 40)


def close(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours.double(), theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.usefixtures("_size")
@pytest.mark.parametrize("shape", [(K, B), (K, T, B), (1, T, B)])
@pytest.mark.parametrize("steps_in_front", [False, True])
def test_an_affine_map_and_its_gradients(shape: tuple[int, ...], *, steps_in_front: bool) -> None:
    torch.manual_seed(0)
    inputs = [torch.randn(*s) for s in ((*shape, INPUTS), (shape[0], INPUTS, OUTPUTS), (shape[0], 1, OUTPUTS))]
    ours, theirs = [x.clone().requires_grad_() for x in inputs], [x.double().requires_grad_() for x in inputs]
    y = affine(ours[0], ours[1], ours[2], steps_in_front=steps_in_front)
    expected = torch.einsum("k...i,kio->k...o", theirs[0], theirs[1])
    expected = expected + theirs[2].view(shape[0], *[1] * (len(shape) - 1), OUTPUTS)
    assert y.shape == expected.shape
    close(y, expected)
    into = torch.randn(*y.shape)
    for mine, other in zip(
        torch.autograd.grad(y, ours, into), torch.autograd.grad(expected, theirs, into.double()), strict=True
    ):
        close(mine, other)


@pytest.mark.usefixtures("_size")
def test_a_product_of_transposed_tensors() -> None:
    x, y = torch.randn(K, INPUTS, B), torch.randn(K, OUTPUTS, INPUTS)
    close(product(x.transpose(1, 2), y.transpose(1, 2)), torch.einsum("kib,koi->kbo", x.double(), y.double()))


@pytest.mark.usefixtures("_size")
@pytest.mark.parametrize("num_members", [1, K])
def test_an_lstm_in_float32_equals_it_in_float64(num_members: int) -> None:
    """In float32, gates may take the place of the projected inputs; with several members, in float64, they do not."""
    model = torch.nn.ModuleList([Lstm(num_members, INPUTS, OUTPUTS), Linear(num_members, OUTPUTS, 2)])
    initialise(model, range(num_members))
    twin = torch.nn.ModuleList([Lstm(num_members, INPUTS, OUTPUTS), Linear(num_members, OUTPUTS, 2)]).double()
    twin.load_state_dict(model.state_dict())
    x, mask = torch.randn(num_members, T, B, INPUTS), torch.rand(num_members, T, B) > 0.3
    results = []
    for (lstm, linear), data in ((model, x), (twin, x.double())):
        states = lstm(data, mask)
        loss = (linear(states.h_KTBH).square().sum() + states.cells.square().sum() + states.last_KBH.sum()).double()
        results.append([loss, *torch.autograd.grad(loss, [*lstm.parameters(), *linear.parameters()])])
    for ours, theirs in zip(*results, strict=True):
        close(ours, theirs)


def test_members_are_computed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What oneDNN computes for a member has the same bits in any company."""
    monkeypatch.setattr(matmul, "LARGE", 1)
    if matmul._onednn is None:
        pytest.skip("no oneDNN for this processor")
    x, weight, bias = torch.randn(K, T, B, INPUTS), torch.randn(K, INPUTS, OUTPUTS), torch.randn(K, 1, OUTPUTS)
    together = affine(x, weight, bias)
    for k in range(K):
        assert torch.equal(together[k : k + 1], affine(x[k : k + 1], weight[k : k + 1], bias[k : k + 1]))
