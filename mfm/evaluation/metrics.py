"""Scores of predictions, as the field defines them, on numpy arrays; docs/metrics.md has each with its source.

Shapes: N items, C targets. `modes` names every score and says which side is better; it needs no data, so that a
study can declare its columns before it runs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mfm.data.dataset import Task


def modes(task: Task) -> dict[str, str]:
    """Names of the scores of a task, each with "min" or "max"."""
    if task.kind == "classification":
        return {"cross_entropy": "min", "accuracy": "max", "balanced_accuracy": "max", "f1": "max"}
    names = {"mae": "min", "r": "max"}
    if task.threshold is not None and len(task.targets) == 1:
        names |= {"acc2": "max", "f1": "max"}
        if task.neutral is not None:
            names |= {"acc2_non0": "max", "f1_non0": "max"}
    if (levels := num_levels(task)) is not None:
        names |= {f"acc{levels}": "max", f"acc{levels}_unclipped": "max"}
    if len(task.targets) > 1:
        names |= {f"{name}_{target}": mode for name, mode in _each_modes(task).items() for target in task.targets}
    return names


def _each_modes(task: Task) -> dict[str, str]:
    """The scores that each of several targets has."""
    levels = num_levels(task)
    return {"mae": "min", "r": "max"} | ({} if levels is None else {f"acc{levels}": "max"})


def epoch_modes(task: Task, modalities: Sequence[str]) -> dict[str, str]:
    """Every metric that training reports of an epoch, with "min" or "max"."""
    return {"train_loss": "min", **{f"valid_{name}": mode for name, mode in _fold_modes(task, modalities).items()}}


def outcome_modes(task: Task, modalities: Sequence[str], *, styled: bool = False) -> dict[str, str]:
    """Every metric that a run may end with, those of an epoch included; with probes where items have a known style."""
    probes = probe_modes(modalities) if styled else {}
    tests = {f"test_{name}": mode for name, mode in {**_fold_modes(task, modalities), **probes}.items()}
    return {**epoch_modes(task, modalities), **tests, "parameters": "min"}


def probe_modes(modalities: Sequence[str]) -> dict[str, str]:
    """The probes of factors: F_y is to hold the label and no style, the generative factors the converse."""
    own = (*modalities, "shared")
    return {
        "probe_label_y": "max",
        **{f"probe_label_{name}": "min" for name in own},
        "probe_label_chance": "min",
        "probe_style_y": "min",
        **{f"probe_style_{name}": "max" for name in own},
    }


def _fold_modes(task: Task, modalities: Sequence[str]) -> dict[str, str]:
    reconstructions = {f"reconstruction_{m}": "min" for m in modalities}
    return {**modes(task), "label_loss": "min", **reconstructions, "mmd": "min"}


def num_levels(task: Task) -> int | None:
    """Whole ratings between the ends of the scale: 7 for -3..3; None without a scale."""
    return None if task.low is None or task.high is None else round(task.high - task.low) + 1


def score(task: Task, prediction: np.ndarray, target: np.ndarray) -> dict[str, float]:
    """All scores of `modes(task)`; all are NaN where a prediction is not finite, for the member has diverged.

    >>> task = Task(kind="regression", targets=("mood",))
    >>> score(task, np.array([[0.0], [1.0]]), np.array([[0.5], [1.0]]))["mae"]
    0.25

    Args:
        prediction: (N, C) values, or logits of the classes.
        target: (N, C) values, or (N,) class indices.
    """
    if not np.isfinite(prediction).all():
        return dict.fromkeys(modes(task), float("nan"))
    return (
        _score_classes(prediction, target) if task.kind == "classification" else _score_values(task, prediction, target)
    )


def _score_values(task: Task, prediction: np.ndarray, target: np.ndarray) -> dict[str, float]:
    scores = {"mae": mean_absolute_error(prediction, target), "r": pearson_r(prediction, target)}
    if task.threshold is not None and len(task.targets) == 1:
        scores |= _score_binary(task, task.threshold, prediction[:, 0], target[:, 0])
    if (levels := num_levels(task)) is not None:
        clipped = np.clip(prediction, task.low, task.high)
        scores[f"acc{levels}"] = _rounded_accuracy(clipped, target)
        scores[f"acc{levels}_unclipped"] = _rounded_accuracy(prediction, target)
    if len(task.targets) > 1:
        scores |= _per_target(task, prediction, target)
    return scores


def mean_absolute_error(prediction: np.ndarray, target: np.ndarray) -> float:
    """Mean over items and targets."""
    return float(np.abs(prediction - target).mean())


def pearson_r(prediction: np.ndarray, target: np.ndarray) -> float:
    """Pearson correlation, mean over targets; 0 for a target on which either side is constant."""
    return float(np.mean(_pearson_r(prediction, target)))


def _pearson_r(prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
    """By target (C,)."""
    p, t = (a.astype(np.float64) - a.mean(axis=0, dtype=np.float64) for a in (prediction, target))
    norms = np.sqrt((p**2).sum(axis=0) * (t**2).sum(axis=0))
    return np.divide((p * t).sum(axis=0), norms, out=np.zeros_like(norms), where=norms > 0)


def weighted_f1(predicted: np.ndarray, actual: np.ndarray) -> float:
    """F1 of every class of `actual`, weighted by its items ("weighted avg" of scikit-learn)."""
    total = 0.0
    for label in np.unique(actual):
        hits = float(((predicted == label) & (actual == label)).sum())
        support, claimed = float((actual == label).sum()), float((predicted == label).sum())
        total += support * 2 * hits / (support + claimed)
    return total / len(actual)


def _score_binary(task: Task, threshold: float, prediction: np.ndarray, target: np.ndarray) -> dict[str, float]:
    predicted, actual = (_positive(task, threshold, a) for a in (prediction, target))
    scores = {"acc2": float((predicted == actual).mean()), "f1": weighted_f1(predicted, actual)}
    if task.neutral is not None:
        polar = target != task.neutral
        predicted, actual = prediction[polar] > task.neutral, target[polar] > task.neutral
        scores |= {"acc2_non0": float((predicted == actual).mean()), "f1_non0": weighted_f1(predicted, actual)}
    return scores


def _positive(task: Task, threshold: float, values: np.ndarray) -> np.ndarray:
    return values >= threshold if task.positive_at_threshold else values > threshold


def _rounded_accuracy(prediction: np.ndarray, target: np.ndarray) -> float:
    return float((np.round(prediction) == np.round(target)).mean())


def _per_target(task: Task, prediction: np.ndarray, target: np.ndarray) -> dict[str, float]:
    values = {"mae": np.abs(prediction - target).mean(axis=0), "r": _pearson_r(prediction, target)}
    if (levels := num_levels(task)) is not None:
        clipped = np.clip(prediction, task.low, task.high)
        values[f"acc{levels}"] = (np.round(clipped) == np.round(target)).mean(axis=0)
    return {f"{name}_{t}": float(own_C[c]) for name, own_C in values.items() for c, t in enumerate(task.targets)}


def _score_classes(logits: np.ndarray, target: np.ndarray) -> dict[str, float]:
    """Balanced accuracy is the mean recall of the classes that the items have."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    predicted = logits.argmax(axis=1)
    recalls = [float((predicted[target == label] == label).mean()) for label in np.unique(target)]
    return {
        "cross_entropy": float(-log_p[np.arange(len(target)), target].mean()),
        "accuracy": float((predicted == target).mean()),
        "balanced_accuracy": float(np.mean(recalls)),
        "f1": weighted_f1(predicted, target),
    }
