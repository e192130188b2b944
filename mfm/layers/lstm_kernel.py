"""The recurrence of an LSTM, for K members at once.

Shapes: K members, T steps, B items, H hidden units, G = 4H gates in the order input, forget, output, candidate.

Equations (Hochreiter and Schmidhuber 1997, with forget gates): with a_t = xw_t + h_{t-1} W,

    i, f, o = sigmoid(a_i, a_f, a_o);  g = tanh(a_g);  c_t = f c_{t-1} + i g;  h_t = o tanh(c_t).

What does not depend on the previous step is outside of the loop over time: the projection of the inputs (by the
caller) and the gradient of W, which is one product over all steps. What is inside works on one step's tensors, which
stay in a core's cache. tanh(x) is computed as 2 sigmoid(2x) - 1, which is several times as fast on CPUs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mfm.layers.matmul import product

_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
_tanh_backward = torch.ops.aten.tanh_backward.grad_input


class States(NamedTuple):
    """States of an LSTM; a caller that reads only some of them pays only for their gradients."""

    h_KTBH: Tensor  # hidden states of all steps
    cells: Tensor  # (K, T + 1, B, H): the zero cell before the first step, and those of all steps
    last_KBH: Tensor  # hidden state after the last step


def lstm(xw_KTBG: Tensor, weight_KHG: Tensor, mask_KTB: Tensor | None = None, *, overwrite: bool = False) -> States:
    """Runs an LSTM from a zero state.

    Args:
        xw_KTBG: projected inputs, biases included.
        weight_KHG: recurrent weights.
        mask_KTB: where False, a step keeps the state of the step before; None: every step counts.
        overwrite: the gates may take the place of the projected inputs, which nobody else reads.
    """
    return States(*_Lstm.apply(xw_KTBG, None, weight_KHG, mask_KTB, xw_KTBG.shape[1], overwrite))  # type: ignore[misc]


def free_lstm(first_KBG: Tensor, later_K1G: Tensor, weight_KHG: Tensor, num_steps: int) -> States:
    """Runs an LSTM that reads something at its first step and nothing later.

    Args:
        first_KBG: the projected input of the first step, biases included.
        later_K1G: the biases, which are all that the later steps get.
    """
    return States(*_Lstm.apply(first_KBG.unsqueeze(1), later_K1G, weight_KHG, None, num_steps, False))  # type: ignore[misc]


class _Lstm(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0917 - autograd passes tensors by position
        ctx: Any, xw: Tensor, later: Tensor | None, weight: Tensor, mask: Tensor | None, num_steps: int, overwrite: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        (num_members, num_given, num_items, _), hidden = xw.shape, weight.shape[1]
        # Steps in front: what a product writes must be contiguous to be written by one call for all members.
        gates = xw.transpose(0, 1)
        if not (overwrite and gates.is_contiguous()):
            gates = xw.new_empty(num_steps, num_members, num_items, 4 * hidden)
        tanh_g = xw.new_empty(num_steps, num_members, num_items, hidden)
        h = xw.new_empty(num_members, num_steps + 1, num_items, hidden)  # from the state before the first step on
        c, tanh_c = torch.empty_like(h), torch.empty_like(h)
        h[:, 0], c[:, 0] = 0.0, 0.0
        keep = None if mask is None else (~mask.unsqueeze(-1)).unbind(1)
        i, f, o, g = (part.unbind(0) for part in gates.split(hidden, dim=-1))
        all_h, all_c, all_tanh = h.unbind(1), c.unbind(1), tanh_c.unbind(1)
        inputs = [*xw.unbind(1), *[later] * (num_steps - num_given)]
        minus_one = xw.new_full((num_members, num_items, hidden), -1.0)
        gates[0] = xw[:, 0]  # the state is zero
        for t, (xw_t, gates_t, g_t) in enumerate(zip(inputs, gates.unbind(0), tanh_g.unbind(0), strict=True)):
            h_t, c_t, tanh_t = all_h[t + 1], all_c[t + 1], all_tanh[t + 1]
            if t > 0:
                torch.baddbmm(xw_t, all_h[t], weight, out=gates_t)
            g[t].mul_(2.0)
            gates_t.sigmoid_()
            torch.add(minus_one, g[t], alpha=2.0, out=g_t)
            torch.mul(f[t], all_c[t], out=c_t).addcmul_(i[t], g_t)
            torch.mul(c_t, 2.0, out=tanh_t).sigmoid_()
            torch.add(minus_one, tanh_t, alpha=2.0, out=tanh_t)
            torch.mul(o[t], tanh_t, out=h_t)
            if keep is not None:
                torch.where(keep[t], all_h[t], h_t, out=h_t)
                torch.where(keep[t], all_c[t], c_t, out=c_t)
        ctx.save_for_backward(weight, mask)
        ctx.set_materialize_grads(False)
        ctx.num_given, ctx.h = num_given, h
        ctx.steps = (gates.unbind(0), tanh_g.unbind(0), i, f, o, all_c, all_tanh)
        return h[:, 1:], c[:], all_h[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - torch calls it by position
        ctx: Any, *grad_outputs: Tensor | None
    ) -> tuple[Tensor, Tensor | None, Tensor, None, None, None]:
        grad_h, grad_c, grad_last = grad_outputs
        weight, mask = ctx.saved_tensors
        all_gates, all_g, i, f, o, all_c, all_tanh = ctx.steps
        num_steps, (num_members, num_items, _), hidden = len(all_gates), all_gates[0].shape, weight.shape[1]
        weight_KGH = weight.transpose(1, 2)
        keep = None if mask is None else (~mask.unsqueeze(-1)).unbind(1)
        grad_a = weight.new_empty(num_members, num_steps, num_items, 4 * hidden)
        all_a = grad_a.unbind(1)
        into_gates = torch.empty_like(all_gates[0])
        into_i, into_f, into_o, into_g = into_gates.split(hidden, dim=-1)
        zeros = torch.zeros_like(all_c[0])
        from_h, from_c = _steps(grad_h, num_steps), _steps(grad_c, num_steps + 1)[1:]
        dh, dc = _plus(grad_last, from_h[-1], zeros), _plus(None, from_c[-1], zeros)
        for t in range(num_steps - 1, -1, -1):
            dc_t = dh * o[t]
            _tanh_backward(dc_t, all_tanh[t + 1], grad_input=dc_t).add_(dc)
            torch.mul(dc_t, all_g[t], out=into_i)
            torch.mul(dc_t, all_c[t], out=into_f)
            torch.mul(dh, all_tanh[t + 1], out=into_o)
            torch.addcmul(zeros, dc_t, i[t], value=4.0, out=into_g)  # 2 from each side of the sigmoid
            _sigmoid_backward(into_gates, all_gates[t], grad_input=all_a[t])
            if keep is not None:
                all_a[t].masked_fill_(keep[t], 0.0)
            if t == 0:
                break
            dh_before, dc_before = torch.bmm(all_a[t], weight_KGH), dc_t.mul_(f[t])
            if keep is not None:
                torch.where(keep[t], dh, dh_before, out=dh_before)
                torch.where(keep[t], dc, dc_before, out=dc_before)
            dh, dc = _plus(from_h[t - 1], dh_before, zeros), _plus(from_c[t - 1], dc_before, zeros)
        grad_weight = product(ctx.h[:, 1:-1].flatten(1, 2).transpose(1, 2), grad_a[:, 1:].flatten(1, 2))
        if ctx.num_given == num_steps:
            return grad_a, None, grad_weight, None, None, None
        grad_later = grad_a[:, ctx.num_given :].flatten(1, 2).sum(dim=1, keepdim=True)
        return grad_a[:, : ctx.num_given], grad_later, grad_weight, None, None, None


def _steps(grad: Tensor | None, num_steps: int) -> list[Tensor | None]:
    return [None] * num_steps if grad is None else list(grad.unbind(1))


def _plus(one: Tensor | None, other: Tensor | None, zeros: Tensor) -> Tensor:
    if one is None or other is None:
        return other if one is None and other is not None else one if one is not None else zeros
    return one + other
