"""What a study knows of a model beside its hyperparameters: when they matter, what trains together, what it costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from orchestrator.study.params import Conditions, Params


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What training costs beside that of other arms, in any unit of time, the same for all arms.

    >>> Model(costs={"full": Cost(pack=2.0, run=0.5), "small": Cost(pack=1.0, run=0.2)}).costs["small"].run
    0.2

    Args:
        pack: of a pack, whatever its size.
        run: of every run in it, besides.

    Raises:
        ValueError: a cost is out of its range.
    """

    pack: float = 0.0
    run: float = 1.0

    def __post_init__(self) -> None:
        if not (self.pack >= 0 and self.run > 0):
            raise ValueError(f"a run must cost more than 0, and a pack at least 0; got {self}")


@dataclass(frozen=True, kw_only=True)
class Model:
    """How the model of a study behaves. By default every hyperparameter always matters, and equal ones train together.

    >>> model = Model(conditions={"momentum": (("optimiser", ("sgd",)),)}, fusable=frozenset({"lr"}))

    Args:
        conditions: hyperparameter -> ((parent, values), ...): it has a meaning while every parent has one and takes one
            of the values.
        fusable: hyperparameters in which runs of one pack may differ: they change no tensor's shape.
        structure: what configurations must share, fusable hyperparameters aside, for their runs to train in one pack:
            where a term of the loss with the weight 0 does for one that is absent, arms can. Absent: every one.
        costs: what an arm's training costs on a core; absent: one, and nothing for a pack. Long runs are started first,
            so that nobody waits for them at the end.
    """

    conditions: Conditions = field(default_factory=dict)
    fusable: frozenset[str] = frozenset()
    structure: Callable[[Params], Params] = dict
    costs: Mapping[str, Cost] = field(default_factory=dict)
