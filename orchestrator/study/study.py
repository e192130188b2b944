"""The values of a study: hyperparameters, arms, the space, runs and packs.

A study asks what each part of a model is worth. It knows the model only through its hyperparameters (a flat mapping of
names to plain values) and the metrics that its objective reports.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from optuna.distributions import BaseDistribution

from orchestrator.study.params import (
    Conditions,
    Factors,
    Params,
    ParamValue,
    contains,
    digest,
    examples,
    require_known,
    require_plain,
)

# The seeds of a study lie this far from those of another study seed.
SEED_STRIDE = 10**6
MOST_SEED = 10**12  # runs' seeds are columns of 64 bits
Mode = Literal["min", "max"]


@dataclass(frozen=True, kw_only=True)
class Arm:
    """A named variant of the model: the hyperparameters it holds fixed. The reference arm holds none."""

    name: str
    pins: Params = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What training costs beside that of other arms, in any unit of time, the same for all arms.

    Raises:
        ValueError: a cost is out of its range.
    """

    pack: float = 0.0  # of a pack, whatever its size
    run: float = 1.0  # of every run in it, besides

    def __post_init__(self) -> None:
        if not (self.pack >= 0 and self.run > 0):
            raise ValueError(f"a run must cost more than 0, and a pack at least 0; got {self}")


@dataclass(frozen=True, kw_only=True)
class Study:
    """What is asked, of what, and with which budget.

    Raises:
        ValueError: a hyperparameter, arm or metric is unknown, or a number is out of its range.
    """

    name: str
    title: str
    base: Params  # every hyperparameter of the model with its default
    arms: tuple[Arm, ...]
    reference: str  # name of the arm that all others are compared with
    space: Mapping[str, BaseDistribution]  # what may be searched; see `searched`
    conditions: Conditions = field(default_factory=dict)
    # Hyperparameters in which runs of one pack may differ: they change no tensor's shape.
    fusable: frozenset[str] = frozenset()
    # What configurations must share, fusable hyperparameters aside, for their runs to train in one pack: where a term
    # of the loss with the weight 0 does for one that is absent, arms can. Absent: every hyperparameter.
    structure: Callable[[Params], Params] = dict
    modes: Mapping[str, Mode]  # every metric, valid_* and test_*, with the side that is better
    epoch_metrics: tuple[str, ...]  # those reported at every epoch
    search_metric: str  # what the search looks at
    primary_metric: str  # what the claims are about; declared before the run
    smallest_effect: float  # in units of the primary metric: smaller differences do not matter
    trials: int  # search runs per arm; 0: every arm is confirmed as it is
    seeds: int  # confirm runs per arm; with looks, the most
    epochs: int
    searches: int = 1  # independent searches per arm, which share its trials
    splits: int = 1  # splits of the data; confirm seed i and search i use split i modulo this
    seed: int = 0
    pack_size: int = 8  # most runs that train together
    # So many of the best of every search are ranked again by k-fold before one is chosen; 0: the search alone decides.
    # An objective meets these runs as phase "rerank": the test items of `Run.split` stay unseen, and of its other items
    # the fold `Run.fold` of RERANK_FOLDS is valid.
    rerank: int = 0
    # Trials that every search begins with, drawn uniformly from the space (the first is the default): what explains the
    # whole range is asked of them where they are enough.
    uniform: int = 10
    completions: int = 1  # search runs that share one suggestion's structure and differ in fusable hyperparameters
    # Adaptive seeds: after so many confirm seeds a rule says which arms go on; empty: one look, at `seeds`.
    looks: tuple[int, ...] = ()
    rule: Mapping[str, Any] = field(default_factory=dict)  # what the rule is, for the record
    selected: tuple[str, ...] = ()  # arms to run; empty: all. The space does not depend on it
    # Components of a factorial design, whose arms are combinations of them; empty: no design.
    factors: Factors = field(default_factory=dict)
    # Every arm is confirmed a second time with the hyperparameters that the reference's search chose: does a component
    # only look useful because the other hyperparameters were tuned for it?
    frozen: bool = False
    # The components of `factors`, whose combinations are the arms, are removed one after another.
    # Only the reference is searched, and only the arms on the path are confirmed.
    path: bool = False
    # What an arm's training costs on a core; absent: one, and nothing for a pack. Long runs are started first, so that
    # nobody waits for them at the end.
    costs: Mapping[str, Cost] = field(default_factory=dict)
    notes: tuple[str, ...] = ()  # sentences for the report
    about: Mapping[str, Any] = field(default_factory=dict)  # facts for the report: data, preset, splits

    def __post_init__(self) -> None:
        self._check_arms()
        self._check_params()
        self._check_metrics()
        self._check_numbers()
        if self.path:
            self._check_path()

    def _check_arms(self) -> None:
        names = [arm.name for arm in self.arms]
        for name in names:
            if not isinstance(name, str) or not name.strip():
                raise ValueError(f"an arm's name must be text; got {name!r}")
            require_plain(name, "an arm's name")
        if len(set(names)) != len(names):
            raise ValueError(f"arms need distinct names; got {names}")
        for name in (self.reference, *self.selected):
            require_known("arm", name, names)
        if self.arm(self.reference).pins:
            raise ValueError(
                f"the reference arm {self.reference!r} must pin nothing; it pins {self.arm(self.reference).pins}"
            )

    def _check_params(self) -> None:
        for param, value in self.base.items():
            require_plain(value, f"the default of hyperparameter {param!r}")
        for arm in self.arms:
            for param in arm.pins:
                require_known("hyperparameter", param, self.base, where=f" (pinned by arm {arm.name!r})")
                require_plain(arm.pins[param], f"hyperparameter {param!r}, pinned by arm {arm.name!r},")
                self._require_type(param, arm.pins[param], where=f"pinned by arm {arm.name!r}")
        for param, distribution in self.space.items():
            require_known("hyperparameter", param, self.base, where=" (in the space)")
            for value in examples(distribution):
                require_plain(value, f"every choice of hyperparameter {param!r}")
                self._require_type(param, value, where="in the space")
            if not contains(distribution, self.base[param]):
                raise ValueError(
                    f"the default of hyperparameter {param!r} must lie in its range, for every search begins with "
                    f"the default; got {self.base[param]!r} and {distribution}"
                )
        for param, parents in self.conditions.items():
            for name in (param, *(parent for parent, _ in parents)):
                require_known("hyperparameter", name, self.base, where=" (in the conditions)")
        for component, pins in self.factors.items():
            for param in pins:
                require_known("hyperparameter", param, self.base, where=f" (pinned by component {component!r})")
        for param in self.fusable:
            require_known("hyperparameter", param, self.base, where=" (fusable)")

    def _require_type(self, param: str, value: ParamValue, *, where: str) -> None:
        """Raises a ValueError unless a column of the type of the hyperparameter's default can hold the value."""
        kind = type(self.base[param])
        if isinstance(value, bool) == (kind is bool) and isinstance(value, (int, float) if kind is float else kind):
            return
        raise ValueError(
            f"hyperparameter {param!r} is of type {kind.__name__}, as its default {self.base[param]!r}; "
            f"{where} it is {value!r}"
        )

    def _check_metrics(self) -> None:
        for metric in (self.search_metric, self.primary_metric, *self.epoch_metrics):
            require_known("metric", metric, self.modes)
        for metric, mode in self.modes.items():
            if mode not in ("min", "max"):
                raise ValueError(f"the mode of metric {metric!r} must be 'min' or 'max'; got {mode!r}")
        if not self.primary_metric.startswith("test_"):
            raise ValueError(f"the primary metric must be of the test items (test_...); got {self.primary_metric!r}")
        if self.search_metric not in self.epoch_metrics or self.search_metric.startswith("test_"):
            raise ValueError(
                f"the search looks at a metric of every epoch that is not of the test items; got {self.search_metric!r}"
            )

    def _check_numbers(self) -> None:
        least = {"trials": 0, "seeds": 0, "epochs": 1, "searches": 1, "splits": 1, "pack_size": 1, "completions": 1}
        least |= {"rerank": 0, "uniform": 1}
        for name, low in (least | {"seed": 0}).items():
            if type(getattr(self, name)) is not int:
                raise ValueError(f"{name} must be a whole number, an int; got {getattr(self, name)!r}")
            if getattr(self, name) < low:
                raise ValueError(f"{name} must be at least {low}; got {getattr(self, name)}")
        if self.trials and self.trials < self.searches:
            raise ValueError(
                f"{self.searches} searches per arm need at least as many trials; got {self.trials}. "
                "Give more trials, or fewer searches"
            )
        if self.looks and (sorted(set(self.looks)) != list(self.looks) or self.looks[-1] != self.seeds):
            raise ValueError(f"looks must grow up to the {self.seeds} seeds; got {self.looks}")
        if self.seeds + self.searches > SEED_STRIDE:
            raise ValueError(f"seeds and searches must be at most {SEED_STRIDE} together; got {self.seeds}")
        if not 0 <= self.seed <= MOST_SEED:
            raise ValueError(f"the seed must be from 0 to {MOST_SEED}; got {self.seed}")
        if type(self.smallest_effect) not in (int, float) or not 0 < self.smallest_effect < math.inf:
            raise ValueError(
                f"the smallest effect of interest must be a positive number, and finite; got {self.smallest_effect!r}"
            )
        for name in ("about", "rule", "notes"):
            try:
                json.dumps(getattr(self, name))
            except (TypeError, ValueError) as error:
                raise ValueError(f"{name} must be plain values, that JSON can hold: {error}") from error

    def _check_path(self) -> None:
        missing = 2 ** len(self.factors) - len(self.cells)
        if missing or not self.factors:
            raise ValueError(
                f"a path needs an arm for every combination of its components {list(self.factors)}; "
                f"{missing} are missing (design.factorial makes all of them for up to 4 components)"
            )
        if self.selected:
            raise ValueError(f"a path study decides itself which arms it runs; got the selection {self.selected}")
        if self.searches > 1 or self.looks or self.frozen:
            raise ValueError(
                "a path study has one search, of the reference, and a fixed number of "
                f"seeds; got {self.searches} searches, looks {self.looks}, frozen {self.frozen}. Leave searches, "
                "adaptive seeds and frozen out"
            )

    @cached_property
    def cells(self) -> dict[frozenset[str], str]:
        """The components that an arm switches off -> that arm's name."""
        result = {}
        for arm in self.arms:
            off = frozenset(name for name, pins in self.factors.items() if pins.items() <= arm.pins.items())
            if arm.pins == {param: value for name in off for param, value in self.factors[name].items()}:
                result[off] = arm.name
        return result

    def arm(self, name: str) -> Arm:
        """The arm of that name."""
        return next(arm for arm in self.arms if arm.name == name)

    @cached_property
    def running(self) -> tuple[Arm, ...]:
        """The arms to run: the selected ones and the reference, in the study's order."""
        return tuple(a for a in self.arms if not self.selected or a.name in (*self.selected, self.reference))

    def cost_of(self, arm: str) -> Cost:
        """Of its packs and runs."""
        return self.costs.get(arm, Cost())

    def full_cost(self, arm: str) -> float:
        """Of one of its runs in a pack as large as it may be."""
        cost = self.cost_of(arm)
        return cost.run + cost.pack / self.pack_size

    @property
    def rung(self) -> int:
        """The only epoch after which a search run may be pruned.

        After half of the epochs, the better half of an arm's trials so far goes on. More rungs save more and leave too
        few completed trials to say what a hyperparameter does.
        """
        return max(1, (self.epochs + 1) // 2)

    def runs_arm(self, name: str) -> bool:
        """Whether an arm is among those to run."""
        return any(arm.name == name for arm in self.running)

    @cached_property
    def searched(self) -> dict[str, BaseDistribution]:
        """The space without what some arm pins: else the reference could choose to be its own ablation."""
        pinned = {param for arm in self.arms for param in arm.pins}
        return {param: d for param, d in self.space.items() if param not in pinned}

    @cached_property
    def not_searched(self) -> dict[str, list[str]]:
        """The rest of the space: hyperparameter -> the arms that hold it fixed."""
        rest = self.space.keys() - self.searched.keys()
        return {param: [arm.name for arm in self.arms if param in arm.pins] for param in sorted(rest)}

    def is_searched(self, arm: str) -> bool:
        """Whether an arm has a search of its own."""
        return bool(self.searched) and (arm == self.reference or not self.path)

    def trials_of(self, search: int) -> int:
        """Search runs of one of an arm's searches."""
        return len(range(search, self.trials, self.searches))

    def confirm_seeds(self, search: int, look: int) -> list[int]:
        """Indices of the confirm seeds up to a look that belong to one of an arm's searches."""
        return list(range(search, self.num_seeds(look), self.searches))

    def num_seeds(self, look: int) -> int:
        """Confirm seeds per arm up to a look."""
        return (self.looks or (self.seeds,))[look]

    @property
    def num_looks(self) -> int:
        """How often the number of seeds is decided on, the last included."""
        return len(self.looks) or 1

    def is_active(self, param: str, params: Params) -> bool:
        """Whether `param` has a meaning in this configuration."""
        return all(
            params[parent] in values and self.is_active(parent, params)
            for parent, values in self.conditions.get(param, ())
        )

    def active(self, params: Params) -> dict[str, ParamValue]:
        """The hyperparameters that have a meaning in this configuration."""
        return {param: value for param, value in params.items() if self.is_active(param, params)}

    def configuration(self, arm: str, suggested: Params) -> dict[str, ParamValue]:
        """Every hyperparameter of an arm's configuration: base, its pins, and what a search suggested."""
        return {**self.base, **self.arm(arm).pins, **suggested}

    def config_id(self, arm: str, suggested: Params) -> str:
        """Of that configuration: equal where all hyperparameters that have a meaning are."""
        return config_id(self, self.configuration(arm, suggested))

    def structure_id(self, params: Params) -> str:
        """Of a configuration: runs can train in one pack where it is equal."""
        return digest({param: value for param, value in self.structure(params).items() if param not in self.fusable})


def config_id(study: Study, params: Params) -> str:
    """A hash of the hyperparameters that have a meaning."""
    return digest(study.active(params))[:12]
