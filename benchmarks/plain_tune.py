"""The no-op objective on plain Ray Tune, as its documentation has one write it: a function, OptunaSearch, ASHA.

Tune's own loggers and checkpointing are on, as they are by default; one trial is one run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch

EPOCHS = 10
PARAMS = ("a", "b", "c", "d")


def train(config: dict[str, Any]) -> None:
    """Reports a number for every epoch, without training."""
    for epoch in range(1, EPOCHS + 1):
        loss = sum((config[param] - 0.3) ** 2 for param in PARAMS) + 1 / epoch
        tune.report({"valid_loss": loss})


def run(num_trials: int, folder: Path) -> None:
    """Runs so many trials on the connected Ray."""
    tuner = tune.Tuner(
        train,
        param_space={param: tune.uniform(0, 1) for param in PARAMS},
        tune_config=tune.TuneConfig(
            metric="valid_loss",
            mode="min",
            num_samples=num_trials,
            search_alg=OptunaSearch(),
            scheduler=ASHAScheduler(),
        ),
        run_config=tune.RunConfig(storage_path=str(folder), verbose=0),
    )
    tuner.fit()
