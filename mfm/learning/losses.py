"""The joint generative-discriminative objective (paper section 2.2; its code: MFM.md 1.5), per member.

L = weight_label c_Y(Y, D(F_y)) + sum_i weight_i c_Xi(X_i, G_i(F_y, F_ai)) + weight_prior sum_k d(Q(Z_k), N(0, I))

c_Y is the mean absolute error (regression) or the cross-entropy (classes); c_X the mean squared error over the
steps that hold data; the prior's term the squared MMD of a code's aggregate, or the mean KL divergence of Q(Z_k|X).
Shapes: K members, T steps, B items, D features, C outputs, Z the width of a code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import cross_entropy

from mfm.inputs.batch import Batch
from mfm.layers.random_streams import Noise
from mfm.model.latent_codes import Posterior
from mfm.model.mfm import Output
from mfm.params.config import Config
from mfm.params.training_stage import Stage


def total_loss(
    output: Output, batch: Batch, *, config: Config, weights: Mapping[str, Tensor], noise: Noise, stage: Stage
) -> Tensor:
    """L (K,), of the terms that the stage learns from.

    Args:
        weights: (K,) by hyperparameter: weight_label, weight_prior, weight_<modality>.
    """
    terms = []
    if stage != "generative":
        terms.append(weights["weight_label"] * label_loss(output.prediction, batch.target, batch.weight_KB))
    if stage != "label" and config.generative_loss:
        losses = reconstruction_losses(output, batch)
        terms += [weights[f"weight_{name}"] * term_K for name, term_K in losses.items()]
    if stage != "label" and config.prior != "none":
        losses = prior_losses(output, kernel=config.prior, noise=noise, weight_KB=batch.weight_KB)
        terms.append(weights["weight_prior"] * torch.stack(list(losses.values())).sum(dim=0))
    return reduce(torch.add, terms)


def label_loss(prediction_KBC: Tensor, target: Tensor, weight_KB: Tensor | None) -> Tensor:
    """c_Y (K,): mean absolute error over items and targets, or cross-entropy for integer targets."""
    if target.is_floating_point():
        return weighted_mean((prediction_KBC - target).abs().mean(dim=-1), weight_KB)
    losses = cross_entropy(prediction_KBC.flatten(0, 1), target.flatten(), reduction="none")
    return weighted_mean(losses.view_as(target), weight_KB)


def reconstruction_losses(output: Output, batch: Batch) -> dict[str, Tensor]:
    """c_X (K,) by modality: squared error, mean over features, and over the steps (or items) that hold data."""
    result = {}
    for name, x_hat in output.reconstructions.items():
        result[name] = _SquaredError.apply(x_hat, batch.x[name], batch.weight(name))
    return result


class _SquaredError(torch.autograd.Function):
    """The mean squared error (K,), with the difference as the only tensor that it keeps."""

    @staticmethod
    def forward(ctx: Any, x_hat: Tensor, x: Tensor, weight: Tensor | None) -> Tensor:
        difference = x_hat - x
        if weight is None:
            count_K = difference.new_full((len(difference),), float(difference[0].numel()))
        else:
            difference.mul_(weight.unsqueeze(-1))  # 0 or 1: its square is itself
            count_K = weight.flatten(1).sum(dim=1).clamp_min(1.0) * x.shape[-1]
        ctx.save_for_backward(difference, count_K)
        return torch.linalg.vector_norm(difference.flatten(1), dim=1).square() / count_K

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - torch calls it by position
        ctx: Any, *grad_outputs: Tensor
    ) -> tuple[Tensor, None, None]:
        difference, count_K = ctx.saved_tensors
        factor_K = 2 * grad_outputs[0] / count_K
        return difference * factor_K.view(-1, *[1] * (difference.ndim - 1)), None, None


def prior_losses(output: Output, *, kernel: str, noise: Noise, weight_KB: Tensor | None) -> dict[str, Tensor]:
    """How far every code is from N(0, I) (K,): "kl", or the squared MMD with that kernel."""
    if kernel == "kl":
        return kl_losses(output.posteriors, weight_KB)
    return mmd_losses(output.latents, kernel=kernel, noise=noise, weight_KB=weight_KB)


def kl_losses(posteriors: Mapping[str, Posterior], weight_KB: Tensor | None) -> dict[str, Tensor]:
    """KL(Q(Z_k|X) || N(0, I)) (K,) of every code: mean over items, sum over the entries of the code.

    KL = 1/2 sum_d (mu_d^2 + exp(v_d) - 1 - v_d), v the log variance (Kingma and Welling 2014, appendix B). Its
    weight is the beta of Higgins et al. (2017), where label and reconstruction terms are means over items, too. The
    official code sums over items as well, so that its beta grows with the batch (MFM.md 1.6).
    """
    return {
        name: weighted_mean(0.5 * (mean.square() + v.exp() - 1 - v).sum(dim=-1), weight_KB)
        for name, (mean, v) in posteriors.items()
    }


def mmd_losses(
    latents: Mapping[str, Tensor], *, kernel: str, noise: Noise, weight_KB: Tensor | None
) -> dict[str, Tensor]:
    """Squared MMD (K,) of every code with N(0, I)."""
    return {
        name: mmd(z, noise.normal(f"prior_{name}", z), kernel=kernel, weight_KB=weight_KB)
        for name, z in latents.items()
    }


def mmd(z_KBZ: Tensor, sample_KBZ: Tensor, *, kernel: str, weight_KB: Tensor | None = None) -> Tensor:
    """Squared maximum mean discrepancy (K,), the V-statistic of the official code (diagonal included).

    Kernels of the squared distance s at width d: "mmd_official" exp(-s / d^2), nearly flat for wide codes;
    "mmd_2d" exp(-s / 2d); "mmd_imq" 2d / (2d + s) (Tolstikhin et al. 2018).
    """
    num_items = z_KBZ.shape[1]
    if weight_KB is None:
        share_KB = z_KBZ.new_full(z_KBZ.shape[:2], 1 / num_items)
    else:
        share_KB = weight_KB / weight_KB.sum(dim=1, keepdim=True).clamp_min(1.0)
    # Codes count positive and samples negative: of all pairs at once, that is pairs + samples - 2 cross.
    both_KNZ, sign_KN = torch.cat([z_KBZ, sample_KBZ], dim=1), torch.cat([share_KB, -share_KB], dim=1)
    kernel_KNN = _KERNELS[kernel](_squared_distances(both_KNZ), z_KBZ.shape[-1])
    return (torch.bmm(kernel_KNN, sign_KN.unsqueeze(2)).squeeze(2) * sign_KN).sum(dim=1)


_KERNELS: dict[str, Callable[[Tensor, int], Tensor]] = {
    "mmd_official": lambda s, d: torch.exp(-s / d**2),
    "mmd_2d": lambda s, d: torch.exp(-s / (2 * d)),
    "mmd_imq": lambda s, d: 2 * d / (2 * d + s),
}


def _squared_distances(x_KNZ: Tensor) -> Tensor:
    norms_KN = x_KNZ.square().sum(dim=-1)
    norms = norms_KN.unsqueeze(2) + norms_KN.unsqueeze(1)
    return torch.baddbmm(norms, x_KNZ, x_KNZ.transpose(1, 2), alpha=-2).clamp_min(0.0)


def weighted_mean(values: Tensor, weight: Tensor | None) -> Tensor:
    """Mean over all axes but the members', weighted; 0 where all weights are 0."""
    if weight is None:
        return values.flatten(1).mean(dim=1)
    return (values * weight).flatten(1).sum(dim=1) / weight.flatten(1).sum(dim=1).clamp_min(1.0)
