"""What the arguments of `Study` stand for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestrator.study.design import Arm
from orchestrator.study.metrics import Metrics

AUTO = "auto"  # in place of a number of seeds
MOST_ADAPTIVE = 30  # seeds per arm, unless another number is given


def adapted(numbers: dict[str, Any], max_seeds: int | None, *, adaptive: bool) -> bool:
    """Whether seeds are adaptive; `numbers` then has the most of them in place of "auto"."""
    if numbers.get("seeds") == AUTO:
        numbers["seeds"] = MOST_ADAPTIVE if max_seeds is None else max_seeds
        numbers.setdefault("looks", ())
        return True
    if max_seeds is not None:
        raise ValueError(f"max_seeds is for adaptive seeds; give seeds='auto' with it. Got {max_seeds!r}")
    if adaptive and "seeds" in numbers and "looks" not in numbers:  # a fixed number, after all
        numbers["looks"] = ()
        return False
    return adaptive


def reference_of(arms: Sequence[Arm]) -> str:
    """The first arm that holds nothing fixed."""
    for arm in arms:
        if not arm.pins:
            return arm.name
    raise ValueError(f"one arm must hold nothing fixed, to compare the others with; got {[arm.name for arm in arms]}")


def metrics_of(
    metrics: Metrics | None, *, minimise: tuple[str, str] | None, maximise: tuple[str, str] | None
) -> Metrics:
    """The metrics, given in one of three ways."""
    if sum(given is not None for given in (metrics, minimise, maximise)) != 1:
        raise ValueError("a study needs exactly one of minimise, maximise and metrics: what is measured and is better")
    if metrics is not None:
        return metrics
    pair = minimise or maximise or ()
    if isinstance(pair, str) or len(pair) != 2:
        raise ValueError(
            f"minimise (or maximise) must be two metrics, of the search and of the claims, as in "
            f"('valid_loss', 'test_loss'); got {pair!r}"
        )
    return Metrics.pair(*pair, mode="min" if minimise else "max")
