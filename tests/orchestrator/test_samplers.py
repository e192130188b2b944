"""Every sampler and pruner by name, and what a kill keeps: the same next suggestion, or the same information."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import optuna
import pandas as pd
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from rich.console import Console

from orchestrator import Study, run
from orchestrator.command.arguments import BUDGET_OPTIONS
from orchestrator.history.events import Asked, Began
from orchestrator.history.suggestions import Suggestion
from orchestrator.plan import samplers
from orchestrator.plan.optuna_search import Search
from orchestrator.plan.plan import Plan, Wait
from orchestrator.plan.samplers import PRUNERS, SAMPLERS
from orchestrator.study.runs import Fingerprint

SPACE: dict[str, BaseDistribution] = {
    "lr": FloatDistribution(1e-3, 1.0, log=True),
    "width": IntDistribution(1, 8),
    "kind": CategoricalDistribution(["a", "b"]),
}
FINITE: dict[str, BaseDistribution] = {
    "width": IntDistribution(1, 3), "kind": CategoricalDistribution(["a", "b"]),
    "lr": FloatDistribution(0.1, 0.3, step=0.1),
}  # fmt: skip
EPOCHS = 8


def study(**changes: Any) -> Study:
    settings: dict[str, Any] = {
        "name": "samplers", "params": {"lr": 0.1, "width": 2, "kind": "a"},
        "arms": {"full": {}, "other": {}}, "space": FINITE if changes.get("sampler") == "grid" else SPACE,
        "minimise": ("valid_loss", "test_loss"), "smallest_effect": 0.1, "trials": 14, "seeds": 2, "epochs": EPOCHS,
        "uniform": 4,
    }  # fmt: skip
    return Study(**{**settings, **changes})


def loss(params: dict[str, Any], epoch: int) -> float:
    return abs(params["lr"] - 0.2) + abs(params["width"] - 5) / 10 + (params.get("kind") == "b") / 5 + 1 / epoch


def search_of(asked: Study, *, trials: int, killed_after: tuple[int, ...] = ()) -> list[Suggestion]:
    """The suggestions of a search, which is built again from its records after some of them."""
    known: list[Suggestion] = []
    search = Search(asked, "full", 0, known)
    for number in range(trials):
        params = search.suggest()
        record = Suggestion(number=number, run_id=str(number), suggested=params)
        status = "completed"
        for epoch in range(1, EPOCHS + 1):
            value = loss(params, epoch)
            record.reports[epoch] = value
            goes_on, attrs = search.report(number, epoch, value)
            record.attrs.update(attrs)
            if not goes_on:
                status = "pruned"
                break
        search.finish(number, status=status, value=value)
        record.status = status
        known.append(record)
        if number in killed_after:
            search = Search(asked, "full", 0, known)
    return known


KEEPS = {name: name != "cmaes" for name in (*SAMPLERS, "auto")}  # whether a kill keeps the next suggestion
NUMBERS = {name: values for name, values in SPACE.items() if name != "kind"}


@pytest.mark.parametrize("name", [*SAMPLERS, "auto"])
def test_after_a_kill_a_sampler_goes_on_as_the_documents_say(name: str) -> None:
    if name == "cmaes":
        pytest.importorskip("cmaes")
    asked = study(sampler=name, pruner="none", **({"space": NUMBERS} if name == "cmaes" else {}))
    trials, killed = (30, 17) if name == "cmaes" else (12, 6)
    whole = [one.suggested for one in search_of(asked, trials=trials)]
    cut = [one.suggested for one in search_of(asked, trials=trials, killed_after=(killed,))]
    assert cut[: killed + 1] == whole[: killed + 1]
    assert (cut == whole) == KEEPS[name]
    assert len({str(params) for params in whole}) >= 8, "it explores"


@pytest.mark.parametrize("name", [*PRUNERS, "threshold=0.9"])
def test_after_a_kill_a_pruner_decides_the_same(name: str) -> None:
    whole = [one.status for one in search_of(study(pruner=name), trials=14)]
    cut = [one.status for one in search_of(study(pruner=name), trials=14, killed_after=(4, 9))]
    assert cut == whole
    assert ("pruned" in whole) == (name != "none")


def test_a_grid_is_gone_through_once_without_an_end() -> None:
    asked = study(sampler="grid", pruner="none")
    made = [str(sorted(one.suggested.items())) for one in search_of(asked, trials=18, killed_after=(7,))]
    assert len(set(made)) == 18, "3 x 2 x 3 combinations"
    assert len(search_of(asked, trials=20)) == 20


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sampler": "bayes"}, "sampler must be one of tpe, gp"),
        ({"pruner": "asha"}, "pruner must be one of halving, none"),
        ({"sampler": "grid", "space": SPACE}, "sampler 'grid' needs finitely many values .* lr must have a step"),
    ],
)
def test_what_cannot_be_had_is_met_before_anything_runs(changes: dict[str, Any], words: str, tmp_path: Any) -> None:
    with pytest.raises(ValueError, match=words):
        run(study(**changes), train, serial=True, results=tmp_path / "r", console=Console(quiet=True))
    assert not (tmp_path / "r").exists()


def train(params: dict[str, Any], epochs: int):
    for epoch in range(1, epochs + 1):
        yield {"valid_loss": loss(params, epoch)}
    return {"test_loss": loss(params, epochs)}


def make(seed: int) -> optuna.samplers.BaseSampler:
    return optuna.samplers.RandomSampler(seed=seed)


@pytest.mark.parametrize(
    "changes", [{"sampler": make, "pruner": optuna.pruners.MedianPruner()}, {"sampler": "qmc", "pruner": "hyperband"}]
)
def test_a_study_runs_with_them_and_names_them(changes: dict[str, Any], tmp_path: Any) -> None:
    asked = study(arms={"full": {}, "slow": {"width": 1}}, **changes)
    done = run(asked, train, serial=True, results=tmp_path / "r", console=Console(quiet=True))
    assert done.complete
    again = run(asked, train, serial=True, results=tmp_path / "r", console=Console(quiet=True))
    assert len(again.verdicts) == 2
    named = (tmp_path / "r" / "study.json").read_text()
    assert ('"sampler": "make"' in named) == (changes["sampler"] is make)
    assert ('"pruner": "MedianPruner"' in named) == (changes["sampler"] is make)


def test_another_sampler_goes_on_from_what_is_known_and_the_change_is_on_record(tmp_path: Any) -> None:
    asked = study(arms={"full": {}, "slow": {"width": 1}}, trials=4)
    run(asked, train, serial=True, results=tmp_path / "r", console=Console(quiet=True))
    more = replace(asked, budget=replace(asked.budget, sampler="random", trials=6))
    done = run(more, train, serial=True, results=tmp_path / "r", console=Console(quiet=True))
    assert done.complete
    assert "the sampler of the searches" in (tmp_path / "r" / "study.json").read_text()


def test_a_record_holds_numbers_of_a_trial_and_hands_on_no_text() -> None:
    """Optuna's CMA-ES unpickles what it finds in a trial; a results folder may be somebody else's."""
    found: list[Any] = []

    def curious(seed: int) -> optuna.samplers.BaseSampler:
        class Curious(optuna.samplers.RandomSampler):
            def before_trial(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
                found.extend(one.system_attrs for one in study.get_trials()[:-1])

        return Curious(seed=seed)

    odd = Suggestion(
        number=0, run_id="0", suggested={"lr": 0.1, "width": 2, "kind": "a"}, status="completed", reports={1: 0.5},
        attrs={"completed_rung_0": 0.5, "cma:optimizer:0": "80049..."},
    )  # fmt: skip
    Search(study(sampler=curious), "full", 0, [odd]).suggest()
    assert found == [{"completed_rung_0": 0.5}]


def test_the_command_line_offers_all_of_them() -> None:
    assert BUDGET_OPTIONS["sampler"]["choices"] == (*SAMPLERS, "auto")
    assert all(f"{name}," in BUDGET_OPTIONS["pruner"]["help"] for name in PRUNERS)


@pytest.mark.parametrize(("mode", "bound"), [("minimise", "0.9"), ("maximise", "-0.9")])
def test_a_threshold_gives_up_what_is_beyond_it(mode: str, bound: str) -> None:
    asked = study(**{"pruner": f"threshold={bound}", "minimise": None, mode: ("valid_loss", "test_loss")})
    search = Search(asked, "full", 0, [])
    sign = 1 if mode == "minimise" else -1
    search.suggest(), search.suggest()
    assert search.report(0, EPOCHS, sign * 0.8)[0]
    assert not search.report(1, EPOCHS, sign * 1.0)[0]


@pytest.mark.parametrize("pruner", ["threshold=", "threshold=low", "threshold=nan"])
def test_a_threshold_must_be_a_number(pruner: str, tmp_path: Any) -> None:
    with pytest.raises(ValueError, match="pruner must be threshold=X, X the worst value of the metric that goes on"):
        run(study(pruner=pruner), lambda params: {}, results=tmp_path, serial=True)


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_auto_is_a_gaussian_process_where_trials_are_few_and_all_are_numbers() -> None:
    def made(**changes: Any) -> str:
        return type(samplers.sampler(study(sampler="auto", **changes), seed=0, search_seed=0, number=1)).__name__

    assert made(space=NUMBERS) == "GPSampler"
    assert made() == "TPESampler", "a choice"
    assert made(space=NUMBERS, trials=500) == "TPESampler"


class Slow(optuna.samplers.RandomSampler):
    """A sampler that thinks until it is let go."""

    go_on = threading.Event()

    def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, BaseDistribution]:
        assert self.go_on.wait(60)
        return super().infer_relative_search_space(study, trial)


def test_a_sampler_that_thinks_holds_nobody_up() -> None:
    asked = study(sampler=lambda seed: Slow(seed=seed), trials=3)
    plan = Plan(asked, Fingerprint(data_sha256="d", code_sha256="c"), aside=True)
    Slow.go_on.clear()
    packs = []

    def begin() -> None:
        while isinstance(event := plan.next(), Asked | Began):
            plan.apply(event)
            if isinstance(event, Began):
                packs.append(plan.pack(event.pack_id))
        assert event == Wait()

    begin()
    assert len(packs) == 2, "the defaults of both arms; their searches think of what comes next"
    told = [
        plan.reported(pack.pack_id, attempt=1, epoch=1, values={run.run_id: 0.5 for run in pack.runs}) for pack in packs
    ]
    for reported in told:
        assert reported is not None, "news of both are heard meanwhile"
        plan.apply(reported)
    Slow.go_on.set()
    for pack in packs[:2]:
        for one in pack.runs:
            event = plan.told(one.run_id, "completed", value=0.5)
            assert event is not None
            plan.apply(event)
    begin_at = len(packs)
    assert isinstance(plan.next(), Asked), "nothing runs, so that it is waited for"
    while len(packs) < begin_at + 2:
        event = plan.next()
        if not isinstance(event, Wait):
            assert isinstance(event, Asked | Began)
            plan.apply(event)
        if isinstance(event, Began):
            packs.append(plan.pack(event.pack_id))
    arms = {pack.runs[0].arm for pack in packs[begin_at:]}
    assert arms == {"full", "other"}
    numbers = {run.number for record in plan.history.runs.values() if (run := record)}
    assert numbers == {0, 1}


@pytest.mark.ray
def test_a_study_on_ray_with_a_sampler_that_thinks_is_complete(tmp_path: Any) -> None:
    result = run(study(sampler="gp", pruner="none"), trained, results=tmp_path / "gp", console=Console(quiet=True))
    assert result.complete
    rows = pd.read_parquet(tmp_path / "gp" / "runs")
    assert (rows[rows.phase == "search"].groupby("arm").size() >= 13).all(), "a suggestion may come twice"


def trained(params, seed, epochs):
    for epoch in range(epochs):
        yield {"valid_loss": loss(params, epoch + 1) + 0.001 * seed}
    return {"test_loss": loss(params, epochs) + 0.001 * seed}
