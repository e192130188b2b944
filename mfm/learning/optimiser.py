"""Parameters as one row per member, and what moves and remembers those rows.

Shapes: K members, P parameters of one member, M metrics. Everything that changes while training is a tensor with
the members' axis in front, so that a pack is saved, restored and made smaller row by row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

PLATEAU_PATIENCE, PLATEAU_FACTOR, PLATEAU_THRESHOLD = 10, 0.1, 1e-4


def bind(model: nn.Module, theta_KP: Tensor) -> list[nn.Parameter]:
    """Makes every parameter of `model` a view of `theta_KP`, in the order of `named_parameters`."""
    parameters = []
    offset = 0
    for path, old in list(model.named_parameters()):
        size = old[0].numel()
        view = theta_KP[:, offset : offset + size].view(len(theta_KP), *old.shape[1:])
        owner, _, name = path.rpartition(".")
        parameters.append(nn.Parameter(view))
        setattr(model.get_submodule(owner), name, parameters[-1])
        offset += size
    assert offset == theta_KP.shape[1], "theta has one column per parameter"
    return parameters


def flat_gradient(losses_K: Tensor, parameters: Sequence[nn.Parameter], *, out: Tensor) -> Tensor:
    """grad_KP, written to `out`. Members share nothing: the gradient of the sum holds each one's own."""
    gradients = torch.autograd.grad(losses_K.sum(), parameters, allow_unused=True)
    pairs = zip(parameters, gradients, strict=True)
    return torch.cat([(torch.zeros_like(p) if g is None else g).flatten(1) for p, g in pairs], dim=1, out=out)


class Adam:
    """PyTorch's Adam (Kingma and Ba 2015) on one row per member, each with the member's own settings.

    Args:
        hyper: (K,) tensors "lr", "weight_decay" (L2) and "clip" (largest gradient norm; 0: not clipped).
    """

    def __init__(self, theta_KP: Tensor, hyper: Mapping[str, Tensor]) -> None:
        self.rows = {
            "theta": theta_KP,
            "adam_mean": torch.zeros_like(theta_KP),
            "adam_square": torch.zeros_like(theta_KP),
            "adam_steps": theta_KP.new_zeros(len(theta_KP)),
        }
        self._lr, self._clip = hyper["lr"].tolist(), hyper["clip"].tolist()
        self._members = [nn.Parameter(row) for row in theta_KP]
        decays = hyper["weight_decay"].tolist()
        groups = [{"params": [row], "weight_decay": decay} for row, decay in zip(self._members, decays, strict=True)]
        self._adam = torch.optim.Adam(groups, fused=True)
        for row, mean, square, steps in zip(self._members, *list(self.rows.values())[1:], strict=True):
            self._adam.state[row] = {"step": steps, "exp_avg": mean, "exp_avg_sq": square}

    def reset(self) -> None:
        """Forgets all moments, as a new optimiser has none."""
        for name in ("adam_mean", "adam_square", "adam_steps"):
            self.rows[name].zero_()

    def step(
        self,
        grad_KP: Tensor,
        *,
        lr_scale_K: Tensor,
        active_K: Tensor | None = None,
        frozen_P: Tensor | None = None,
    ) -> None:
        """One update in place; members that are not active (they had no items) stay as they are.

        Args:
            frozen_P: True for parameters that stay, whatever their decay and moments; None: none does.
        """
        theta_KP = self.rows["theta"]
        kept = None if frozen_P is None else theta_KP[:, frozen_P]
        active = [True] * len(self._members) if active_K is None else active_K.tolist()
        for k, (row, group) in enumerate(zip(self._members, self._adam.param_groups, strict=True)):
            row.grad = grad_KP[k] if active[k] else None
            group["lr"] = self._lr[k] * float(lr_scale_K[k])
            if self._clip[k] > 0:
                nn.utils.clip_grad_norm_(row, self._clip[k])
        self._adam.step()
        if frozen_P is not None and kept is not None:
            theta_KP[:, frozen_P] = kept


class Plateau:
    """ReduceLROnPlateau with PyTorch's defaults, per member; `enabled` False leaves the rate alone."""

    def __init__(self, like_KP: Tensor, *, enabled: bool) -> None:
        self._enabled = enabled
        zeros_K = like_KP.new_zeros(len(like_KP))
        self.rows = {"lr_scale": zeros_K + 1, "plateau_best": zeros_K + torch.inf, "plateau_epochs": zeros_K.clone()}

    def reset(self) -> None:
        """Starts anew: the full rate, and nothing seen."""
        for name, value in (("lr_scale", 1.0), ("plateau_best", torch.inf), ("plateau_epochs", 0.0)):
            self.rows[name].fill_(value)

    @property
    def lr_scale_K(self) -> Tensor:
        """What to multiply the learning rate with."""
        return self.rows["lr_scale"]

    def step(self, loss_K: Tensor) -> None:
        """Takes note of an epoch's validation loss."""
        if not self._enabled:
            return
        scale, best, epochs = self.rows.values()
        better = loss_K < best * (1 - PLATEAU_THRESHOLD)
        best.copy_(torch.where(better, loss_K, best))
        epochs.copy_(torch.where(better, 0.0, epochs + 1))
        tired = epochs > PLATEAU_PATIENCE
        scale.mul_(torch.where(tired, PLATEAU_FACTOR, 1.0))
        epochs.mul_(~tired)


class Best:
    """The parameters and metrics of every member's best epoch; ties go to the earlier one."""

    def __init__(self, theta_KP: Tensor, *, num_metrics: int) -> None:
        num_members = len(theta_KP)
        self.rows = {
            "best_theta": theta_KP.clone(),
            "best_epoch": torch.zeros(num_members, dtype=torch.int64),
            "best_value": torch.full((num_members,), torch.inf, dtype=torch.float64),
            "best_metrics": torch.full((num_members, num_metrics), torch.nan, dtype=torch.float64),
        }

    def step(self, epoch: int, theta_KP: Tensor, *, value_K: Tensor, metrics_KM: Tensor) -> None:
        """Takes note of an epoch; smaller values are better, and the first epoch is better than none."""
        theta, best_epoch, best_value, best_metrics = self.rows.values()
        better = (value_K < best_value) | (best_epoch == 0)
        best_epoch[better] = epoch
        best_value[better] = value_K[better]
        best_metrics[better] = metrics_KM[better]
        here = better.to(theta.device)
        theta[here] = theta_KP[here]
