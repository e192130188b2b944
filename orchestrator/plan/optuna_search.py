"""One arm's search: an in-memory Optuna study with its own sampler and its own pruner.

It is rebuilt from the plan's records whenever it is needed, so that the records are the only memory: the rungs of
the pruner travel with them, and the sampler is seeded by the number of suggestions asked so far.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, PartialFixedSampler
from optuna.trial import TrialState, create_trial

from orchestrator.history.suggestions import Suggestion
from orchestrator.plan import samplers
from orchestrator.study.params import ParamValue, derive
from orchestrator.study.study import Study

optuna.logging.set_verbosity(optuna.logging.ERROR)

STATES = {
    "running": TrialState.RUNNING,
    "completed": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


class Search:
    """The Optuna study behind one of an arm's searches.

    Args:
        known: the suggestions so far, in order; the list is read once, and then followed by the caller through
            `suggest`, `report` and `finish`.
    """

    def __init__(self, study: Study, arm: str, search: int, known: Sequence[Suggestion]) -> None:
        self._study, self._arm, self._search = study, arm, search
        direction = "minimize" if study.metrics.sign > 0 else "maximize"
        with _quiet():
            pruner = samplers.pruner(study)
        self._optuna = optuna.create_study(study_name=f"{arm}/{search}", direction=direction, pruner=pruner)
        for suggestion in known:
            self._restore(suggestion)

    def suggest(self, *, like: Mapping[str, ParamValue] | None = None) -> dict[str, ParamValue]:
        """The next configuration's searched hyperparameters: the default, the starting points, and then the sampler's.

        Args:
            like: another suggestion, whose structure (all hyperparameters that are not fusable) this one is to share.
        """
        number = len(self._optuna.get_trials(deepcopy=False))
        if number <= len(self._study.enqueue):
            given: Mapping[str, ParamValue] = ({}, *self._study.enqueue)[number]
            point = {param: given.get(param, self._study.params[param]) for param in self._study.searched}
            suggested = self._active_only(point)
            self._restore(Suggestion(number=number, run_id="", suggested=suggested))
            return suggested
        with _quiet():
            self._optuna.sampler = self._sampler(number, like)
            trial = self._optuna.ask()
            for param in self._in_order():
                if self._is_active(param, trial.params):
                    _suggest(trial, param, self._study.searched[param])
        return dict(trial.params)

    def add(self, suggested: Mapping[str, ParamValue]) -> None:
        """Takes note of a suggestion that was worked out aside."""
        number = len(self._optuna.get_trials(deepcopy=False))
        self._restore(Suggestion(number=number, run_id="", suggested=dict(suggested)))

    def report(self, number: int, epoch: int, value: float) -> tuple[bool, dict[str, Any]]:
        """Whether to go on after this report, and the rungs that the pruner has noted for the trial."""
        trial = self._live(number)
        trial.report(value, epoch)
        prune = trial.should_prune()
        return not prune, _numbers(self._optuna.get_trials(deepcopy=False)[number].system_attrs)

    def finish(self, number: int, *, status: str, value: float | None) -> None:
        """Takes note of a trial's end."""
        state = STATES[status]
        self._optuna.tell(number, value if state is TrialState.COMPLETE else None, state=state)

    def _sampler(self, number: int, like: Mapping[str, ParamValue] | None) -> BaseSampler:
        sampler = samplers.sampler(
            self._study,
            seed=derive(self._study.seed, self._arm, self._search, number),
            search_seed=derive(self._study.seed, self._arm, self._search),
            number=number,
        )
        if like is None:
            return sampler
        return PartialFixedSampler({k: v for k, v in like.items() if k not in self._study.model.fusable}, sampler)

    def _in_order(self) -> list[str]:
        """Searched hyperparameters, parents before those that depend on them."""
        order: list[str] = []
        for param in self._study.searched:
            self._visit(param, order)
        return order

    def _visit(self, param: str, order: list[str]) -> None:
        for parent, _ in self._study.model.conditions.get(param, ()):
            if parent in self._study.searched:
                self._visit(parent, order)
        if param not in order:
            order.append(param)

    def _is_active(self, param: str, suggested: Mapping[str, ParamValue]) -> bool:
        return self._study.is_active(param, self._study.configuration(self._arm, suggested))

    def _active_only(self, suggested: Mapping[str, ParamValue]) -> dict[str, ParamValue]:
        return {param: value for param, value in suggested.items() if self._is_active(param, suggested)}

    def _restore(self, suggestion: Suggestion) -> None:
        state = STATES[suggestion.status]
        if state is TrialState.COMPLETE and not suggestion.reports:  # the journal has lost what it reported
            state = TrialState.FAIL
        self._optuna.add_trial(
            create_trial(
                state=state,
                params=dict(suggestion.suggested),
                distributions={param: self._study.searched[param] for param in suggestion.suggested},
                value=suggestion.value if state is TrialState.COMPLETE else None,
                intermediate_values=dict(suggestion.reports),
                system_attrs=_numbers(suggestion.attrs),
            )
        )

    def _live(self, number: int) -> optuna.Trial:
        return optuna.Trial(self._optuna, self._optuna.get_trials(deepcopy=False)[number]._trial_id)


def _numbers(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """What a pruner has noted of a trial. Samplers note pickles there, which a results folder must not hold."""
    return {name: value for name, value in attrs.items() if isinstance(value, int | float)}


def _suggest(trial: optuna.Trial, param: str, distribution: BaseDistribution) -> None:
    match distribution:
        case FloatDistribution():
            trial.suggest_float(
                param, distribution.low, distribution.high, step=distribution.step, log=distribution.log
            )
        case IntDistribution():
            trial.suggest_int(param, distribution.low, distribution.high, step=distribution.step, log=distribution.log)
        case CategoricalDistribution():
            trial.suggest_categorical(param, distribution.choices)
        case _:
            raise ValueError(
                f"hyperparameter {param!r}: a space is made of Optuna's Float, Int and Categorical; got {distribution}"
            )


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna warns that grouped TPE and partial sampling are experimental, and that fixed values are not sampled."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        warnings.simplefilter("ignore", UserWarning)
        yield
