"""Training of networks beside a model that is trained already: as many epochs, the same items, the same optimiser.

Shapes: K members, P parameters of one member.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from mfm.inputs.batch import Batch
from mfm.inputs.batch_loader import Feed, Rows
from mfm.layers.linear import initialise
from mfm.layers.random_streams import Fresh, Noise, Quiet, permutation
from mfm.learning.optimiser import Adam, Best, bind, flat_gradient


class Learner(Protocol):
    """What has a loss of its own."""

    def loss(self, batch: Batch, noise: Noise) -> Tensor:
        """What is made small (K,)."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Lesson:
    """What to learn from, and how long."""

    feed: Feed
    folds: Mapping[str, Sequence[np.ndarray]]  # by fold, one array of items per member
    seeds: Sequence[int]
    hyper: Mapping[str, Tensor]  # (K,) by hyperparameter: lr, weight_decay, clip
    rates: Mapping[str, Tensor]  # (K,) by hyperparameter: dropout rates
    batch_size: int
    epochs: int
    device: torch.device


def fit(network: nn.Module, learner: Learner, lesson: Lesson) -> None:
    """Trains all members from the start and leaves each at its epoch with the smallest loss on validation items.

    Args:
        network: `learner` as a module, on the meta device.
    """
    num_values = sum(p[0].numel() for p in network.parameters())
    theta_KP = torch.empty(len(lesson.seeds), num_values, device=lesson.device)
    parameters = bind(network, theta_KP)
    initialise(network, lesson.seeds)
    adam, best = Adam(theta_KP, lesson.hyper), Best(theta_KP, num_metrics=0)
    gradient, scale_K = torch.empty_like(theta_KP), theta_KP.new_ones(len(theta_KP))
    for epoch in range(1, lesson.epochs + 1):
        for number, batch in enumerate(_batches(lesson, epoch)):
            loss_K = learner.loss(batch, _noise(lesson, (epoch, number)))
            adam.step(
                flat_gradient(loss_K, parameters, out=gradient),
                lr_scale_K=scale_K,
                active_K=None if batch.weight_KB is None else batch.num_items_K > 0,
            )
        value_K = _validation_loss(learner, lesson)
        best.step(epoch, theta_KP, value_K=value_K, metrics_KM=value_K.new_empty(len(value_K), 0))
    bind(network, best.rows["best_theta"])


def _batches(lesson: Lesson, epoch: int) -> Iterator[Batch]:
    ordered = [
        own[permutation(seed, epoch, len(own))] for seed, own in zip(lesson.seeds, lesson.folds["train"], strict=True)
    ]
    return map(lesson.feed.batch, Rows.of(ordered).batches(lesson.batch_size))


def _noise(lesson: Lesson, step: tuple[int, int]) -> Noise:
    return Fresh(lesson.seeds, rates=lesson.rates, step=step, room=(lesson.feed.num_steps, lesson.batch_size))


@torch.no_grad()
def _validation_loss(learner: Learner, lesson: Lesson) -> Tensor:
    """Mean over the validation items (K,)."""
    total_K, items_K = torch.zeros(2, len(lesson.seeds), dtype=torch.float64, device=lesson.device)
    for part in Rows.of(lesson.folds["valid"]).batches(128):
        batch = lesson.feed.batch(part)
        total_K += learner.loss(batch, Quiet()) * batch.num_items_K
        items_K += batch.num_items_K
    return (total_K / items_K).cpu()
