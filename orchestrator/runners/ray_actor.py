"""The worker's side of the Ray runner: an actor that steps through attempts, one pack after the other."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import Any, cast

import ray
from ray import tune

from orchestrator.process.hang_watchdog import Watchdog
from orchestrator.runners.attempt import Attempt, Report
from orchestrator.storage.results_folder import Folder
from orchestrator.study.objective import Objective
from orchestrator.study.runs import Pack


class PackTrainable(tune.Trainable):
    """An actor that trains one pack after the other."""

    def setup(self, config: dict[str, Any]) -> None:
        """Begins the first pack."""
        if not config["resources"].get("GPU"):
            os.environ["CUDA_VISIBLE_DEVICES"] = ""  # the node's GPUs are for packs that have asked for one
        self._objective = cast(Objective, ray.get(config["objective"]))
        self._begin(config)

    def step(self) -> dict[str, Any]:
        """Trains until there is something to tell."""
        message = self._attempt.step(self._survivors)
        return {"message": message, "done": not isinstance(message, Report)}

    def survive(self, run_ids: Collection[str]) -> None:
        """Says which runs go on."""
        self._survivors = run_ids

    def checkpoint(self) -> None:
        """Writes a checkpoint of the last finished epoch."""
        self._attempt.save()

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Begins another pack."""
        self._begin(new_config)
        return True

    def get_auto_filled_metrics(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """What Tune adds to a result, without the pack itself: it would travel with every epoch."""
        return {k: v for k, v in super().get_auto_filled_metrics(*args, **kwargs).items() if k != "config"}

    def _begin(self, config: Mapping[str, Any]) -> None:
        pack, folder = cast(Pack, config["pack"]), Folder.at(config["results"])
        self._survivors: Collection[str] | None = None
        watchdog = Watchdog(folder.attempt(pack.pack_id, pack.attempt), least=config["hang_seconds"])
        self._attempt = Attempt(
            self._objective,
            pack,
            folder,
            checkpoint_seconds=config["checkpoint_seconds"],
            gpu_share=config["resources"].get("GPU", 0.0),
            report_seconds=config["report_seconds"],
            rung=config["rung"],
            watching=watchdog.watching,
        )
