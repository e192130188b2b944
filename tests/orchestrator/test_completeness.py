"""A plan says that it is done only when nothing that its study declares is missing, or a row says why not.

Held as a property of random small studies: spaces of few configurations, runs that fail, attempts that crash, reranks,
frozen hyperparameters, looks, paths and several searches, cut off after any event and folded again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from planner import Planner
from toy import Toy, toy_study

from orchestrator.history import ablation_path, events
from orchestrator.history.cross_validation import candidates
from orchestrator.history.events import Event
from orchestrator.history.run_counts import unconfirmed
from orchestrator.plan.plan import Done
from orchestrator.study.factorial_designs import factorial
from orchestrator.study.runs import RERANK_FOLDS, Fingerprint, Pack, Run
from orchestrator.study.study import Study

FINGERPRINT = Fingerprint(data_sha256="data", code_sha256="code")
SPACES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "one value": {"x": FloatDistribution(0.0, 0.0)},
    "two choices": {"trouble": CategoricalDistribution(("none", "some"))},
    "whole numbers": {"depth": IntDistribution(1, 3)},
    "steps": {"x": FloatDistribution(-1.0, 1.0, step=0.5)},
    "a condition": {"trouble": CategoricalDistribution(("none", "some")), "edge": FloatDistribution(0.5, 0.5)},
    "everything": {"x": FloatDistribution(-2, 2), "depth": IntDistribution(0, 4)},
}


def random_study(rng: np.random.Generator) -> Study:
    space = SPACES[str(rng.choice(sorted(SPACES)))]
    trials = int(rng.integers(0, 9)) if space else 0
    conditions = {"edge": [("trouble", ("some",))]}
    budget: dict[str, Any] = {
        "space": space, "conditions": conditions, "trials": trials, "seeds": int(rng.integers(1, 6)), "epochs": 2,
        "rerank": int(rng.choice([0, 0, 2, 3])), "completions": int(rng.integers(1, 3)),
        "pack_size": int(rng.integers(1, 5)), "uniform": int(rng.integers(1, 4)), "fusable": frozenset({"x"}),
    }  # fmt: skip
    if rng.random() < 0.2:
        factors = {"a": {"kind": "square"}, "b": {"edge": 0.1}}
        arms = factorial(factors, check=lambda _: None)
        return toy_study(**{**budget, "conditions": {}, "factors": factors, "arms": arms, "path": True})
    budget |= {"frozen": bool(rng.random() < 0.5), "splits": int(rng.integers(1, 3))}
    if trials >= 2:
        budget["searches"] = int(rng.integers(1, 3))
    if rng.random() < 0.4:
        budget |= {"looks": tuple(range(2, 2 + budget["seeds"])), "seeds": 1 + budget["seeds"]}
    return toy_study(**budget)


class Fates:
    """What becomes of runs and attempts: drawn once for a run, so that a fold of the same events meets the same."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._failing = rng.choice([0.0, 0.3, 1.0], p=[0.5, 0.35, 0.15])
        self._phase = str(rng.choice(["search", "rerank", "confirm", "any"]))
        self._seed = int(rng.integers(2**31))

    def fails(self, run: Run) -> bool:
        is_meant = self._phase in ("any", run.phase)
        return is_meant and np.random.default_rng([self._seed, int(run.run_id, 16)]).random() < self._failing

    def value(self, run: Run, epoch: int) -> float:
        return float(run.params["x"] ** 2 + 0.1 * run.params["depth"] + 1e-3 * (run.seed % 100) + 1 / epoch)


def goes_on(study: Study) -> Callable:
    def rule(values, _frozen, look):
        return [
            arm
            for arm in values
            if arm != "full" and crc32(f"{arm} {look} {study.budget.seeds} {study.budget.trials}".encode()) % 3
        ]

    return rule


class Driver:
    """Runs a plan in this process, a pack at a time, and may stop after any event."""

    def __init__(self, study: Study, fates: Fates, known: list[Event], *, most: int) -> None:
        self.events, self._most, self._fates = list(known), most, fates
        self.plan = Planner(study, FINGERPRINT, record=self._record, events=known, seed_rule=goes_on(study))

    def _record(self, event: Event) -> None:
        if len(self.events) >= self._most:
            raise StopAsyncIteration  # the driver is killed before the event is durable
        self.events.append(event)

    def run(self) -> bool:
        try:
            while isinstance(pack := self.plan.ask(), Pack):
                self._train(pack)
        except StopAsyncIteration:
            return False
        assert isinstance(pack, Done), "nothing runs, and there is something to wait for"
        return True

    def _train(self, pack: Pack) -> None:
        if pack.attempt == 1 and crc32(pack.pack_id.encode()) % 7 == 0:
            self.plan.end(pack.pack_id, attempt=1, kind="crash")
            return
        going = {run.run_id for run in pack}
        for epoch in range(1, pack.epochs + 1):
            values = {run.run_id: self._fates.value(run, epoch) for run in pack if run.run_id in going}
            kept = self.plan.report(pack.pack_id, attempt=pack.attempt, epoch=epoch, values=values)
            for run_id in sorted(going - kept):
                self.plan.tell(run_id, "pruned")
            going &= kept
        for run in (run for run in pack if run.run_id in going):
            failed = self._fates.fails(run)
            value = None if failed else self._fates.value(run, pack.epochs)
            self.plan.tell(run.run_id, "failed" if failed else "completed", value=value)
        self.plan.end(pack.pack_id, attempt=pack.attempt, kind="done")


def missing(study: Study, plan: Planner) -> Iterator[str]:  # noqa: PLR0912 - one list of what a study declares
    """What the study declares, and no row says anything of."""
    history = plan.history
    over = {
        (r.run.arm, r.run.search, r.run.phase, r.run.config_id, r.run.seed, r.run.fold)
        for r in history.runs.values()
        if r.status != "running"
    }
    reference = study.reference
    on_path = ablation_path.arms_on(study, ablation_path.removed(study, history)) if study.design.path else []
    for arm in [a.name for a in study.running]:
        for search in range(study.budget.searches):
            known = history.suggestions((arm, search))
            if study.is_searched(arm) and len(known) != study.budget.trials_of(search):
                yield f"{arm}: {len(known)} of {study.budget.trials_of(search)} suggestions"
            completed = [s for s in known if s.status == "completed"]
            best = candidates(study, known) if study.budget.rerank and len(candidates(study, known)) > 1 else []
            for one in best:
                config = study.config_id(arm, one.suggested)
                folds = {key[-1] for key in over if key[:4] == (arm, search, "rerank", config)}
                if folds != set(range(RERANK_FOLDS)):
                    yield f"{arm}: folds {folds} of {config}"
            if study.design.path and arm not in on_path:
                continue
            choice = history.chosen.get((arm, search))
            if choice is None:
                if not (study.design.path and unconfirmed(study, history)):
                    yield f"{arm}: nothing is chosen"
                continue
            if study.is_searched(arm) and (choice.suggested is None) != (bool(known) and not completed):
                yield f"{arm}: {choice} of {len(completed)} completed"
            if choice.suggested is None and arm not in unconfirmed(study, history):
                yield f"{arm}: nobody says why it is not confirmed"
            wanted = [] if choice.suggested is None else [choice.config_id]
            base = history.chosen[reference, search]
            if study.budget.frozen and arm != reference and base.suggested is not None:
                wanted.append(study.config_id(arm, base.suggested))
            seeds = [1 + i for i in study.budget.confirm_seeds(search, history.look_of(arm))]
            for config in wanted:
                if lost := [s for s in seeds if (arm, search, "confirm", config, s, None) not in over]:
                    yield f"{arm}: seeds {lost} of {config}"
    if (
        study.design.path
        and not unconfirmed(study, history)
        and len(ablation_path.removed(study, history)) != len(study.design.factors)
    ):
        yield f"the path ends after {ablation_path.removed(study, history)}"
    looks = history.looks() if study.budget.looks else []
    if study.budget.looks and not (looks and not looks[-1].going) and len(looks) + 1 != study.budget.num_looks:
        yield f"{len(looks)} of {study.budget.num_looks} looks"


@pytest.mark.parametrize("seed", range(200))
def test_a_plan_that_is_done_lacks_nothing_wherever_it_was_cut(seed: int) -> None:
    rng = np.random.default_rng(seed)
    study, fates = random_study(rng), Fates(rng)
    known: list[Event] = []
    for _ in range(40):
        driver = Driver(study, fates, known, most=len(known) + int(rng.integers(0, 25)))
        if driver.run():
            break
        known = [events.from_json(events.kind_of(e), json.loads(json.dumps(events.to_json(e)))) for e in driver.events]
    driver = Driver(study, fates, known, most=10**6)
    assert driver.run()
    assert not list(missing(study, driver.plan))
    assert not list(driver.plan.history.open_packs())


@pytest.mark.parametrize("seed", range(12))
def test_a_plan_that_was_cut_at_any_single_event_lacks_nothing_in_the_end(seed: int) -> None:
    rng = np.random.default_rng(1000 + seed)
    study, fates = random_study(rng), Fates(rng)
    whole = Driver(study, fates, [], most=10**6)
    assert whole.run()
    for cut in range(len(whole.events)):
        driver = Driver(study, fates, whole.events[:cut], most=10**6)
        assert driver.run()
        assert not list(missing(study, driver.plan)), cut


@pytest.mark.parametrize("case", ["one value", "two choices", "whole numbers", "steps"])
def test_a_space_of_few_configurations_is_searched_and_confirmed(
    case: str, run_study: Callable, runs: Callable
) -> None:
    study = toy_study(space=SPACES[case], conditions={}, trials=8)
    assert run_study(study).complete
    assert runs().query("phase == 'confirm'").groupby("arm").size().to_dict() == {"full": 4, "square": 4}


class Failing(Toy):
    """A toy whose search runs all fail, in one arm."""

    def train(self, pack, state=None):
        if pack.phase == "search" and pack.runs[0].arm == "square":
            raise RuntimeError("squares do not work")
        return (yield from super().train(pack, state))


def test_an_arm_whose_search_runs_all_failed_is_named_with_what_became_of_them(run_study: Callable) -> None:
    ended = run_study(toy_study(trials=4), Failing())
    assert ended.complete
    assert ended.unconfirmed == {"square": "not confirmed: none of the search runs of square completed (4 failed)"}
    again = run_study(toy_study(trials=4), retry_failed=True)
    assert again.complete
    assert not again.unconfirmed
