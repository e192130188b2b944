"""What was searched of a hyperparameter: Optuna's distributions as values, read from their JSON without Optuna."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

KINDS: dict[str, Literal["float", "int", "choice"]] = {
    "FloatDistribution": "float", "IntDistribution": "int", "CategoricalDistribution": "choice",
    "UniformDistribution": "float", "LogUniformDistribution": "float", "DiscreteUniformDistribution": "float",
    "IntUniformDistribution": "int", "IntLogUniformDistribution": "int",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """A range of numbers, or a set of choices."""

    kind: Literal["float", "int", "choice"]
    written: str  # as Optuna writes it
    low: float = 0.0
    high: float = 0.0
    step: float | None = None  # of ints always a number
    is_log: bool = False
    choices: tuple[Any, ...] = ()

    @property
    def is_single(self) -> bool:
        """Whether it holds one value."""
        if self.kind == "choice":
            return len(self.choices) == 1
        return self.low == self.high or (self.step is not None and self.high - self.low < self.step)


def distribution(written: str | Mapping[str, Any]) -> Distribution:
    """A distribution from its JSON, as text or as what JSON gives.

    Raises:
        ValueError: it is none of Optuna's.
    """
    how = json.loads(written) if isinstance(written, str) else written
    name, attributes = how.get("name"), how.get("attributes", {})
    if name not in KINDS:
        raise ValueError(f"a distribution must be one of {', '.join(KINDS)}; got {name!r}")
    kind, text = KINDS[name], written if isinstance(written, str) else json.dumps(written)
    if kind == "choice":
        return Distribution(kind=kind, written=text, choices=tuple(attributes["choices"]))
    step = attributes.get("step", attributes.get("q"))
    return Distribution(
        kind=kind,
        written=text,
        low=attributes["low"],
        high=attributes["high"],
        step=step if kind == "float" else step or 1,
        is_log=bool(attributes.get("log", "Log" in name)),
    )
