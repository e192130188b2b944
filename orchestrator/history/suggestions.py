"""What a search has asked for, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from orchestrator.study.params import ParamValue


@dataclass(kw_only=True)
class Suggestion:
    """What the search asked for and what is known of it: one Optuna trial, as plain values."""

    number: int
    run_id: str
    suggested: dict[str, ParamValue]  # the searched hyperparameters that are active
    status: str = "running"
    reports: dict[int, float] = field(default_factory=dict)  # epoch -> running best of the search metric
    attrs: dict[str, Any] = field(default_factory=dict)  # the pruner's rungs

    @property
    def value(self) -> float:
        """The best that it reported."""
        return self.reports[max(self.reports)]
