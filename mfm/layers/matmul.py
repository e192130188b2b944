"""Matrix products for K members, by the faster of the two libraries that PyTorch brings along for CPUs.

Shapes: K members, N rows (steps times items), I inputs, O outputs.

`torch.bmm` calls MKL, which on AMD's processors reaches less than half of the rate that oneDNN reaches on large
float32 products; on small ones a call of oneDNN costs more than it saves. Which one computes a product depends on
its shape and on the processor alone, so that the same run has the same bits each time.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# Multiplications of one member's product from which on a call of oneDNN for each member is faster.
LARGE = 2_000_000

_IS_FAST = torch.backends.mkldnn.is_available() and torch.backends.cpu.get_cpu_capability() == "AVX512"
_onednn = getattr(torch.ops.mkldnn, "_linear_pointwise", None) if _IS_FAST else None


def affine(x: Tensor, weight_KIO: Tensor, bias_K1O: Tensor, *, steps_in_front: bool = False) -> Tensor:
    """(K, ..., I) -> (K, ..., O): x W + b.

    Args:
        steps_in_front: a large (K, T, B, O) may lie in memory as (T, K, B, O), as recurrences read it.
    """
    if _is_large(x.flatten(1, -2), weight_KIO):
        return _Affine.apply(x, weight_KIO, bias_K1O, steps_in_front)  # type: ignore[return-value]
    return torch.baddbmm(bias_K1O, x.flatten(1, -2), weight_KIO).unflatten(1, x.shape[1:-1])


def product(x_KNI: Tensor, weight_KIO: Tensor, bias_K1O: Tensor | None = None) -> Tensor:
    """Gives x W + b (K, N, O), without a gradient."""
    if _is_large(x_KNI, weight_KIO):
        rows = _each(x_KNI, weight_KIO, bias_K1O)
        return rows[0].unsqueeze(0) if len(rows) == 1 else torch.stack(rows)
    return torch.bmm(x_KNI, weight_KIO) if bias_K1O is None else torch.baddbmm(bias_K1O, x_KNI, weight_KIO)


class _Affine(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, steps_in_front: bool) -> Tensor:
        ctx.save_for_backward(x, weight)
        rows = [y.unflatten(0, x.shape[1:-1]) for y in _each(x.flatten(1, -2), weight, bias)]
        if len(rows) == 1:
            return rows[0].unsqueeze(0)
        return torch.stack(rows, dim=1).transpose(0, 1) if steps_in_front else torch.stack(rows)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - torch calls it by position
        ctx: Any, *grad_outputs: Tensor
    ) -> tuple[Tensor | None, Tensor, Tensor, None]:
        x, weight = ctx.saved_tensors
        grad_KNO = grad_outputs[0].flatten(1, -2)
        into_x = product(grad_KNO, weight.transpose(1, 2)).view_as(x) if ctx.needs_input_grad[0] else None
        return into_x, product(x.flatten(1, -2).transpose(1, 2), grad_KNO), grad_KNO.sum(dim=1, keepdim=True), None


def _is_large(x_KNI: Tensor, weight_KIO: Tensor) -> bool:
    return (
        _onednn is not None
        and x_KNI.device.type == "cpu"
        and x_KNI.dtype == torch.float32
        and x_KNI.shape[1] * x_KNI.shape[2] * weight_KIO.shape[2] >= LARGE
    )


def _each(x_KNI: Tensor, weight_KIO: Tensor, bias_K1O: Tensor | None) -> list[Tensor]:
    """Every member's x W + b (N, O), by oneDNN."""
    assert _onednn is not None
    biases = [None] * len(x_KNI) if bias_K1O is None else bias_K1O.squeeze(1).unbind(0)
    parts = zip(x_KNI.unbind(0), weight_KIO.transpose(1, 2).unbind(0), biases, strict=True)
    return [_onednn(x, weight, bias, "none", [], "") for x, weight, bias in parts]
