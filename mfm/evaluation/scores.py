"""Scores of a pack on items it is not trained on.

Shapes: K members, N items, B items of a batch, C outputs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mfm.data.dataset import Dataset
from mfm.evaluation.metrics import score
from mfm.inputs.batch import Batch
from mfm.inputs.batch_loader import Feed, Rows
from mfm.layers.random_streams import Noise, Quiet
from mfm.learning.losses import label_loss, mmd, reconstruction_losses
from mfm.model.latent_codes import Posterior
from mfm.model.mfm import Output

BATCH_SIZE = 128
# The kernel under which every prior is measured, whichever it was trained with: an inert prior is seen to be so.
COMMON_KERNEL = "mmd_2d"
Code = Tensor | Posterior


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """What a pack says of some items."""

    prediction_KNC: np.ndarray
    losses: Mapping[str, np.ndarray]  # (K,): label_loss, reconstruction_<modality>, mmd


@torch.no_grad()
def predict(model: Callable[[Batch, Noise], Output], feed: Feed, rows: Sequence[np.ndarray]) -> Predictions:
    """Predictions and losses; `rows` holds one array of items per member.

    Args:
        model: an MFM, or what answers in its place.
    """
    everything = Rows.of(rows)
    predictions, codes = [], defaultdict[str, list[Code]](list)
    losses = _WeightedMeans()
    for part in everything.batches(BATCH_SIZE):
        batch = feed.batch(part)
        output = model(batch, Quiet())
        predictions.append(output.prediction)
        for name, z in output.latents.items():
            codes[name].append(output.posteriors.get(name, z))
        losses.add("label_loss", label_loss(output.prediction, batch.target, batch.weight_KB), batch.num_items_K)
        for name, value_K in reconstruction_losses(output, batch).items():
            weight = batch.weight(name)
            places = float(batch.x[name][0, ..., 0].numel())
            data_K = torch.full_like(value_K, places) if weight is None else weight.flatten(1).sum(dim=1)
            losses.add(f"reconstruction_{name}", value_K, data_K)
    result = losses.means()
    if codes:
        result["mmd"] = _achieved_mmd(codes, everything).cpu().numpy()
    return Predictions(prediction_KNC=torch.cat(predictions, dim=1).cpu().numpy(), losses=result)


def scores(dataset: Dataset, predictions: Predictions, rows: Sequence[np.ndarray]) -> list[dict[str, float]]:
    """Every score of every member."""
    result = []
    for k, own in enumerate(rows):
        values = score(dataset.task, predictions.prediction_KNC[k, : len(own)], dataset.target[own])
        result.append(values | {name: float(loss_K[k]) for name, loss_K in predictions.losses.items()})
    return result


def items(dataset: Dataset, prediction_NC: np.ndarray, rows: np.ndarray) -> dict[str, np.ndarray]:
    """One row per item and target: item, group, target, y, prediction (the class, where there are classes)."""
    task, num_items = dataset.task, len(rows)
    predicted = prediction_NC[:num_items]
    if task.kind == "classification":
        predicted = predicted.argmax(axis=1)[:, None]
    actual = dataset.target[rows].reshape(num_items, -1)
    width = actual.shape[1]
    return {
        "item": np.repeat(dataset.item[rows], width),
        "group": np.repeat(dataset.group[rows], width),
        "target": np.tile(np.array(task.targets), num_items),
        "y": actual.reshape(-1).astype(np.float64),
        "prediction": predicted.reshape(-1).astype(np.float64),
    }


def _sample(name: str, parts: Sequence[Code]) -> Tensor:
    """One value (K, B, Z) of a code for each of the first items."""
    if not isinstance(parts[0], Posterior):
        return torch.cat(parts, dim=1)[:, : Quiet.ROWS]  # type: ignore[arg-type]
    mean, log_variance = (torch.cat(values, dim=1)[:, : Quiet.ROWS] for values in zip(*parts, strict=True))
    return Posterior(mean, log_variance).at(Quiet().normal(f"latent_{name}", mean))


class _WeightedMeans:
    """Means over batches, weighted by what each batch's value is a mean over."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._weights: dict[str, Tensor] = {}

    def add(self, name: str, value_K: Tensor, weight_K: Tensor) -> None:
        self._sums[name] = self._sums.get(name, torch.zeros_like(value_K)) + value_K * weight_K
        self._weights[name] = self._weights.get(name, torch.zeros_like(weight_K)) + weight_K

    def means(self) -> dict[str, np.ndarray]:
        return {name: (total / self._weights[name].clamp_min(1)).cpu().numpy() for name, total in self._sums.items()}


def _achieved_mmd(codes: Mapping[str, Sequence[Code]], rows: Rows) -> Tensor:
    """Mean over the codes of the squared MMD with N(0, I), on the first items (K,): the statistic needs all pairs.

    Codes that have a distribution are sampled: it is the aggregate of Q(Z|X) that is to match the prior, not its means.
    """
    weight = None if rows.weight_KN is None else torch.from_numpy(rows.weight_KN[:, : Quiet.ROWS])
    values = []
    for name, parts in codes.items():
        z = _sample(name, parts)
        own = None if weight is None else weight.to(z.device)
        values.append(mmd(z, Quiet().normal(name, z), kernel=COMMON_KERNEL, weight_KB=own))
    return torch.stack(values).mean(dim=0)
