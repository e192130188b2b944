"""What a factor holds: linear probes of F_y and of every F_a, for the label and for the style of each modality.

A probe is a ridge regression on a frozen factor, fitted on the training items and scored on the test items (Alain and
Bengio 2016). Of classes it gives the accuracy, and `chance` is what the most frequent training class gives; of a style
the share of its variance that is explained, R^2, mean over its entries, where the training mean gives 0. F_y is
probed for the styles of all modalities, F_a for that of its own, a shared F_a for all.

Shapes: N items, F the width of a factor, C columns of a target.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from mfm.data.dataset import Dataset
from mfm.inputs.batch_loader import Feed, Rows
from mfm.layers.random_streams import Quiet
from mfm.model.mfm import MFM

RIDGE = 1e-3
BATCH_SIZE = 128


def scores(
    dataset: Dataset, model: MFM, feed: Feed, *, train: Sequence[np.ndarray], test: Sequence[np.ndarray]
) -> list[dict[str, float]]:
    """The probes of every member, by the names of `metrics.probe_modes`; nothing for a data set without styles.

    Args:
        train: one array of items per member; `test` likewise.
    """
    if not dataset.style:
        return [{} for _ in train]
    known, asked = factors(model, feed, train), factors(model, feed, test)
    return [
        _member(
            dataset,
            {name: values[k, : len(train[k])] for name, values in known.items()},
            {name: values[k, : len(test[k])] for name, values in asked.items()},
            train[k],
            test[k],
        )
        for k in range(len(train))
    ]


@torch.no_grad()
def factors(model: MFM, feed: Feed, rows: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """F (K, N, F) of every code, float64."""
    parts = defaultdict(list)
    for part in Rows.of(rows).batches(BATCH_SIZE):
        for name, factor in model(feed.batch(part), Quiet()).factors.items():
            parts[name].append(factor.double().cpu().numpy())
    return {name: np.concatenate(values, axis=1) for name, values in parts.items()}


def _member(
    dataset: Dataset,
    known: Mapping[str, np.ndarray],
    asked: Mapping[str, np.ndarray],
    train: np.ndarray,
    test: np.ndarray,
) -> dict[str, float]:
    label = dataset.target
    most_frequent = np.bincount(label[train]).argmax()
    found = {"probe_label_chance": float((label[test] == most_frequent).mean())}
    for name in known:
        classes = np.eye(int(label.max()) + 1)[label]
        said = ridge(known[name], classes[train], asked[name])
        right = (said.argmax(axis=1) == label[test]).mean() if np.isfinite(said).all() else np.nan
        found[f"probe_label_{name}"] = float(right)
        own = [name] if name in dataset.style else list(dataset.style)
        style = np.concatenate([dataset.style[m] for m in own], axis=1).astype(np.float64)
        found[f"probe_style_{name}"] = explained(ridge(known[name], style[train], asked[name]), style, train, test)
    return found


def ridge(known_NF: np.ndarray, target_NC: np.ndarray, asked_NF: np.ndarray) -> np.ndarray:
    """What a ridge regression on the standardised entries of `known` says of `asked`; NaN where a factor diverged."""
    mean, sd = known_NF.mean(axis=0), known_NF.std(axis=0)
    scale = np.where(sd > 0, sd, 1.0)
    known, asked = (known_NF - mean) / scale, (asked_NF - mean) / scale
    if not (np.isfinite(known).all() and np.isfinite(asked).all()):
        return np.full((len(asked), target_NC.shape[1]), np.nan)
    middle = target_NC.mean(axis=0)
    gram = known.T @ known + RIDGE * len(known) * np.eye(known.shape[1])
    return asked @ np.linalg.solve(gram, known.T @ (target_NC - middle)) + middle


def explained(said_NC: np.ndarray, target_NC: np.ndarray, train: np.ndarray, test: np.ndarray) -> float:
    """R^2 on the test items, mean over the columns: 1 - squared error / that of the training mean."""
    error = ((said_NC - target_NC[test]) ** 2).sum(axis=0)
    least = ((target_NC[train].mean(axis=0) - target_NC[test]) ** 2).sum(axis=0)
    return float((1 - error / least).mean())
