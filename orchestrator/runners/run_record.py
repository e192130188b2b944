"""A finished run as it is stored: what was asked, what came of it, and what made it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from orchestrator.ledger.parts import Bundle
from orchestrator.ledger.schema import SCHEMA_VERSION
from orchestrator.process.git_commit import Commit
from orchestrator.runners.attempt import EpochDone, Place
from orchestrator.study.objective import Outcome
from orchestrator.study.runs import Fingerprint, Pack, Run
from orchestrator.study.study import Study


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a run ended."""

    status: str  # completed, pruned or failed
    error_kind: str | None = None
    error: str | None = None
    outcome: Outcome | None = None  # of a completed run
    seconds: float = 0.0  # since its last epoch


@dataclass(kw_only=True)
class Course:
    """An attempt at a pack so far."""

    pack: Pack
    survivors: set[str]  # runs that are not over
    place: Place = field(default_factory=lambda: Place(host="", device="", versions={}))
    started_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat())
    epochs: list[EpochDone] = field(default_factory=list)

    def surviving(self) -> list[Run]:
        """The runs that are not over."""
        return [run for run in self.pack if run.run_id in self.survivors]

    def epochs_of(self, run: Run) -> list[EpochDone]:
        """The epochs that a run took part in."""
        return [e for e in self.epochs if run.run_id in e.metrics]


@dataclass(frozen=True, kw_only=True)
class Maker:
    """Makes rows; it holds what all rows of a driver share."""

    study: Study
    fingerprint: Fingerprint
    commit: Commit

    def bundle(self, course: Course, run: Run, ending: Ending) -> Bundle:
        """Everything that is stored of a run."""
        items = None if ending.outcome is None else ending.outcome.items
        evaluations = None if ending.outcome is None else ending.outcome.evaluations
        return Bundle(
            run=self._row(course, run, ending),
            epochs=[{"epoch": e.epoch, **e.metrics[run.run_id]} for e in course.epochs_of(run)],
            items=_plain(items or {}),
            evaluations=_plain(evaluations or {}),
        )

    def _row(self, course: Course, run: Run, ending: Ending) -> dict[str, Any]:
        epochs = course.epochs_of(run)
        best = self._best_epoch(run, epochs) if ending.outcome is None else int(ending.outcome.best_epoch)
        metrics = ending.outcome.metrics if ending.outcome else epochs[best - 1].metrics[run.run_id] if best else {}
        active = self.study.active(run.params)
        return {
            "run_id": run.run_id,
            "study": self.study.name,
            "arm": run.arm,
            "phase": run.phase,
            "tuning": run.tuning,
            "search": run.search,
            "config_id": run.config_id,
            "pack_id": course.pack.pack_id,
            "seed": run.seed,
            "split": run.split,
            "fold": run.fold,
            "retry": run.retry,
            "status": ending.status,
            "error_kind": ending.error_kind,
            "error": ending.error,
            "epochs": len(epochs),
            "epochs_planned": run.epochs,
            "best_epoch": best,
            **{f"param:{param}": active.get(param) for param in self.study.params},
            **{f"metric:{name}": float(value) for name, value in metrics.items()},
            "started_at": course.started_at,
            "ended_at": now(),
            "train_seconds": ending.seconds + sum(e.seconds / len(e.metrics) for e in epochs),
            **self._origin(course.place),
        }

    def _origin(self, place: Place) -> Mapping[str, Any]:
        return {
            "gpu_share": place.gpu_share,
            "device": place.device,
            "host": place.host,
            "git_sha": self.commit.sha or None,
            "git_dirty": self.commit.dirty if self.commit.sha else None,
            "code_sha256": self.fingerprint.code_sha256,
            "data_sha256": self.fingerprint.data_sha256,
            "versions": json.dumps(place.versions, sort_keys=True),
            "reused_from": None,
            "schema_version": SCHEMA_VERSION,
        }

    def _best_epoch(self, run: Run, epochs: list[EpochDone]) -> int | None:
        """The epoch with the best search metric among those trained; None: none was, or none gave a number."""
        metrics = self.study.metrics
        values = {e.epoch: metrics.sign * e.metrics[run.run_id][metrics.search] for e in epochs}
        finite = [epoch for epoch, value in values.items() if np.isfinite(value)]
        return min(finite, key=lambda epoch: values[epoch], default=None)


def _plain(columns: Mapping[str, np.ndarray]) -> dict[str, list[Any]]:
    return {name: np.asarray(column).tolist() for name, column in columns.items()}


def now() -> str:
    """The time, as rows have it."""
    return datetime.now(UTC).isoformat()
