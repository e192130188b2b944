"""Hyperparameters as plain values: their types, hashes of them, and the checks that a value and a name must pass."""

from __future__ import annotations

import difflib
import hashlib
import json
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

ParamValue = bool | int | float | str
Params = Mapping[str, ParamValue]
# hyperparameter -> ((parent, values), ...): the hyperparameter has a meaning while every parent has one and takes one
# of the values.
Conditions = Mapping[str, Sequence[tuple[str, Sequence[ParamValue]]]]
# component -> the pins that switch it off
Factors = Mapping[str, Params]
HINT = "give it a name as text, and look up in your model what it stands for"


def digest(value: Any) -> str:
    """A hash of a plain value, the same on every machine."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def derive(seed: int, *purpose: str | int) -> int:
    """A seed of 32 bits for one purpose."""
    return int(digest([seed, *purpose])[:8], 16)


def require_known(kind: str, name: str, known: Collection[str], *, where: str = "") -> None:
    """Raises a ValueError that names the nearest known name, unless `name` is known."""
    if name in known:
        return
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    raise ValueError(f"{kind} {name!r}{where} is not known{hint} Known: {', '.join(sorted(known))}")


def require_plain(value: Any, what: str) -> None:
    """Raises a ValueError unless a column, JSON and a hash can hold the value, and give it back as it was."""
    if type(value) not in (bool, int, float, str):
        hint = f"write {value.item()!r}" if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else HINT
        raise ValueError(
            f"{what} must be a bool, a whole number, a number or text; got {type(value).__name__} {value!r}: {hint}"
        )
    if isinstance(value, str) and not is_encodable(value):
        raise ValueError(f"{what} must be text that every file can hold; got {value!r}, which is no Unicode")
    if isinstance(value, int) and abs(value) >= 2**63:
        raise ValueError(f"{what} must fit into 64 bits; got {value}: write it as a number with a point, or as text")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{what} must be finite; got {value}: write a large number, or a text that stands for it")


def is_encodable(text: str) -> bool:
    """Whether a text is Unicode: half of a surrogate pair is none."""
    return text == text.encode(errors="replace").decode()


def examples(distribution: BaseDistribution) -> list[Any]:
    """Values of a range, of every type that it has."""
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    return [int(distribution.low) if isinstance(distribution, IntDistribution) else float(distribution.low)]  # type: ignore[attr-defined]


def contains(distribution: BaseDistribution, value: ParamValue) -> bool:
    """Whether a value lies in a range."""
    try:
        return distribution._contains(distribution.to_internal_repr(value))
    except (ValueError, TypeError):
        return False
