"""Samplers and pruners by name: Optuna's, made anew for every suggestion from the records alone.

So whatever a sampler takes from earlier trials survives a kill; docs/designs.md has what each keeps besides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    PercentilePruner,
    SuccessiveHalvingPruner,
    ThresholdPruner,
    WilcoxonPruner,
)
from optuna.samplers import (
    BaseSampler,
    BruteForceSampler,
    CmaEsSampler,
    GPSampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)
from optuna.trial import FrozenTrial, TrialState

from orchestrator.study.budget import Budget
from orchestrator.study.study import Study


class Sequence(BaseSampler):
    """The n-th point of a quasi-random sequence, which Optuna's sampler would count on from by itself.

    Args:
        number: n; 0 is the first.
        seed: of the sequence, the same for all its points.
    """

    def __init__(self, number: int, seed: int) -> None:
        self._number, self._sampler = number, QMCSampler(seed=seed, scramble=True, warn_independent_sampling=False)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """See `BaseSampler`."""
        return self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """See `BaseSampler`. The sequence is counted in a study of its own."""
        aside = optuna.create_study()
        found: dict[str, Any] = {}
        for _ in range(self._number + 1):
            found = self._sampler.sample_relative(aside, trial, search_space)
        return found

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """See `BaseSampler`."""
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)


class Grid(BruteForceSampler):
    """Every combination of a finite space once; afterwards, any of them again."""

    def after_trial(self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Any) -> None:
        """See `BaseSampler`. Optuna's would stop a study that it runs itself."""


THRESHOLD = "threshold="
TAKE_LONG = ("gp", "auto")  # for a suggestion, seconds as trials come together
MOST_GP = 200  # trials of a search that "auto" hands to a Gaussian process

Made = Callable[[int, int, int, Budget], BaseSampler]
# By name: made of the seed of this suggestion, the seed of the search, the number of trials so far, and the budget.
SAMPLERS: Mapping[str, Made] = {
    "tpe": lambda seed, _, __, budget: TPESampler(
        seed=seed, multivariate=True, group=True, constant_liar=True, n_startup_trials=budget.uniform
    ),
    "gp": lambda seed, _, __, budget: GPSampler(seed=seed, n_startup_trials=budget.uniform),
    "cmaes": lambda seed, _, __, ___: CmaEsSampler(seed=seed, warn_independent_sampling=False),
    "random": lambda seed, _, __, ___: RandomSampler(seed=seed),
    "qmc": lambda _, search_seed, number, __: Sequence(number - 1, search_seed),
    "grid": lambda seed, _, __, ___: Grid(seed=seed),
}
PRUNERS: Mapping[str, Callable[[Budget], BasePruner]] = {
    # One rung: see `Budget.rung`.
    "halving": lambda budget: SuccessiveHalvingPruner(min_resource=budget.rung, reduction_factor=2),
    "none": lambda _: NopPruner(),
    "hyperband": lambda budget: HyperbandPruner(min_resource=1, max_resource=budget.epochs, reduction_factor=3),
    "median": lambda budget: MedianPruner(n_startup_trials=4, n_warmup_steps=budget.epochs // 4),
    "percentile": lambda budget: PercentilePruner(75.0, n_startup_trials=4, n_warmup_steps=budget.epochs // 4),
    "wilcoxon": lambda _: WilcoxonPruner(p_threshold=0.1),
}
NEEDS = {"cmaes": "cmaes"}  # name -> a package that Optuna's sampler needs and does not bring


def takes_long(study: Study) -> bool:
    """Whether a suggestion may take so long that nobody should wait for it; of a sampler that is not known, it may."""
    return callable(study.budget.sampler) or study.budget.sampler in TAKE_LONG


def sampler(study: Study, *, seed: int, search_seed: int, number: int) -> BaseSampler:
    """The sampler of the next suggestion.

    Args:
        study: whose budget names it.
        seed: of this suggestion.
        search_seed: of the search.
        number: of trials so far.
    """
    budget = study.budget
    if callable(budget.sampler):
        return budget.sampler(seed)
    name = _chosen(study) if budget.sampler == "auto" else budget.sampler
    return SAMPLERS[name](seed, search_seed, number, budget)


def _chosen(study: Study) -> str:
    """What "auto" stands for: a Gaussian process where trials are few and every hyperparameter is a number."""
    conditional = study.model.conditions.keys() & study.searched.keys()
    choices = [d for d in study.searched.values() if isinstance(d, optuna.distributions.CategoricalDistribution)]
    return "tpe" if conditional or choices or study.budget.trials > MOST_GP else "gp"


def pruner(study: Study) -> BasePruner:
    """The pruner of a search."""
    budget = study.budget
    if isinstance(budget.pruner, str) and budget.pruner.startswith(THRESHOLD):
        bound = float(budget.pruner.removeprefix(THRESHOLD))
        lower, upper = (None, bound) if study.metrics.sign > 0 else (bound, None)
        return ThresholdPruner(lower=lower, upper=upper, n_warmup_steps=budget.epochs // 4)
    return budget.pruner if isinstance(budget.pruner, BasePruner) else PRUNERS[budget.pruner](budget)


def require_known(budget: Budget, space: Mapping[str, BaseDistribution]) -> None:
    """Raises a ValueError unless sampler and pruner can be had, and fit the space."""
    if isinstance(budget.pruner, str) and budget.pruner.startswith(THRESHOLD):
        _require_bound(budget.pruner)
        budget = replace(budget, pruner="none")
    for kind, given, known in (
        ("sampler", budget.sampler, (*SAMPLERS, "auto")),
        ("pruner", budget.pruner, (*PRUNERS, "threshold=X")),
    ):
        if isinstance(given, str) and given not in known:
            raise ValueError(
                f"{kind} must be one of {', '.join(known)}, or "
                f"{'a function of a seed that returns one of Optuna' if kind == 'sampler' else 'a pruner of Optuna'}"
                f"; got {given!r}"
            )
    if isinstance(budget.sampler, str) and (package := NEEDS.get(budget.sampler)) and find_spec(package) is None:
        raise ValueError(f"sampler {budget.sampler!r} needs the package {package}: pip install {package}")
    if budget.sampler == "grid" and (endless := [name for name, values in space.items() if _is_endless(values)]):
        raise ValueError(
            f"sampler 'grid' needs finitely many values of every hyperparameter; {', '.join(endless)} must have a step "
            "or be a choice: FloatDistribution(0.0, 0.5, step=0.1), CategoricalDistribution([...])"
        )


def _require_bound(text: str) -> None:
    try:
        known = math.isfinite(float(text.removeprefix(THRESHOLD)))
    except ValueError:
        known = False
    if not known:
        raise ValueError(f"pruner must be threshold=X, X the worst value of the metric that goes on; got {text!r}")


def _is_endless(values: BaseDistribution) -> bool:
    return isinstance(values, optuna.distributions.FloatDistribution) and values.step is None
