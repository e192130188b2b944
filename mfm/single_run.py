"""One MFM, trained on one data set: for a notebook or a script, without a study around it."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from mfm.data.dataset import Dataset
from mfm.evaluation.metrics import epoch_modes
from mfm.pack_training import Member, Outcome, Task
from mfm.params.config import Config, ParamValue, base
from mfm.training import train as train_pack


def train(
    dataset: Dataset,
    params: Mapping[str, ParamValue] | None = None,
    *,
    epochs: int = 20,
    seed: int = 0,
    metric: str | None = None,
    device: str = "auto",
) -> Outcome:
    """Trains one model on the training items, keeps its best epoch by the valid items, and scores the test items.

    >>> dataset, truth = planted(Plan(num_items={"train": 60, "valid": 20, "test": 20}), seed=0)
    >>> outcome = train(dataset, {"encoder": "ef_lstm", "lr": 0.01}, epochs=2)
    >>> outcome.best_epoch in (1, 2), outcome.metrics["test_mae"] > 0
    (True, True)

    Args:
        dataset: with its folds, e.g. `mosi("data/mosi")` or `planted(Plan(), seed=0)[0]`.
        params: hyperparameters that differ from their defaults; `base` has all of them.
        epochs: how often the training items are gone through.
        seed: of the initial weights and of all draws; the same seed gives the same numbers.
        metric: the validation metric whose best epoch is kept; None: valid_mae, or valid_accuracy for classes.
        device: "cpu", "cuda", or "auto" for a GPU where there is one.

    Returns:
        The best epoch, counted from 1; its metrics; the test predictions, one row an item and target; the weights.

    Raises:
        ValueError: a hyperparameter is unknown or out of its range, or the metric is none of this data's task.
    """
    names = dataset.modality_names
    known = epoch_modes(dataset.task, names)
    kept = metric or ("valid_mae" if "valid_mae" in known else "valid_accuracy")
    if kept not in known:
        raise ValueError(f"metric must be one of {sorted(known)}; got {kept!r}")
    config = Config.from_params(base(names, **(params or {})), names)
    member = Member(name="run", config=config, seed=seed, fold=dataset.fold)
    task = Task(epochs=epochs, metric=kept, mode=known[kept], test=True)
    where = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    epochs_of = train_pack(dataset, [member], task=task, device=torch.device(where))
    while True:
        try:
            next(epochs_of)
        except StopIteration as stop:
            return stop.value["run"]
