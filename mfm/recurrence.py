"""The recurrence of an LSTM, for K members at once.

Shapes: K members, T steps, B items, H hidden units, G = 4H gates in the order input, forget, output, candidate.

Equations (Hochreiter and Schmidhuber 1997, with forget gates): with a_t = xw_t + h_{t-1} W,

    i, f, o = sigmoid(a_i, a_f, a_o);  g = tanh(a_g);  c_t = f c_{t-1} + i g;  h_t = o tanh(c_t).

Everything that does not depend on the previous step is outside of the loop over time: the projection of the
inputs (by the caller), the factors of the gradient, and the gradient of W, which is one product over all steps.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def lstm(xw_KTBG: Tensor, weight_KHG: Tensor, mask_KTB: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Hidden states and cells of all steps, from a zero state.

    Args:
        xw_KTBG: projected inputs, biases included.
        weight_KHG: recurrent weights.
        mask_KTB: where False, a step keeps the state of the step before; None: every step counts.

    Returns:
        h_KTBH and c_KTBH.
    """
    return _Lstm.apply(xw_KTBG, weight_KHG, mask_KTB)  # type: ignore[no-any-return]


class _Lstm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, xw: Tensor, weight: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        (num_members, num_steps, num_items, _), hidden = xw.shape, weight.shape[1]
        gates = torch.empty_like(xw, memory_format=torch.contiguous_format)
        # Step 0 of these two is the zero state, so that "the step before" is a view.
        h = xw.new_zeros(num_members, num_steps + 1, num_items, hidden)
        c = torch.zeros_like(h)
        tanh_c = torch.empty_like(h[:, 1:])
        keep = None if mask is None else ~mask.unsqueeze(-1)
        for t in range(num_steps):
            a = torch.baddbmm(xw[:, t], h[:, t], weight)
            torch.sigmoid(a[..., : 3 * hidden], out=gates[:, t, :, : 3 * hidden])
            torch.tanh(a[..., 3 * hidden :], out=gates[:, t, :, 3 * hidden :])
            i, f, o, g = gates[:, t].split(hidden, dim=-1)
            torch.mul(f, c[:, t], out=c[:, t + 1])
            c[:, t + 1].addcmul_(i, g)
            torch.tanh(c[:, t + 1], out=tanh_c[:, t])
            torch.mul(o, tanh_c[:, t], out=h[:, t + 1])
            if keep is not None:
                torch.where(keep[:, t], h[:, t], h[:, t + 1], out=h[:, t + 1])
                torch.where(keep[:, t], c[:, t], c[:, t + 1], out=c[:, t + 1])
        ctx.save_for_backward(weight, gates, h, c, tanh_c, keep)
        return h[:, 1:], c[:, 1:]

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - torch calls it by position
        ctx: Any, *grad_outputs: Tensor
    ) -> tuple[Tensor, Tensor, None]:
        grad_h, grad_c = grad_outputs
        weight, gates, h, c, tanh_c, keep = ctx.saved_tensors
        hidden = weight.shape[1]
        into_gates, into_cell = _factors(gates, c[:, :-1], tanh_c, hidden)
        if keep is not None:
            into_gates.masked_fill_(keep, 0.0)
            into_cell.masked_fill_(keep, 0.0)
        forget = gates[..., hidden : 2 * hidden]
        grad_a = torch.empty_like(gates)
        dh, dc = grad_h[:, -1], grad_c[:, -1]
        weight_KGH = weight.transpose(1, 2)
        for t in range(grad_a.shape[1] - 1, -1, -1):
            da, dc_t = grad_a[:, t], torch.addcmul(dc, dh, into_cell[:, t])
            torch.mul(dc_t, into_gates[:, t, :, :hidden], out=da[..., :hidden])
            torch.mul(dc_t, into_gates[:, t, :, hidden : 2 * hidden], out=da[..., hidden : 2 * hidden])
            torch.mul(dh, into_gates[:, t, :, 2 * hidden : 3 * hidden], out=da[..., 2 * hidden : 3 * hidden])
            torch.mul(dc_t, into_gates[:, t, :, 3 * hidden :], out=da[..., 3 * hidden :])
            if t == 0:
                break
            dh_before = torch.baddbmm(grad_h[:, t - 1], da, weight_KGH)
            dc_before = torch.addcmul(grad_c[:, t - 1], dc_t, forget[:, t])
            if keep is not None:
                dh_before = torch.where(keep[:, t], grad_h[:, t - 1] + dh, dh_before)
                dc_before = torch.where(keep[:, t], grad_c[:, t - 1] + dc, dc_before)
            dh, dc = dh_before, dc_before
        grad_weight = torch.bmm(h[:, :-1].flatten(1, 2).transpose(1, 2), grad_a.flatten(1, 2))
        return grad_a, grad_weight, None


def _factors(gates: Tensor, c_before: Tensor, tanh_c: Tensor, hidden: int) -> tuple[Tensor, Tensor]:
    """What multiplies the gradient of the cell (or of h, for the output gate) to give that of a; and h -> cell."""
    i, f, o, g = gates.split(hidden, dim=-1)
    parts = (g * i * (1 - i), c_before * f * (1 - f), tanh_c * o * (1 - o), i * (1 - g * g))
    return torch.cat(parts, dim=-1), o * (1 - tanh_c * tanh_c)
