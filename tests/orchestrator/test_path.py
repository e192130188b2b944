"""The ablation path: one component after another, chosen by folds, reported on fresh seeds; with both runners."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import pytest
from toy import Toy, toy_study

from orchestrator.history.history import History
from orchestrator.history.run_counts import tallies, undecided
from orchestrator.ledger.journal import read
from orchestrator.ledger.recovery import contents_of, usable
from orchestrator.study.factorial_designs import factorial
from orchestrator.study.runs import RERANK_FOLDS, Pack, Run
from orchestrator.study.study import Study

FACTORS: Mapping[str, Mapping[str, Any]] = {"a": {"a": False}, "b": {"b": False}, "c": {"c": False}}


def study(**changes: Any) -> Study:
    base = {"x": 0.0, "depth": 2, "trouble": "none", "a": True, "b": True, "c": True}
    values: dict[str, Any] = {
        "params": base, "factors": FACTORS, "arms": factorial(FACTORS, check=lambda _: None), "path": True,
        "space": {param: d for param, d in toy_study().space.items() if param in base}, "conditions": {},
        "fusable": frozenset({"x"}),
    }  # fmt: skip
    return toy_study(**(values | changes))


class Redundant(Toy):
    """a and b stand in for each other: alone, neither is missed; c is worth something by itself."""

    def _final(self, pack: Pack, run: Run) -> float:
        off = {name for name in "abc" if not run.params[name]}
        loss = (run.params["x"] - 1) ** 2 + 0.1 * run.params["depth"] + 1e-3 * (run.seed % 7)
        return loss + self._cost(off, pack)

    def _cost(self, off: Collection[str], _pack: Pack) -> float:
        return 2.0 * ({"a", "b"} <= set(off)) + 0.5 * ("c" in off) + 0.01 * ("b" in off)


def walked(folder: Path) -> list[str]:
    return [step["arm"] for step in json.loads((folder / "study.json").read_text())["path"]]


def test_components_go_in_the_order_in_which_they_are_missed_least(
    run_study: Callable, runs: Callable, tmp_path: Path
) -> None:
    assert run_study(study(), Redundant()).complete
    assert walked(tmp_path / "results") == ["full", "no_a", "no_a+c", "no_a+b+c"]
    rows = runs()
    confirm = rows[rows.phase == "confirm"]
    assert confirm.groupby("arm").size().to_dict() == {"full": 4, "no_a": 4, "no_a+c": 4, "no_a+b+c": 4}
    assert set(rows[rows.phase == "search"].arm) == {"full"}
    folds = rows[rows.phase == "rerank"].groupby("arm").fold.nunique()
    compared = ["no_a", "no_b", "no_c", "no_a+b", "no_a+c", "no_a+b+c"]
    assert folds.to_dict() == dict.fromkeys(["full", *compared], RERANK_FOLDS)
    assert confirm.drop_duplicates("arm")["param:x"].nunique() == 1, (
        "the other hyperparameters stay as the reference chose them"
    )


def test_what_a_step_was_decided_by_is_recorded(run_study: Callable, runs: Callable, tmp_path: Path) -> None:
    run_study(study(), Redundant())
    _, first, second, third = json.loads((tmp_path / "results" / "study.json").read_text())["path"]
    rows = runs()
    mean = rows[rows.phase == "rerank"].groupby("arm")["metric:valid_loss"].mean()
    assert first["compared"] == pytest.approx({"a": mean["no_a"], "b": mean["no_b"], "c": mean["no_c"]})
    assert (first["removed"], first["folds"]) == ("a", pytest.approx(mean["no_a"]))
    assert second["compared"] == pytest.approx({"b": mean["no_a+b"], "c": mean["no_a+c"]})
    assert third["compared"] == pytest.approx({"b": mean["no_a+b+c"]})


def test_what_decides_a_step_is_no_test_item_and_no_confirm_seed(run_study: Callable, runs: Callable) -> None:
    class Lucky(Redundant):
        """On test items and confirm seeds b is missed least by far."""

        def _cost(self, off: Collection[str], pack: Pack) -> float:
            return super()._cost(off, pack) - 5.0 * ("b" in off and pack.phase == "confirm")

    run_study(study(), Lucky())
    rows = runs()
    assert "no_b" not in set(rows[rows.phase == "confirm"].arm)
    folds, confirm = rows[rows.phase == "rerank"], rows[rows.phase == "confirm"]
    assert folds["metric:test_loss"].isna().all()
    assert not set(folds.seed) & set(confirm.seed)


def test_a_stopped_path_goes_on_and_trains_nothing_twice(
    run_study: Callable, runs: Callable, runner: dict[str, Any], tmp_path: Path
) -> None:
    diary = tmp_path / "diary"
    toy, seconds, stops = Redundant(epoch_seconds=0.05, diary=diary), 0.5 if "serial" in runner else 2.0, 0
    while not run_study(study(epochs=2), toy, hours=seconds / 3600).complete:
        seconds, stops = 1.2 * seconds, stops + 1
    assert stops > 0, "else this test says nothing"
    assert walked(tmp_path / "results") == ["full", "no_a", "no_a+c", "no_a+b+c"]
    assert set(Counter(diary.read_text().splitlines()).values()) == {1}
    assert runs().run_id.is_unique


def test_a_component_whose_removal_fails_goes_last(run_study: Callable, tmp_path: Path) -> None:
    class Fragile(Redundant):
        """Nothing trains without a."""

        def _cost(self, off: Collection[str], pack: Pack) -> float:
            return float("nan") if "a" in off else super()._cost(off, pack)

    run_study(study(), Fragile())
    assert walked(tmp_path / "results") == ["full", "no_b", "no_b+c", "no_a+b+c"]


def test_without_a_search_the_reference_is_taken_as_it_is(run_study: Callable, runs: Callable, tmp_path: Path) -> None:
    run_study(study(trials=0), Redundant())
    assert walked(tmp_path / "results") == ["full", "no_a", "no_a+c", "no_a+b+c"]
    assert set(runs().phase) == {"rerank", "confirm"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"searches": 2}, "one search"),
        ({"looks": (2, 4)}, "fixed number"),
        ({"frozen": True}, "fixed number"),
        ({"selected": ("no_a",)}, "decides itself"),
        ({"factors": {}}, "every combination"),
        ({"arms": factorial(FACTORS, check=lambda _: None)[:-1]}, "1 are missing"),
    ],
)
def test_a_path_that_cannot_be_walked_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        study(**changes)


def test_what_is_planned_before_the_run_is_what_is_run(run_study: Callable, runs: Callable) -> None:
    before = tallies(study(), History(study()))
    told = sum(tally.num_missing for tally in before.values()) + undecided(study(), before)
    ended = run_study(study(), Redundant())
    assert len(runs()) == told
    after = tallies(study(), History(study(), usable(contents_of(read(ended.folder)).events)))
    assert sum(tally.num_missing for tally in after.values()) + undecided(study(), after) == 0
