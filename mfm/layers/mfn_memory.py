"""The recurrence of MFN's multi-view gated memory, for K members at once.

Shapes: K members, T steps, B items, U the memory's width, R hidden units of both gates side by side.

    x_t = m_t * ReLU(a_t + u_{t-1} A)            both gates' first layers, with dropout masks m_t
    r_t, s_t = sigmoid(x_t^r B^r + b^r), sigmoid(x_t^s B^s + b^s)
    u_t = r_t u_{t-1} + s_t v_t

The part of the first layers that comes from the attended cells (a_t) and the proposed memory (v_t) are inputs, of
all steps at once; the gradients of the weights are products over all steps.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mfm.layers.matmul import product

_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
_relu_backward = torch.ops.aten.threshold_backward.grad_input


def remember(
    a_KTBR: Tensor,
    v_KTBU: Tensor,
    first_KUR: Tensor,
    second: tuple[Tensor, Tensor],
    bias_K1W: Tensor,
    *,
    dropout_KTBR: Tensor | None,
    mask_KTB: Tensor | None,
) -> Tensor:
    """The memory u_T (K, B, U) after all steps, from a zero memory.

    Args:
        second: B of the retain and of the update gate, each (K, its hidden units, U).
        bias_K1W: b of both gates side by side, W = 2U.
        dropout_KTBR: what to multiply the hidden units with; None: nothing.
        mask_KTB: where False, the memory stays; None: it moves at every step.
    """
    return _Memory.apply(a_KTBR, v_KTBU, first_KUR, *second, bias_K1W, dropout_KTBR, mask_KTB)  # type: ignore[return-value]


class _Memory(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0917 - autograd passes tensors by position
        ctx: Any,
        a: Tensor,
        v: Tensor,
        first: Tensor,
        retain: Tensor,
        update: Tensor,
        bias: Tensor,
        dropout: Tensor | None,
        mask: Tensor | None,
    ) -> Tensor:
        num_members, num_steps, num_items, width = v.shape
        x, u = torch.empty_like(a), v.new_empty(num_members, num_steps + 1, num_items, width)
        r, s = (v.new_empty(num_steps, num_members, num_items, width) for _ in range(2))
        u[:, 0] = 0.0
        split = [retain.shape[1], update.shape[1]]
        bias_r, bias_s = bias.split(width, dim=-1)
        drop = None if dropout is None else dropout.unbind(1)
        keep = None if mask is None else (~mask.unsqueeze(-1)).unbind(1)
        all_u, all_v, all_x, all_r, all_s = u.unbind(1), v.unbind(1), x.unbind(1), r.unbind(0), s.unbind(0)
        x_r, x_s = (part.unbind(1) for part in x.split(split, dim=-1))
        for t, a_t in enumerate(a.unbind(1)):
            hidden = torch.baddbmm(a_t, all_u[t], first).relu_()
            all_x[t].copy_(hidden) if drop is None else torch.mul(hidden, drop[t], out=all_x[t])
            torch.baddbmm(bias_r, x_r[t], retain, out=all_r[t]).sigmoid_()
            torch.baddbmm(bias_s, x_s[t], update, out=all_s[t]).sigmoid_()
            torch.mul(all_r[t], all_u[t], out=all_u[t + 1]).addcmul_(all_s[t], all_v[t])
            if keep is not None:
                torch.where(keep[t], all_u[t], all_u[t + 1], out=all_u[t + 1])
        ctx.save_for_backward(v, first, retain, update, dropout, mask, x, r, s, u)
        return all_u[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - torch calls it by position
        ctx: Any, *grad_outputs: Tensor
    ) -> tuple[Tensor | None, ...]:
        v, first, retain, update, dropout, mask, x, r, s, u = ctx.saved_tensors
        grad_a, grad_v, grad_r, grad_s = (torch.empty_like(values) for values in (x, v, v, v))
        first_T, retain_T, update_T = (w.transpose(1, 2) for w in (first, retain, update))
        split = [retain.shape[1], update.shape[1]]
        drop = None if dropout is None else dropout.unbind(1)
        keep = None if mask is None else (~mask.unsqueeze(-1)).unbind(1)
        all_u, all_v, all_x, all_r, all_s = u.unbind(1), v.unbind(1), x.unbind(1), r.unbind(0), s.unbind(0)
        into_a, into_v, into_r, into_s = (g.unbind(1) for g in (grad_a, grad_v, grad_r, grad_s))
        hidden_r, hidden_s = (part.unbind(1) for part in grad_a.split(split, dim=-1))
        du = grad_outputs[0]
        for t in range(v.shape[1] - 1, -1, -1):
            moving = du if keep is None else du.masked_fill(keep[t], 0.0)
            _sigmoid_backward(moving * all_u[t], all_r[t], grad_input=into_r[t])
            _sigmoid_backward(moving * all_v[t], all_s[t], grad_input=into_s[t])
            torch.mul(moving, all_s[t], out=into_v[t])
            hidden_r[t].copy_(torch.bmm(into_r[t], retain_T))
            hidden_s[t].copy_(torch.bmm(into_s[t], update_T))
            if drop is not None:
                into_a[t].mul_(drop[t])
            _relu_backward(into_a[t], all_x[t], 0, grad_input=into_a[t])
            if t == 0:
                break
            before = torch.baddbmm(moving * all_r[t], into_a[t], first_T)
            du = before if keep is None else torch.where(keep[t], du, before)
        grad_first = _over_steps(u[:, 1:-1], grad_a[:, 1:])  # u is zero before the first step
        grad_retain, grad_update = (
            _over_steps(part, grad) for part, grad in zip(x.split(split, dim=-1), (grad_r, grad_s), strict=True)
        )
        grad_bias = torch.cat([g.flatten(1, 2).sum(dim=1, keepdim=True) for g in (grad_r, grad_s)], dim=-1)
        return grad_a, grad_v, grad_first, grad_retain, grad_update, grad_bias, None, None


def _over_steps(inputs: Tensor, gradients: Tensor) -> Tensor:
    """The gradient of a weight that is used at every step."""
    return product(inputs.flatten(1, 2).transpose(1, 2), gradients.flatten(1, 2))
