"""What an objective must report: every metric that is declared, no other, and finite."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from orchestrator.study.metrics import Metrics
from orchestrator.study.params import require_known


def check_epoch(metrics: Mapping[str, float], declared: Metrics) -> None:
    """Raises a ValueError unless an epoch reports the search's metric, and none that is not declared of epochs."""
    check_known(metrics, declared.epoch)
    if declared.search not in metrics:
        raise ValueError(f"the objective must report {declared.search} in every epoch; got {dict(metrics)}")


def check_known(metrics: Collection[str], declared: Collection[str]) -> None:
    """Raises a ValueError unless the study declares the metrics: others would be lost without a word."""
    for name in metrics:
        require_known("metric", name, declared, where=", which the objective reports and the study must declare,")


def not_finite(metrics: Mapping[str, float]) -> str:
    """Names of the metrics that are NaN or infinite; empty: none is."""
    return ", ".join(sorted(name for name, value in metrics.items() if not np.isfinite(value)))
