"""The plan: what it asks, what it makes of reports, and that folding its events gives the same plan."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from planner import Planner
from toy import loss_of, toy_study

from orchestrator.history import events
from orchestrator.history.events import Asked, Chosen, Event, Looked, Reported, Told
from orchestrator.history.run_counts import tallies
from orchestrator.plan.phase import SeedRule, Values
from orchestrator.plan.plan import Done, Wait
from orchestrator.plan.search_phase import SearchPhase
from orchestrator.runners.run import not_searched
from orchestrator.study.budget import SEED_STRIDE
from orchestrator.study.design import Arm
from orchestrator.study.factorial_designs import factorial
from orchestrator.study.model import Cost
from orchestrator.study.params import Params, require_known
from orchestrator.study.runs import Fingerprint, Pack
from orchestrator.study.study import Study

FINGERPRINT = Fingerprint(data_sha256="data", code_sha256="code")


class World:
    """Workers that train a plan's packs an epoch at a time, in an order drawn from a seed."""

    def __init__(
        self,
        study: Study,
        *,
        num_workers: int = 3,
        seed: int = 0,
        known: list[Event] | None = None,
        seed_rule: SeedRule = lambda _own, _frozen, _look: (),
        num_cores: int = 0,
    ) -> None:
        self.events: list[Event] = list(known or [])
        known = list(self.events)
        self.plan = Planner(study, FINGERPRINT, record=self.events.append, events=known, seed_rule=seed_rule)
        self.rng = np.random.default_rng(seed)
        self.num_workers, self.num_cores = num_workers, num_cores
        self.packs: dict[str, tuple[Pack, set[str], int]] = {}

    def run(self, *, max_steps: int = 100_000) -> World:
        for _ in range(max_steps):
            while len(self.packs) < self.num_workers and isinstance(pack := self._ask(), Pack):
                self.packs[pack.pack_id] = (pack, {run.run_id for run in pack}, 0)
            if not self.packs:
                return self
            self._advance(str(self.rng.choice(sorted(self.packs))))
        return self

    def _ask(self) -> Pack | Wait | Done:
        return self.plan.ask(num_cores=self.num_cores)

    def _advance(self, pack_id: str) -> None:
        pack, survivors, epoch = self.packs.pop(pack_id)
        values = {r.run_id: loss_of(r.params, r.seed) + 1 / (epoch + 1) for r in pack if r.run_id in survivors}
        go_on = self.plan.report(pack_id, attempt=pack.attempt, epoch=epoch + 1, values=values)
        for run_id in survivors - go_on:
            self.plan.tell(run_id, "pruned")
        if go_on and epoch + 1 < pack.epochs:
            self.packs[pack_id] = (pack, go_on, epoch + 1)
            return
        for run_id in go_on:
            self.plan.tell(run_id, "completed", value=None if pack.phase == "search" else values[run_id])
        self.plan.end(pack_id, attempt=pack.attempt, kind="done")


def statuses(plan: Planner) -> Counter[tuple[str, str]]:
    return Counter((r.run.arm, r.run.phase) for r in plan.history.runs.values() if r.status != "running")


def asked(recorded: list[Event]) -> Iterator[events.AskedRun]:
    return (run for event in recorded if isinstance(event, Asked) for run in event.runs)


EVERYTHING = {(arm, p): n for arm in ("full", "square") for p, n in (("search", 6), ("confirm", 4))}


def test_every_arm_gets_the_same_search_and_then_its_confirm_seeds() -> None:
    world = World(toy_study()).run()
    assert isinstance(world.plan.ask(), Done)
    assert statuses(world.plan) == EVERYTHING


def test_the_first_configuration_of_every_arm_is_its_default() -> None:
    study = toy_study()
    world = World(study).run()
    for arm in study.arms:
        first = next(run for run in asked(world.events) if run.arm == arm.name)
        assert study.configuration(arm.name, first.suggested) == {**study.params, **arm.pins}


def test_what_an_arm_pins_is_searched_in_no_arm() -> None:
    world = World(toy_study()).run()
    assert not any("kind" in run.suggested for run in asked(world.events))


def test_a_param_without_a_meaning_is_not_suggested_and_is_null() -> None:
    study = toy_study()
    world = World(study).run()
    for record in world.plan.history.runs.values():
        active = study.active(record.run.params)
        assert ("edge" in record.suggested) == (record.run.arm == "square") == ("edge" in active)


def test_arms_are_interleaved_and_confirmed_as_soon_as_their_search_is_over() -> None:
    world = World(toy_study(trials=12), num_workers=1).run()
    order = [(run.arm, run.phase) for run in asked(world.events)]
    first_ten = [arm for arm, phase in order[:10]]
    assert {"full", "square"} == set(first_ten), "no arm waits for another"
    assert order.index(("full", "confirm")) < max(i for i, o in enumerate(order) if o == ("square", "search"))


def test_the_best_completed_configuration_is_confirmed() -> None:
    world = World(toy_study(trials=20)).run()
    chosen = {e.arm: e for e in world.events if isinstance(e, Chosen)}
    for arm, choice in chosen.items():
        records = [r for r in world.plan.history.runs.values() if r.run.arm == arm and r.run.phase == "search"]
        best = min((r for r in records if r.status == "completed"), key=lambda r: loss_of(r.run.params, r.run.seed))
        assert choice.config_id == best.run.config_id


def test_claims_rest_on_seeds_that_nothing_was_chosen_by_and_that_all_arms_share() -> None:
    world = World(toy_study()).run()
    seeds = {
        (phase, arm): {r.seed for r in asked(world.events) if (r.phase, r.arm) == (phase, arm)}
        for phase in ("search", "confirm")
        for arm in ("full", "square")
    }
    assert seeds["confirm", "full"] == seeds["confirm", "square"]
    assert not seeds["confirm", "full"] & seeds["search", "full"]


def test_completions_of_a_suggestion_differ_in_fusable_params_only() -> None:
    world = World(toy_study(completions=3)).run()
    for event in world.events:
        if isinstance(event, Asked) and event.runs[0].phase == "search":
            assert len({run.suggested["depth"] for run in event.runs}) == 1
            assert len({run.suggested["x"] for run in event.runs}) == len(event.runs)


def sizes(world: World, phase: str) -> list[tuple[str, int]]:
    """Arm and size of the packs of a phase, in the order in which they were asked."""
    packs = [event.runs for event in world.events if isinstance(event, Asked) and event.runs]
    return [(runs[0].arm, len(runs)) for runs in packs if runs[0].phase == phase]


def test_on_cores_the_last_packs_are_small_and_the_long_arm_goes_first() -> None:
    study = toy_study(trials=0, seeds=20, pack_size=8, costs={"full": Cost(run=1.0), "square": Cost(run=3.0)})
    world = World(study, num_workers=2, num_cores=2).run()
    assert sum(size for _, size in sizes(world, "confirm")) == 40
    assert statuses(world.plan) == {("full", "confirm"): 20, ("square", "confirm"): 20}
    # At most 8, alike where that leaves few; 0.8 of half of what is left of both arms; and of the short one alone.
    assert sizes(world, "confirm")[:4] == [("square", n) for n in (7, 7, 3, 3)]
    assert sizes(world, "confirm")[4:] == [("full", n) for n in (7, 5, 3, 2, 1, 1, 1)]


def test_packs_that_cost_much_by_themselves_stay_large() -> None:
    study = toy_study(trials=0, seeds=20, pack_size=8, costs=dict.fromkeys(("full", "square"), Cost(pack=5, run=1)))
    found = sizes(World(study, num_workers=2, num_cores=2).run(), "confirm")
    assert min(n for _, n in found) >= 4, "a run in a pack of 4 costs 1.25 times what it costs in one of 8, or less"
    assert sum(n for _, n in found) == 40


def test_elsewhere_packs_are_as_few_as_they_may_be_and_alike() -> None:
    world = World(toy_study(trials=0, seeds=20, pack_size=8, costs={"square": Cost(run=3.0)})).run()
    assert sizes(world, "confirm") == [(arm, n) for arm in ("square", "full") for n in (7, 7, 6)]


@pytest.mark.parametrize("kind", ["plain", "frozen", "looks"])
def test_small_packs_ask_for_the_same_runs(kind: str) -> None:
    changes = {"frozen": {"frozen": True}, "looks": {"looks": (4, 12)}}.get(kind, {})
    study = toy_study(trials=10, seeds=12, pack_size=8, **changes)
    runs = [
        set(
            World(study, num_workers=1, num_cores=n, seed_rule=lambda _own, _frozen, _look: ("square",))
            .run()
            .plan.history.runs
        )
        for n in (0, 1, 50)
    ]
    assert runs[0] == runs[1] == runs[2]


def path_study() -> Study:
    """Three components in all combinations, removed one after another."""
    factors = {name: {name: False} for name in "abc"}
    base = {"x": 0.0, "depth": 2, "kind": "round", "a": True, "b": True, "c": True}
    space = {param: d for param, d in toy_study().space.items() if param in ("x", "depth")}
    arms = factorial(factors, check=lambda _: None)
    return toy_study(
        trials=10,
        params=base,
        space=space,
        conditions={},
        fusable=frozenset({"x"}),
        factors=factors,
        arms=arms,
        path=True,
    )


SEARCHED = {(arm, "search"): 10 for arm in ("full", "square")}
CUT = {
    "plain": (toy_study(trials=10), SEARCHED | {(arm, "confirm"): 4 for arm in ("full", "square")}),
    "frozen": (toy_study(trials=10, frozen=True), SEARCHED | {("full", "confirm"): 4, ("square", "confirm"): 8}),
    "path": (
        path_study(),
        # All alike: the first component in order goes first.
        {("full", "search"): 10, **{(arm, "confirm"): 4 for arm in ("full", "no_a", "no_a+b", "no_a+b+c")}}
        | {(arm, "rerank"): 5 for arm in ("full", "no_a", "no_b", "no_c", "no_a+b", "no_a+c", "no_a+b+c")},
    ),
}


@pytest.mark.parametrize("kind", CUT)
@pytest.mark.parametrize("seed", range(5))
def test_a_plan_cut_anywhere_goes_on_from_its_events_to_exactly_the_planned_runs(kind: str, seed: int) -> None:
    study, planned = CUT[kind]
    rng = np.random.default_rng(seed)
    known: list[Event] = []
    for cut in range(8):
        world = World(study, seed=seed * 100 + cut, known=known).run(max_steps=int(rng.integers(1, 12)))
        keep = len(known) + int(rng.integers(0, len(world.events) - len(known) + 1))
        known = [
            events.from_json(events.kind_of(e), json.loads(json.dumps(events.to_json(e)))) for e in world.events[:keep]
        ]
    world = World(study, seed=seed, known=known).run()
    assert isinstance(world.plan.ask(), Done)
    assert statuses(world.plan) == planned
    told = Counter(e.run_id for e in world.events if isinstance(e, Told))
    assert set(told.values()) == {1}


def test_suggestions_after_a_cut_are_new_ones_and_equal_those_of_an_uncut_plan() -> None:
    study = toy_study(trials=12, completions=1)
    whole = World(study, num_workers=1).run()
    half = World(study, num_workers=1).run(max_steps=30)
    rest = World(study, num_workers=1, known=half.events).run()
    assert [r.suggested for r in asked(rest.events)] == [r.suggested for r in asked(whole.events)]


def test_rungs_after_a_cut_are_as_they_were() -> None:
    """A bad trial that the plan prunes is pruned by the plan that is folded from its events too."""
    study = toy_study(trials=8, completions=1, arms=(Arm(name="full"),))
    for cut in range(1, 40):
        whole = World(study, num_workers=2, seed=1).run(max_steps=cut)
        folded = Planner(study, FINGERPRINT, events=list(whole.events))
        for key in [("full", 0)]:
            ours, theirs = (p.history.suggestions(key) for p in (whole.plan, folded))
            assert [(s.status, s.reports, s.attrs) for s in ours] == [(s.status, s.reports, s.attrs) for s in theirs]
            assert [rungs(whole.plan, key)] == [rungs(folded, key)]


def rungs(plan: Planner, key: tuple[str, int]) -> list[dict]:
    (phase,) = plan._plan._listeners
    assert isinstance(phase, SearchPhase)
    return [dict(t.system_attrs) for t in phase._search(plan.history, key)._optuna.get_trials(deepcopy=False)]


def test_a_pruned_run_stays_pruned_though_its_pack_was_cut_before_it_was_told() -> None:
    world = World(toy_study(trials=10)).run()
    index = next(i for i, e in enumerate(world.events) if isinstance(e, Reported) and e.pruned)
    event = world.events[index]
    assert isinstance(event, Reported)
    plan = Planner(toy_study(trials=10), FINGERPRINT, events=world.events[: index + 1])
    pack = _ask_all(plan)[event.pack_id]
    assert pack.attempt == event.attempt + 1
    values = {run.run_id: -100.0 for run in pack}
    go_on = plan.report(pack.pack_id, attempt=pack.attempt, epoch=event.epoch, values=values)
    assert not go_on & set(event.pruned)


def _ask_all(plan: Planner) -> dict[str, Pack]:
    packs: dict[str, Pack] = {}
    while isinstance(pack := plan.ask(), Pack) and len(packs) < 50:
        packs[pack.pack_id] = pack
    return packs


def test_reports_of_an_attempt_that_is_not_current_are_dropped() -> None:
    plan = Planner(toy_study(), FINGERPRINT)
    pack = plan.ask()
    assert isinstance(pack, Pack)
    plan.end(pack.pack_id, attempt=1, kind="crash")
    again = plan.ask()
    assert isinstance(again, Pack)
    assert (again.pack_id, again.attempt) == (pack.pack_id, 2)
    values = {run.run_id: 1.0 for run in pack}
    assert plan.report(pack.pack_id, attempt=1, epoch=1, values=values) == set()
    assert plan.report(pack.pack_id, attempt=2, epoch=1, values=values) == set(values)


@pytest.mark.parametrize(("kind", "retries"), [("crash", 2), ("hang", 1), ("bug", 0), ("data", 1)])
def test_how_often_a_pack_is_tried_again_depends_on_what_went_wrong(kind: str, retries: int) -> None:
    plan = Planner(toy_study(), FINGERPRINT)
    for attempt in range(1, retries + 2):
        pack = plan.ask()
        assert isinstance(pack, Pack)
        assert pack.attempt == attempt
        failed = plan.end(pack.pack_id, attempt=attempt, kind=kind)
    assert [run.run_id for run in failed] == [run.run_id for run in pack]


@pytest.mark.parametrize("kind", ["preempted", "drained"])
def test_what_is_nobodys_fault_is_tried_again_for_ever(kind: str) -> None:
    plan = Planner(toy_study(), FINGERPRINT)
    for attempt in range(1, 30):
        pack = plan.ask()
        assert isinstance(pack, Pack)
        assert plan.end(pack.pack_id, attempt=attempt, kind=kind) == []


def test_a_pack_that_is_too_big_is_divided_until_one_run_is_left() -> None:
    plan = Planner(toy_study(trials=0, arms=(Arm(name="full"),)), FINGERPRINT)
    sizes = []
    while isinstance(pack := plan.ask(), Pack):
        sizes.append(len(pack.runs))
        for run in plan.end(pack.pack_id, attempt=pack.attempt, kind="oom"):
            plan.tell(run.run_id, "failed")
    assert sorted(sizes) == [1] * 8 + [2, 2, 4], (
        "single runs are tried twice: their neighbours' memory may be free then"
    )
    assert {r.status for r in plan.history.runs.values()} == {"failed"}


# Arms in one pack

ALIKE = (Arm(name="full"), Arm(name="square", pins={"kind": "square"}), Arm(name="deep", pins={"depth": 3}))


def without_kind(params: Params) -> Params:
    """Configurations that differ in `kind` alone train together."""
    return {**params, "kind": "any"}


def arms_by_pack(recorded: list[Event], phase: str) -> list[Counter[str]]:
    packs = [event.runs for event in recorded if isinstance(event, Asked)]
    return [Counter(run.arm for run in runs) for runs in packs if runs[0].phase == phase]


def test_arms_of_one_structure_train_in_one_pack() -> None:
    world = World(toy_study(trials=0, arms=ALIKE, pack_size=16, structure=without_kind)).run()
    assert arms_by_pack(world.events, "confirm") == [Counter(full=4, square=4), Counter(deep=4)]
    assert statuses(world.plan) == {(arm.name, "confirm"): 4 for arm in ALIKE}


def test_packs_of_several_arms_are_as_large_as_one_another() -> None:
    world = World(toy_study(trials=0, arms=ALIKE[:2], seeds=6, pack_size=10, structure=without_kind)).run()
    assert arms_by_pack(world.events, "confirm") == [Counter(full=6), Counter(square=6)]
    world = World(toy_study(trials=0, arms=ALIKE[:2], seeds=6, pack_size=5, structure=without_kind)).run()
    assert arms_by_pack(world.events, "confirm") == [Counter(full=4), Counter(full=2, square=2), Counter(square=4)]


def test_on_cores_arms_train_by_themselves() -> None:
    world = World(toy_study(trials=0, arms=ALIKE, pack_size=16, structure=without_kind), num_cores=1).run()
    assert all(len(arms) == 1 for arms in arms_by_pack(world.events, "confirm"))


def test_what_arms_have_chosen_decides_whether_they_train_together() -> None:
    """Frozen runs have the reference's hyperparameters but for their arm's pins; what was searched is mostly apart."""
    study = toy_study(arms=(*ALIKE[:2], Arm(name="other", pins={"kind": "square", "edge": 0.1})), frozen=True,
                      structure=without_kind, pack_size=16)  # fmt: skip
    world = World(study).run()
    assert arms_by_pack(world.events, "confirm")[-1] == Counter(square=4, other=4)
    for record in world.plan.history.runs.values():
        assert record.run.params == study.configuration(record.run.arm, record.suggested)


def test_the_folds_of_alike_candidates_train_in_one_pack() -> None:
    space = {"x": FloatDistribution(-2, 2)}
    world = World(toy_study(space=space, arms=ALIKE[:1], rerank=3, pack_size=16)).run()
    assert arms_by_pack(world.events, "rerank") == [Counter(full=15)]
    world = World(toy_study(space=space, arms=ALIKE[:1], rerank=3, pack_size=16), num_cores=1).run()
    assert arms_by_pack(world.events, "rerank") == [Counter(full=5)] * 3


@pytest.mark.parametrize("kind", ["bug", "crash"])
def test_a_failure_in_a_pack_of_several_arms_is_found_out_arm_by_arm(kind: str) -> None:
    plan = Planner(toy_study(trials=0, arms=ALIKE[:2], pack_size=16, structure=without_kind), FINGERPRINT)
    while isinstance(pack := plan.ask(), Pack):
        if {run.arm for run in pack} == {"square"}:
            for run in pack:
                plan.tell(run.run_id, "completed")
            assert plan.end(pack.pack_id, attempt=pack.attempt, kind="done") == []
        else:
            for run in plan.end(pack.pack_id, attempt=pack.attempt, kind=kind):
                plan.tell(run.run_id, "failed")
    assert Counter((r.run.arm, r.status) for r in plan.history.runs.values()) == {
        ("full", "failed"): 4,
        ("square", "completed"): 4,
    }


def test_a_search_that_repeats_itself_is_told_from_what_is_known() -> None:
    space = {"kind": CategoricalDistribution(("round", "square")), "x": CategoricalDistribution((0.0, 1.0))}
    world = World(toy_study(space=space, fusable=frozenset(), trials=12, completions=1)).run()
    assert isinstance(world.plan.ask(), Done)
    for arm in ("full", "square"):
        assert len(world.plan.history.suggestions((arm, 0))) == 12
        search = [r for r in world.plan.history.runs.values() if (r.run.arm, r.run.phase) == (arm, "search")]
        assert len(search) == 2, "two configurations exist, and each was trained once"
    counts = tallies(world.plan.study, world.plan.history)
    assert {(tally.planned["search"], tally.num_missing) for tally in counts.values()} == {(2, 0)}


def test_searches_of_an_arm_share_no_run() -> None:
    world = World(toy_study(searches=2, trials=8)).run()
    search = [r.run for r in world.plan.history.runs.values() if r.run.phase == "search"]
    assert {(r.search, r.seed) for r in search} == {(0, 0), (1, SEED_STRIDE - 1)}
    confirm = {r.run.seed for r in world.plan.history.runs.values() if r.run.phase == "confirm"}
    assert confirm == {1, 2, 3, 4}


def test_another_number_of_epochs_is_another_run() -> None:
    short = World(toy_study(epochs=3)).run()
    longer = World(toy_study(), known=short.events).run()
    assert isinstance(longer.plan.ask(), Done)
    assert statuses(longer.plan) == {key: 2 * n for key, n in EVERYTHING.items()}


def test_an_arm_of_which_no_search_run_completed_is_not_confirmed() -> None:
    plan = Planner(toy_study(trials=2), FINGERPRINT)
    while isinstance(pack := plan.ask(), Pack):
        plan.report(pack.pack_id, attempt=1, epoch=1, values={run.run_id: 1.0 for run in pack})
        for run in pack:
            plan.tell(run.run_id, "failed" if run.arm == "square" else "completed")
        plan.end(pack.pack_id, attempt=1, kind="done")
    assert isinstance(pack, Done)
    assert statuses(plan) == {("full", "search"): 2, ("full", "confirm"): 4, ("square", "search"): 2}


def test_searches_are_independent_and_share_the_trials() -> None:
    study = toy_study(trials=10, searches=2, seeds=6, splits=2)
    world = World(study).run()
    for arm in ("full", "square"):
        for search in (0, 1):
            runs = [r for r in asked(world.events) if (r.arm, r.search) == (arm, search)]
            assert sum(r.phase == "search" for r in runs) == 5
            assert [r.seed % 2 for r in runs if r.phase == "confirm"] == [1 - search] * 3
            assert {r.split for r in runs} == {search}, "a split's test items were never chosen by"


THREE_ARMS = (Arm(name="full"), Arm(name="square", pins={"kind": "square"}), Arm(name="deep", pins={"depth": 4}))


def num_confirmed(plan: Planner) -> dict[str, int]:
    return {arm: n for (arm, phase), n in statuses(plan).items() if phase == "confirm"}


def test_arms_that_a_look_stops_get_no_more_seeds_and_the_reference_goes_on_with_the_rest() -> None:
    asked_of: list[tuple[dict, int]] = []

    def seed_rule(values: Values, _frozen: Values, look: int) -> Sequence[str]:
        asked_of.append((dict(values), look))
        return {0: ("square", "deep"), 1: ("deep",)}.get(look, ())

    study = toy_study(arms=THREE_ARMS, seeds=9, looks=(3, 5, 7, 9), trials=2)
    world = World(study, seed_rule=seed_rule).run()
    assert isinstance(world.plan.ask(), Done)
    assert num_confirmed(world.plan) == {"full": 7, "square": 5, "deep": 7}
    assert [look for _, look in asked_of] == [0, 1, 2]
    values = asked_of[0][0]
    assert {arm: sorted(v) for arm, v in values.items()} == {key: [1, 2, 3] for key in ("full", "square", "deep")}
    assert all(isinstance(v, float) for arm in values.values() for v in arm.values())


@pytest.mark.parametrize("cut", range(3, 60, 4))
def test_a_look_is_a_fact_that_a_cut_plan_does_not_decide_again(cut: int) -> None:
    study = toy_study(arms=THREE_ARMS, seeds=6, looks=(2, 4, 6), trials=2)
    first = World(study, seed_rule=lambda _own, _frozen, look: ("deep",)).run(max_steps=cut)
    known = [events.from_json(events.kind_of(e), json.loads(json.dumps(events.to_json(e)))) for e in first.events]
    looked = sum(isinstance(e, Looked) for e in known)
    rest = World(study, known=known, seed_rule=lambda _own, _frozen, look: ()).run()
    assert isinstance(rest.plan.ask(), Done)
    assert num_confirmed(rest.plan)["deep"] == study.budget.looks[min(looked, 2)]
    assert num_confirmed(rest.plan)["square"] == 2


EXTENDED: dict[str, tuple[dict, dict]] = {
    "epochs": ({"epochs": 3}, {"epochs": 6}),
    "trials that find another configuration": ({"trials": 1}, {"trials": 12}),
    "an arm": ({"selected": ("square",)}, {}),
}


@pytest.mark.parametrize("what", EXTENDED)
def test_looks_are_taken_again_when_what_they_looked_at_is_extended(what: str) -> None:
    before, after = EXTENDED[what]
    common = {"arms": THREE_ARMS, "seeds": 6, "looks": (2, 4, 6), "trials": 2}
    first = World(toy_study(**common | before), seed_rule=lambda _own, _frozen, _look: ()).run()
    assert num_confirmed(first.plan)["full"] == 2
    study, looked = toy_study(**common | after), list[int]()

    def seed_rule(_own: Values, _frozen: Values, look: int) -> Sequence[str]:
        looked.append(look)
        return ("deep",)

    rest = World(study, known=first.events, seed_rule=seed_rule).run()
    assert looked == [0, 1]
    assert isinstance(rest.plan.ask(), Done)
    seeds = {arm.name: rest.plan.history.num_seeds(arm.name) for arm in study.arms}
    assert seeds == {"full": 6, "square": 2, "deep": 6}


def test_looks_that_were_taken_stand_while_nothing_is_extended() -> None:
    study = toy_study(arms=THREE_ARMS, seeds=6, looks=(2, 4, 6), trials=2)
    first = World(study, seed_rule=lambda _own, _frozen, _look: ("deep",)).run()
    rest = World(study, known=first.events, seed_rule=lambda _own, _frozen, _look: ()).run()
    assert rest.events == first.events


@pytest.mark.parametrize("max_steps", [40, 60, 80, 100, 10_000])
def test_an_accepted_change_of_a_default_ranks_anew_wherever_the_rerank_was(max_steps: int) -> None:
    study = toy_study(epochs=1, rerank=2, space={"x": FloatDistribution(-2, 2)})
    known = World(study).run(max_steps=max_steps).events
    changed = toy_study(epochs=1, rerank=2, space={"x": FloatDistribution(-2, 2)}, params={**study.params, "depth": 3})
    plan = World(changed, known=known).run().plan
    assert isinstance(plan.ask(), Done), "every arm has had its folds and its seeds"
    for arm in ("full", "square"):
        choice = plan.history.chosen[arm, 0]
        folds = [r.run for r in plan.history.runs.values() if r.run.phase == "rerank" and r.run.arm == arm]
        assert len([run for run in folds if run.config_id == choice.config_id]) == 5
        assert {run.params["depth"] for run in folds if run.config_id == choice.config_id} == {3}


def test_an_accepted_change_of_a_default_confirms_every_arm_anew() -> None:
    study = toy_study(trials=2)
    first = World(study).run()
    changed = toy_study(trials=2, params={**study.params, "trouble": "nothing"})
    rest = World(changed, known=first.events).run()
    chosen = {c.arm: c.config_id for c in rest.plan.history.chosen.values()}
    counted = Counter(r.run.arm for r in rest.plan.history.runs.values() if r.run.config_id == chosen[r.run.arm])
    assert counted == {"full": 4, "square": 4}, "rows of both defaults are not mixed"
    assert rest.plan.history.num_running.total() == 0
    assert statuses(rest.plan)["full", "search"] == 2, "what the search has found stands"


def test_wait_is_the_answer_while_what_runs_decides_what_is_next() -> None:
    plan = Planner(toy_study(trials=2, arms=(Arm(name="full"),)), FINGERPRINT)
    assert isinstance(plan.ask(), Pack)
    assert isinstance(plan.ask(), Wait)


def test_nothing_to_search_goes_straight_to_confirm() -> None:
    study = toy_study(space={"kind": CategoricalDistribution(("round", "square"))})
    world = World(study).run()
    assert statuses(world.plan) == {(arm, "confirm"): 4 for arm in ("full", "square")}


WRONG: dict[str, tuple[dict, str]] = {
    "misspelt pin": ({"arms": (Arm(name="full"), Arm(name="b", pins={"kynd": "square"}))}, "did you mean 'kind'"),
    "reference pins": (
        {"reference": "full", "arms": (Arm(name="full", pins={"kind": "square"}),)},
        "must hold nothing fixed",
    ),
    "unknown reference": ({"reference": "ful"}, "did you mean 'full'"),
    "two arms of a name": ({"arms": (Arm(name="full"), Arm(name="full"))}, "distinct names"),
    "unknown arm": ({"selected": ("circle",)}, "arm 'circle' is not known"),
    "hyperparameter not in base": ({"space": {"y": FloatDistribution(0, 1)}}, "hyperparameter 'y'"),
    "default out of range": ({"space": {"x": FloatDistribution(1, 2)}}, "must lie in its range"),
    "unknown metric": ({"search": "valid_los"}, "did you mean 'valid_loss'"),
    "search on test": ({"epoch": ("valid_loss", "test_loss"), "search": "test_loss"}, "not of the test"),
    "claim on validation": ({"primary": "valid_loss"}, "must be of the test items"),
    "no epochs": ({"epochs": 0}, "epochs must be at least 1"),
    "no effect": ({"smallest_effect": 0.0}, "must be a positive number, and finite"),
    "too many searches": ({"searches": 7}, "7 searches per arm need"),
    "looks that shrink": ({"looks": (3, 2, 4)}, "looks must grow up to the 4 seeds"),
    "looks short of the seeds": ({"looks": (2, 3)}, "looks must grow up to the 4 seeds"),
    "unknown condition": ({"conditions": {"edge": [("form", ("square",))]}}, "hyperparameter 'form'"),
    "unknown fusable": ({"fusable": frozenset({"y"})}, "hyperparameter 'y'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_study_that_cannot_be_is_refused_with_what_to_do(case: str) -> None:
    changes, words = WRONG[case]
    with pytest.raises(ValueError, match=words):
        toy_study(**changes)


def with_base(**values: object) -> dict:
    return {"params": {**toy_study().params, **values}}


def with_choice(choice: object) -> dict:
    return {"space": {"kind": CategoricalDistribution(("round", choice))}}  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore:Choices for a categorical distribution")
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            lambda: with_base(x=None),
            "the default of hyperparameter 'x' must be a bool, a whole number, .* got NoneType",
        ),
        (lambda: with_base(x=[1, 2]), r"got list \[1, 2\]"),
        (lambda: with_base(depth=np.int64(2)), "got int64 .*: write 2"),
        (lambda: with_base(x=float("nan")), "must be finite; got nan"),
        (lambda: {"arms": (Arm(name="full"), Arm(name="b", pins={"x": np.float64(1)}))}, "got float64 .*: write 1.0"),
        (lambda: with_base(kind="a\ud800"), "must be text that every file can hold"),
        (lambda: with_base(depth=2**63), "must fit into 64 bits"),
        (lambda: {"modes": {"valid_loss": "minimum", "test_loss": "min"}}, "must be 'min' or 'max'; got 'minimum'"),
        (lambda: {"smallest_effect": float("nan")}, "must be a positive number, and finite; got nan"),
        (lambda: {"smallest_effect": float("inf")}, "must be a positive number, and finite; got inf"),
        (lambda: {"seeds": 3.0}, "seeds must be a whole number, an int; got 3.0"),
        (lambda: {"trials": np.int64(3)}, "trials must be a whole number, an int"),
        (lambda: {"about": {"path": Path()}}, "about must be plain values, that JSON can hold"),
        (lambda: {"arms": (Arm(name="full"), Arm(name=3))}, "an arm's name must be text; got 3"),
        (lambda: with_choice((1, 2)), "every choice of hyperparameter 'kind' must be .* got tuple"),
        (lambda: with_choice(None), "every choice of hyperparameter 'kind' must be .* got NoneType None"),
        (lambda: with_choice([1]), "every choice of hyperparameter 'kind' must be .* got list"),
    ],
)
def test_a_value_that_neither_a_column_nor_json_gives_back_is_refused(changes: Callable, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        toy_study(**changes())


def test_events_survive_json() -> None:
    world = World(toy_study(trials=10)).run()
    for event in world.events:
        again = events.from_json(events.kind_of(event), json.loads(json.dumps(events.to_json(event))))
        assert json.dumps(events.to_json(again)) == json.dumps(events.to_json(event))


def test_an_event_of_a_newer_version_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="got 'rethought': a newer version"):
        events.from_json("rethought", {})


def test_a_plan_of_its_events_takes_a_choice_by_folds_as_it_was_made() -> None:
    study = toy_study(rerank=3, pack_size=5)
    world = World(study).run()
    again = World(study, known=world.events)
    assert isinstance(again.plan.ask(), Done)
    assert again.plan.history.chosen == world.plan.history.chosen
    assert not any(isinstance(e, Chosen) for e in again.events[len(world.events) :])


@pytest.mark.parametrize("cut", [0.3, 0.5, 0.6, 0.7, 0.8, 0.9])
def test_a_rerank_that_is_cut_off_anywhere_asks_every_fold_once(cut: float) -> None:
    study = toy_study(rerank=3, pack_size=5)
    whole = World(study).run()
    cut_off = World(study, known=whole.events[: int(cut * len(whole.events))]).run()
    folds = Counter((run.arm, run.config_id, run.fold) for run in asked(cut_off.events) if run.phase == "rerank")
    assert set(folds.values()) == {1}
    by_config = Counter((arm, config) for arm, config, _ in folds)
    assert set(by_config.values()) == {5}
    assert Counter(arm for arm, _ in by_config) <= Counter({"full": 3, "square": 3})
    assert statuses(cut_off.plan)["full", "confirm"] == 4
    counts = tallies(study, cut_off.plan.history)
    assert all(tally.num_missing == 0 for tally in counts.values())


def test_more_than_999_seeds_are_as_many_runs() -> None:
    world = World(toy_study(trials=0, seeds=1100), num_workers=1).run()
    assert num_confirmed(world.plan) == {"full": 1100, "square": 1100}


def test_a_name_that_is_not_known_is_told_with_those_that_are() -> None:
    with pytest.raises(ValueError, match=r"^arm 'squar' is not known; did you mean 'square'\? Known: full, square$"):
        require_known("arm", "squar", ["square", "full"])
    with pytest.raises(ValueError, match=r"^arm 'x' is not known\. Known: full$"):
        require_known("arm", "x", ["full"])


def test_what_all_arms_hold_fixed_is_said_not_to_be_searched() -> None:
    study = toy_study(arms={"full": {}, "square": {"kind": "square"}})
    assert not_searched(study) == ["Not searched: kind, which arm square holds fixed"]
