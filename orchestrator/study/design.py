"""Arms, and how they hang together: named variants of a model, or combinations of its components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestrator.study.params import Factors, Params


@dataclass(frozen=True, kw_only=True)
class Arm:
    """A named variant of the model: the hyperparameters it holds fixed. The reference arm holds none.

    >>> Arm(name="no_momentum", pins={"momentum": 0.0})
    Arm(name='no_momentum', pins={'momentum': 0.0})
    """

    name: str
    pins: Params = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Design:
    """How arms are made of components; by default they are not.

    >>> parts = {"momentum": {"momentum": 0.0}, "decay": {"decay": 0.0}}
    >>> Design(factors=parts).cells(factorial(parts))[frozenset({"decay"})]
    'no_decay'

    Args:
        factors: component -> the hyperparameters that switch it off; the arms are combinations of these.
        path: the components are removed one after another. Only the reference is searched, and only the arms on the
            path are confirmed.
    """

    factors: Factors = field(default_factory=dict)
    path: bool = False

    def cells(self, arms: Sequence[Arm]) -> dict[frozenset[str], str]:
        """The components that an arm switches off -> that arm's name; arms that do something else are absent."""
        result = {}
        for arm in arms:
            off = frozenset(name for name, pins in self.factors.items() if pins.items() <= arm.pins.items())
            if arm.pins == {param: value for name in off for param, value in self.factors[name].items()}:
                result[off] = arm.name
        return result

    def require_path(self, arms: Sequence[Arm]) -> None:
        """Raises a ValueError unless there is an arm for every combination of the components."""
        missing = 2 ** len(self.factors) - len(self.cells(arms))
        if missing or not self.factors:
            raise ValueError(
                f"a path needs an arm for every combination of its components {list(self.factors)}; "
                f"{missing} are missing (orchestrator.factorial makes all of them for up to 4 components)"
            )
