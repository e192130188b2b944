"""MFN's attention over a window of cells and what is computed of it, for K members, all steps at once.

Shapes: K members, T steps, B items, N = TB rows, H the sum of the modalities' hidden widths, U the memory's width,
R hidden units of the memory's gates.

    w = [c_{t-1}; c_t]                            the window, of width 2H
    e = softmax(W2 m1 ReLU(W1 w + b1) + b2) w     m1, m2: dropout masks
    [q; a] = W3 e + b3                            one product for the two networks that read e
    v = tanh(W4 m2 ReLU(q) + b4)

On a CPU one member after the other goes through all of it, forward and backward: what is 2H wide then stays in the
core's cache, where it is used several times.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mfm.layers.matmul import product


class Weights(NamedTuple):
    """Every layer's weight (K, I, O) and bias (K, 1, O)."""

    w1: Tensor
    b1: Tensor
    w2: Tensor
    b2: Tensor
    w3: Tensor
    b3: Tensor
    w4: Tensor
    b4: Tensor


def attend(
    cells: Sequence[Tensor], weights: Weights, dropout1: Tensor | None, dropout2: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Gives a (K, T, B, R) and v (K, T, B, U).

    Args:
        cells: of every modality (K, T + 1, B, its hidden width), from before the first step on.
        dropout1: m1 (K, T, B, its width); None: nothing is dropped. Likewise `dropout2`.
    """
    return _Attend.apply(dropout1, dropout2, *weights, *cells)  # type: ignore[return-value]


class _Attend(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, dropout1: Tensor | None, dropout2: Tensor | None, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        weights, cells = Weights(*tensors[:8]), tensors[8:]
        num_members, num_steps, num_items = len(cells[0]), cells[0].shape[1] - 1, cells[0].shape[2]
        width, read = weights.w4.shape[2], weights.w3.shape[2] - weights.w4.shape[1]
        a = weights.w1.new_empty(num_members, num_steps * num_items, read)
        v = weights.w1.new_empty(num_members, num_steps * num_items, width)
        saved: list[Tensor] = []
        for part in _parts(cells[0]):
            own = Weights(*(tensor[part] for tensor in weights))
            window = _window([c[part] for c in cells])
            first = _hidden(product(window, own.w1, own.b1), _rows(dropout1, part))
            share = torch.softmax(product(first, own.w2, own.b2), dim=-1)
            attended = share * window
            q, a[part] = product(attended, own.w3, own.b3).split([weights.w4.shape[1], read], dim=-1)
            second = _hidden(q, _rows(dropout2, part))
            torch.tanh(product(second, own.w4, own.b4), out=v[part])
            saved += window, first, share, attended, second
        ctx.num_modalities = len(cells)
        ctx.save_for_backward(dropout1, dropout2, v, *tensors, *saved)
        return tuple(x.unflatten(1, (num_steps, num_items)) for x in (a, v))  # type: ignore[return-value]

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - torch calls it by position
        ctx: Any, *grad_outputs: Tensor
    ) -> tuple[Tensor | None, ...]:
        dropout1, dropout2, v, *tensors = ctx.saved_tensors
        weights, cells = Weights(*tensors[:8]), tensors[8 : 8 + ctx.num_modalities]
        saved, into_a, into_v = iter(tensors[8 + ctx.num_modalities :]), *(g.flatten(1, 2) for g in grad_outputs)
        into_weights = Weights(*(torch.empty_like(tensor) for tensor in weights))
        into_cells = [torch.empty_like(c) for c in cells]
        for part in _parts(cells[0]):
            own = Weights(*(tensor[part] for tensor in weights))
            grads = Weights(*(tensor[part] for tensor in into_weights))
            window, first, share, attended, second = (next(saved) for _ in range(5))
            into = torch.ops.aten.tanh_backward(into_v[part], v[part])
            into_second = _through(into, second, own.w4, grads.w4, grads.b4)
            into = torch.cat([_into_hidden(into_second, second, _rows(dropout2, part)), into_a[part]], dim=-1)
            into_attended = _through(into, attended, own.w3, grads.w3, grads.b3)
            into = torch.ops.aten._softmax_backward_data(into_attended * window, share, -1, share.dtype)
            into_first = _through(into, first, own.w2, grads.w2, grads.b2)
            into = _into_hidden(into_first, first, _rows(dropout1, part))
            into_window = _through(into, window, own.w1, grads.w1, grads.b1).addcmul_(into_attended, share)
            _from_window(into_window, [c[part] for c in into_cells])
        return None, None, *into_weights, *into_cells


def _parts(tensor: Tensor) -> list[slice]:
    """The members that are computed together."""
    num_members = len(tensor)
    return [slice(k, k + 1) for k in range(num_members)] if tensor.device.type == "cpu" else [slice(num_members)]


def _window(cells: Sequence[Tensor]) -> Tensor:
    """(K, N, 2H)."""
    return torch.cat([*(c[:, :-1] for c in cells), *(c[:, 1:] for c in cells)], dim=-1).flatten(1, 2)


def _from_window(into_window: Tensor, into_cells: Sequence[Tensor]) -> None:
    """Writes the cells' gradients."""
    num_steps, widths = into_cells[0].shape[1] - 1, [c.shape[-1] for c in into_cells]
    parts = into_window.unflatten(1, (num_steps, -1)).split([*widths, *widths], dim=-1)
    for out, before, now in zip(into_cells, parts, parts[len(widths) :], strict=False):
        out[:, :-1], out[:, -1] = before, 0.0
        out[:, 1:] += now


def _rows(dropout: Tensor | None, part: slice) -> Tensor | None:
    return None if dropout is None else dropout[part].flatten(1, 2)


def _hidden(before: Tensor, dropout: Tensor | None) -> Tensor:
    hidden = torch.relu(before)
    return hidden if dropout is None else hidden.mul_(dropout)


def _into_hidden(grad: Tensor, hidden: Tensor, dropout: Tensor | None) -> Tensor:
    """The gradient before ReLU and dropout; where the mask is 0, it does not matter which of both made the zero."""
    return torch.ops.aten.threshold_backward(grad if dropout is None else grad.mul_(dropout), hidden, 0)


def _through(into: Tensor, x: Tensor, weight: Tensor, into_weight: Tensor, into_bias: Tensor) -> Tensor:
    """The gradient of a layer's input; writes those of its weight and bias."""
    into_weight.copy_(product(x.transpose(1, 2), into))
    torch.sum(into, dim=1, keepdim=True, out=into_bias)
    return product(into, weight.transpose(1, 2))
