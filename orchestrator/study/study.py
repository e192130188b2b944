"""A study: what each part of a model is worth.

It knows the model only through its hyperparameters (a flat mapping of names to plain values) and the metrics that its
objective reports.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from optuna.distributions import BaseDistribution

from orchestrator.study.budget import Budget, require_number
from orchestrator.study.design import Arm, Design
from orchestrator.study.metrics import Metrics
from orchestrator.study.model import Cost, Model
from orchestrator.study.params import Params, ParamValue, contains, digest, examples, require_known, require_plain
from orchestrator.study.starting_points import starting_points
from orchestrator.study.study_arguments import adapted, metrics_of, reference_of

MOST_SEED = 10**12  # runs' seeds are columns of 64 bits


@dataclass(frozen=True, kw_only=True, init=False)
class Study:
    """What is asked, of what, and with which budget.

    >>> study = Study(
    ...     name="momentum",
    ...     params={"lr": 0.01, "momentum": 0.9},
    ...     arms={"full": {}, "no_momentum": {"momentum": 0.0}},
    ...     space={"lr": FloatDistribution(1e-3, 0.1, log=True)},
    ...     minimise=("valid_loss", "test_loss"),
    ...     smallest_effect=0.01,
    ...     trials=8,
    ...     seeds=10,
    ...     epochs=20,
    ... )

    Args:
        name: of the results folder, where no other is named.
        params: every hyperparameter of the model with its default.
        arms: arm -> the hyperparameters that it holds fixed; or `Arm`s.
        space: what may be searched; what an arm holds fixed is not (see `searched`).
        minimise: the metric that the search looks at, and the test metric that the claims are about.
        maximise: the same where more is better; exactly one of minimise, maximise and metrics is given.
        metrics: where there are more than these two.
        smallest_effect: in units of the primary metric: smaller differences do not matter.
        reference: the arm that all others are compared with; None: the first that holds nothing fixed.
        title: of the report; None: the name.
        model: how it trains; the default fits any.
        design: how the arms are made of components; by default they are not.
        splits: of the data; confirm seed i and search i use split i modulo this.
        seed: of the study: another one has other searches and other seeds.
        selected: arms to run, beside the reference; empty: all. The space does not depend on it.
        notes: sentences for the report.
        about: facts for the report, plain values: data, preset, `rule` of the adaptive seeds.
        budget: how much is run.
        numbers: those of the budget by their names (`trials=8`), which go before `budget`. With `seeds="auto"` an arm
            gets seeds until it is decided, or until more would hardly decide it.
        max_seeds: with `seeds="auto"`, the most seeds per arm; None: 30.
        enqueue: configurations that every search tries first, after the default: mappings of searched hyperparameters;
            or a CSV with a column a hyperparameter; or the results folder of an older study, for those that it chose.
        adaptive: whether the number of seeds is decided so; `seeds="auto"` says so, too.

    Raises:
        ValueError: a hyperparameter, arm or metric is unknown, or a number is out of its range.
    """

    name: str
    title: str
    params: Params
    arms: tuple[Arm, ...]
    reference: str
    space: Mapping[str, BaseDistribution]
    metrics: Metrics
    smallest_effect: float
    model: Model
    design: Design
    budget: Budget
    adaptive: bool
    enqueue: tuple[Params, ...]
    splits: int
    seed: int
    selected: tuple[str, ...]
    notes: tuple[str, ...]
    about: Mapping[str, Any]

    def __init__(
        self,
        *,
        name: str,
        params: Params,
        arms: Mapping[str, Params] | Sequence[Arm],
        smallest_effect: float,
        space: Mapping[str, BaseDistribution] | None = None,
        minimise: tuple[str, str] | None = None,
        maximise: tuple[str, str] | None = None,
        metrics: Metrics | None = None,
        reference: str | None = None,
        title: str | None = None,
        model: Model | None = None,
        design: Design | None = None,
        splits: int = 1,
        seed: int = 0,
        selected: Sequence[str] = (),
        notes: Sequence[str] = (),
        about: Mapping[str, Any] | None = None,
        budget: Budget | None = None,
        enqueue: str | Path | Sequence[Params] = (),
        adaptive: bool = False,
        max_seeds: int | None = None,
        **numbers: Any,
    ) -> None:
        known = [Arm(name=arm, pins=pins) for arm, pins in arms.items()] if isinstance(arms, Mapping) else list(arms)
        for number in numbers:
            require_known("argument of Study", number, Budget.names())
        adaptive = adapted(numbers, max_seeds, adaptive=adaptive)
        values: dict[str, Any] = {
            "name": name, "title": name if title is None else title, "params": params, "arms": tuple(known),
            "reference": reference_of(known) if reference is None else reference, "space": space or {},
            "metrics": metrics_of(metrics, minimise=minimise, maximise=maximise), "smallest_effect": smallest_effect,
            "model": model or Model(), "design": design or Design(), "splits": splits, "seed": seed,
            "selected": tuple(selected), "notes": tuple(notes), "about": about or {},
            "budget": replace(budget or Budget(), **numbers), "adaptive": adaptive,
        }  # fmt: skip
        for field, value in values.items():
            object.__setattr__(self, field, value)
        self._check_arms()
        self._check_params()
        self._check_numbers()
        points = starting_points(enqueue, self.params, self.searched) if enqueue else ()
        object.__setattr__(self, "enqueue", tuple(points))
        if self.design.path:
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
                f"the reference arm {self.reference!r} must hold nothing fixed; it holds "
                f"{self.arm(self.reference).pins}"
            )

    def _check_params(self) -> None:
        for param, value in self.params.items():
            require_plain(value, f"the default of hyperparameter {param!r}")
        for arm in self.arms:
            for param in arm.pins:
                require_known("hyperparameter", param, self.params, where=f" (held fixed by arm {arm.name!r})")
                require_plain(arm.pins[param], f"hyperparameter {param!r}, held fixed by arm {arm.name!r},")
                self._require_type(param, arm.pins[param], where=f"held fixed by arm {arm.name!r}")
            if arm.pins and all(self.params[param] == value for param, value in arm.pins.items()):
                raise ValueError(
                    f"arm {arm.name!r} changes nothing: it holds {dict(arm.pins)}, which are the defaults. Give it "
                    "another value, or leave it out"
                )
        for param, distribution in self.space.items():
            require_known("hyperparameter", param, self.params, where=" (in the space)")
            for value in examples(distribution):
                require_plain(value, f"every choice of hyperparameter {param!r}")
                self._require_type(param, value, where="in the space")
            if not contains(distribution, self.params[param]):
                raise ValueError(
                    f"the default of hyperparameter {param!r} must lie in its range, for every search begins with "
                    f"the default; got {self.params[param]!r} and {distribution}"
                )
        for param, parents in self.model.conditions.items():
            for name in (param, *(parent for parent, _ in parents)):
                require_known("hyperparameter", name, self.params, where=" (in the conditions)")
        for component, pins in self.design.factors.items():
            for param in pins:
                require_known("hyperparameter", param, self.params, where=f" (switched by component {component!r})")
        for param in self.model.fusable:
            require_known("hyperparameter", param, self.params, where=" (fusable)")

    def _require_type(self, param: str, value: ParamValue, *, where: str) -> None:
        """Raises a ValueError unless a column of the type of the hyperparameter's default can hold the value."""
        kind = type(self.params[param])
        if isinstance(value, bool) == (kind is bool) and isinstance(value, (int, float) if kind is float else kind):
            return
        raise ValueError(
            f"hyperparameter {param!r} is of type {kind.__name__}, as its default {self.params[param]!r}; "
            f"{where} it is {value!r}"
        )

    def _check_numbers(self) -> None:
        require_number("splits", self.splits, 1)
        require_number("seed", self.seed, 0)
        if self.seed > MOST_SEED:
            raise ValueError(f"the seed must be from 0 to {MOST_SEED}; got {self.seed}")
        if type(self.smallest_effect) not in (int, float) or not 0 < self.smallest_effect < math.inf:
            raise ValueError(
                f"the smallest effect of interest must be a positive number, and finite; got {self.smallest_effect!r}"
            )
        for name in ("about", "notes"):
            try:
                json.dumps(getattr(self, name))
            except (TypeError, ValueError) as error:
                raise ValueError(f"{name} must be plain values, that JSON can hold: {error}") from error

    def _check_path(self) -> None:
        self.design.require_path(self.arms)
        if self.selected:
            raise ValueError(f"a path study decides itself which arms it runs; got the selection {self.selected}")
        if self.budget.searches > 1 or self.budget.looks or self.budget.frozen:
            raise ValueError(
                "a path study has one search, of the reference, and a fixed number of seeds; got "
                f"{self.budget.searches} searches, looks {self.budget.looks}, frozen {self.budget.frozen}. Leave "
                "searches, adaptive seeds and frozen out"
            )

    @cached_property
    def cells(self) -> dict[frozenset[str], str]:
        """See `Design.cells`."""
        return self.design.cells(self.arms)

    def arm(self, name: str) -> Arm:
        """The arm of that name."""
        return next(arm for arm in self.arms if arm.name == name)

    @cached_property
    def running(self) -> tuple[Arm, ...]:
        """The arms to run: the selected ones and the reference, in the study's order."""
        return tuple(a for a in self.arms if not self.selected or a.name in (*self.selected, self.reference))

    def runs_arm(self, name: str) -> bool:
        """Whether an arm is among those to run."""
        return any(arm.name == name for arm in self.running)

    def cost_of(self, arm: str) -> Cost:
        """Of its packs and runs."""
        return self.model.costs.get(arm, Cost())

    def full_cost(self, arm: str) -> float:
        """Of one of its runs in a pack as large as it may be."""
        cost = self.cost_of(arm)
        return cost.run + cost.pack / self.budget.pack_size

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
        return bool(self.searched) and (arm == self.reference or not self.design.path)

    def is_active(self, param: str, params: Params) -> bool:
        """Whether `param` has a meaning in this configuration."""
        return all(
            params[parent] in values and self.is_active(parent, params)
            for parent, values in self.model.conditions.get(param, ())
        )

    def active(self, params: Params) -> dict[str, ParamValue]:
        """The hyperparameters that have a meaning in this configuration."""
        return {param: value for param, value in params.items() if self.is_active(param, params)}

    def configuration(self, arm: str, suggested: Params) -> dict[str, ParamValue]:
        """Every hyperparameter of an arm's configuration: the default, its pins, and what a search suggested."""
        return {**self.params, **self.arm(arm).pins, **suggested}

    def config_id(self, arm: str, suggested: Params) -> str:
        """Of that configuration: equal where all hyperparameters that have a meaning are."""
        return config_id(self, self.configuration(arm, suggested))

    def structure_id(self, params: Params) -> str:
        """Of a configuration: runs can train in one pack where it is equal."""
        shared = self.model.structure(params).items()
        return digest({param: value for param, value in shared if param not in self.model.fusable})


def config_id(study: Study, params: Params) -> str:
    """A hash of the hyperparameters that have a meaning."""
    return digest(study.active(params))[:12]
