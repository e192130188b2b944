"""Every arm once more with the hyperparameters that were tuned for the reference, with both runners."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from toy import toy_study

from orchestrator.history.history import History
from orchestrator.history.run_counts import tallies, undecided
from orchestrator.ledger.journal import read
from orchestrator.ledger.recovery import contents_of, usable
from orchestrator.plan.phase import Values
from orchestrator.study.design import Arm
from orchestrator.study.study import Study


def study(**changes: Any) -> Study:
    """A third arm, which has no hyperparameter of its own: what the reference chooses can be what it chooses, too."""
    arms = (*toy_study().arms, Arm(name="shallow", pins={"edge": 0.25}))
    return toy_study(**({"frozen": True, "arms": arms} | changes))


def declared(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "study.json").read_text())


def test_every_arm_is_confirmed_with_the_params_of_the_reference_on_the_same_seeds(
    run_study: Callable, runs: Callable, tmp_path: Path
) -> None:
    assert run_study(study()).complete
    confirm = runs().query("phase == 'confirm'")
    told = declared(tmp_path / "results")
    reference = confirm[confirm.arm == "full"]
    for arm in ("square", "shallow"):
        frozen = confirm[(confirm.arm == arm) & (confirm.config_id == told["frozen"][arm][0])]
        assert sorted(frozen.seed) == sorted(reference.seed)
        assert frozen["metric:test_loss"].notna().all()
        for param in ("x", "depth"):
            assert frozen[f"param:{param}"].unique() == reference[f"param:{param}"].unique()
    assert "full" not in told["frozen"]


def test_an_arm_that_chose_what_the_reference_chose_is_trained_once(
    run_study: Callable, runs: Callable, tmp_path: Path
) -> None:
    run_study(study(trials=0))
    told = declared(tmp_path / "results")
    assert told["frozen"] == {arm: [told["chosen"][arm]] for arm in ("square", "shallow")}
    assert runs().groupby("arm").size().to_dict() == {"full": 4, "square": 4, "shallow": 4}


def test_every_search_has_frozen_runs_with_its_own_choice(run_study: Callable, runs: Callable, tmp_path: Path) -> None:
    run_study(study(searches=2))
    told, confirm = declared(tmp_path / "results"), runs().query("phase == 'confirm'")
    reference = confirm[confirm.arm == "full"].drop_duplicates("search").set_index("search")
    for search, config_id in enumerate(told["frozen"]["square"]):
        frozen = confirm[(confirm.arm == "square") & (confirm.config_id == config_id)]
        assert set(frozen["param:x"]) == {reference["param:x"][search]}
        assert set(frozen.seed % 2) == {1 - search}


def test_a_study_that_goes_on_with_frozen_params_adds_them_and_keeps_the_rest(
    run_study: Callable, runs: Callable, tmp_path: Path
) -> None:
    run_study(study(frozen=False))
    before, told = runs(), declared(tmp_path / "results")
    run_study(study())
    assert set(before.run_id) < set(runs().run_id)
    assert declared(tmp_path / "results")["chosen"] == told["chosen"]
    new = runs()[~runs().run_id.isin(before.run_id)]
    assert set(new.phase) == {"confirm"}
    assert set(new.arm) <= {"square", "shallow"}


def test_more_trials_that_change_the_choice_freeze_anew(run_study: Callable, runs: Callable, tmp_path: Path) -> None:
    run_study(study(trials=1))
    first = declared(tmp_path / "results")["frozen"]["square"]
    run_study(study(trials=12))
    second = declared(tmp_path / "results")["frozen"]["square"]
    assert first != second, "else this test says nothing"
    rows = runs().query("phase == 'confirm' and arm == 'square'")
    assert (rows.config_id == second[0]).sum() == 4


def test_nothing_is_missing_in_the_end(run_study: Callable, runs: Callable) -> None:
    ended = run_study(study())
    counts = tallies(study(), History(study(), usable(contents_of(read(ended.folder)).events)))
    assert sum(tally.num_missing for tally in counts.values()) == undecided(study(), counts) == 0
    assert counts["square"].num_over("frozen") == counts["square"].planned["frozen"] == 4
    assert sum(tally.over.total() for tally in counts.values()) == len(runs())


def test_with_looks_an_arm_is_frozen_on_the_seeds_that_it_was_given(
    run_study: Callable, runs: Callable, tmp_path: Path
) -> None:
    """The first look stops square; shallow goes on to the end."""
    looked = study(seeds=8, looks=(4, 8), about={"rule": {"looks": [4, 8]}})
    run_study(looked, seed_rule=lambda _own, _frozen, look: ["shallow"] if look == 0 else [])
    told, confirm = declared(tmp_path / "results"), runs().query("phase == 'confirm'")
    assert told["asked_seeds"] == {"full": 8, "square": 4, "shallow": 8}
    for arm, number in (("square", 4), ("shallow", 8)):
        assert (confirm[confirm.arm == arm].config_id == told["frozen"][arm][0]).sum() == number


def test_a_look_reads_both_kinds_of_runs(run_study: Callable) -> None:
    """At each look all runs of both kinds are over; where an arm chose as the reference did, they are the same."""
    seen: list[tuple[dict, dict]] = []

    def rule(own: Values, frozen: Values, look: int) -> list[str]:
        seen.append(({arm: sorted(v) for arm, v in own.items()}, {arm: sorted(v) for arm, v in frozen.items()}))
        assert all(value is not None for values in (own, frozen) for v in values.values() for value in v.values())
        return ["shallow"] if look == 0 else []

    run_study(study(seeds=8, looks=(4, 6, 8), about={"rule": {"looks": [4, 6, 8]}}), seed_rule=rule)
    (own, frozen), (own_then, frozen_then) = seen
    first = own["full"]
    assert (len(first), own) == (4, dict.fromkeys(("full", "square", "shallow"), first))
    assert frozen == dict.fromkeys(("square", "shallow"), first)
    assert len(own_then["shallow"]) == len(frozen_then["shallow"]) == 6
    assert frozen_then["square"] == first
