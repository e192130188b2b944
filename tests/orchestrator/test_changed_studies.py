"""One results folder, one study: what changed is said, and the user chooses."""

from __future__ import annotations

import json
from collections.abc import Callable

import pandas as pd
import pytest
from optuna.distributions import FloatDistribution
from toy import Toy, toy_study

from orchestrator.ledger.schema import SCHEMA_VERSION
from orchestrator.study.design import Arm


class OtherData(Toy):
    data_sha256 = "other data"


class OtherCode(Toy):
    code_sha256 = "other code"


@pytest.fixture
def runner() -> dict[str, bool]:
    return {"serial": True}


CHANGES = {
    "the data": ({}, OtherData()),
    "the model's code": ({}, OtherCode()),
    "the defaults of the hyperparameters": ({"params": {**toy_study().params, "x": 0.5}}, Toy()),
    "the search space": ({"space": {**toy_study().space, "x": FloatDistribution(-3, 3)}}, Toy()),
    "what the arms hold fixed": (
        {"arms": (Arm(name="full"), Arm(name="square", pins={"kind": "square", "depth": 1}))},
        Toy(),
    ),
    "the smallest effect of interest": ({"smallest_effect": 0.2}, Toy()),
    "the study's seed": ({"seed": 1}, Toy()),
    "the number of searches per arm": ({"searches": 2}, Toy()),
    "how many of the best of a search are ranked again": ({"rerank": 3}, Toy()),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_named_and_refused(what: str, run_study: Callable, runs: Callable) -> None:
    run_study(toy_study())
    before = runs()
    changes, objective = CHANGES[what]
    with pytest.raises(ValueError, match=f"was begun with something else: .*{what}.* changed") as error:
        run_study(toy_study(**changes), objective)
    assert "begin anew with fresh=True" in str(error.value)  # who calls `run` has no command line
    assert "say with accept_change=True" in str(error.value)
    pd.testing.assert_frame_equal(before, runs())


def test_an_accepted_change_is_noted_and_the_old_rows_count_on(run_study: Callable, runs: Callable) -> None:
    run_study(toy_study())
    ended = run_study(toy_study(seeds=5), OtherData(), accept_change=True)
    rows = runs()
    confirm = rows[rows.phase == "confirm"]
    assert confirm.groupby("arm").size().to_dict() == {"full": 5, "square": 5}
    written = json.loads(ended.folder.study.read_text())
    assert [change["what"] for change in written["changes"]] == [["the data", "the confirm seeds per arm"]]
    assert written["changes"][0]["values"] == {"data_sha256": ["toy data", "other data"], "seeds": [4, 5]}
    assert written["data_sha256"] == "toy data"


def test_another_study_is_refused_whatever_is_accepted(run_study: Callable) -> None:
    run_study(toy_study())
    with pytest.raises(ValueError, match="holds the study 'toy', not 'other'"):
        run_study(toy_study(name="other"), accept_change=True)


def test_fresh_keeps_the_old_results_aside(run_study: Callable, runs: Callable) -> None:
    first = run_study(toy_study())
    before = runs()
    run_study(toy_study(seed=1), fresh=True)
    assert not set(runs().run_id) & set(before.run_id)
    (aside,) = first.folder.root.parent.glob("results-*")
    pd.testing.assert_frame_equal(pd.read_parquet(aside / "runs"), before)


def test_study_json_says_what_the_tables_cannot(run_study: Callable, runs: Callable) -> None:
    written = json.loads(run_study(toy_study()).folder.study.read_text())
    rows = runs()
    assert written["reference_arm"] == "full"
    assert written["primary_metric"] == "test_loss"
    assert written["modes"] == {"valid_loss": "min", "test_loss": "min"}
    assert written["arms"] == {"full": {}, "square": {"kind": "square"}}
    assert set(written["space"]) == {"x", "depth", "edge"}
    assert written["conditions"] == {"edge": [["kind", ["square"]]]}
    confirm = rows[rows.phase == "confirm"]
    assert written["chosen"] == confirm.groupby("arm").config_id.first().to_dict()


def test_a_file_that_is_not_a_study_is_refused(run_study: Callable) -> None:
    ended = run_study(toy_study())
    ended.folder.study.write_text("{")
    with pytest.raises(ValueError, match=r"study.json must describe a study; it cannot be read"):
        run_study(toy_study())
    ended.folder.study.write_text('{"schema_version": 99}')
    with pytest.raises(ValueError, match=f"schema version 99; this code reads up to {SCHEMA_VERSION}"):
        run_study(toy_study())


def test_a_folder_of_an_earlier_schema_is_refused_by_name_and_kept_with_fresh(run_study: Callable) -> None:
    ended = run_study(toy_study())
    known = json.loads(ended.folder.study.read_text())
    ended.folder.study.write_text(json.dumps(known | {"schema_version": 1}))
    with pytest.raises(
        ValueError, match=rf"earlier version of the project \(schema version 1; this one writes {SCHEMA_VERSION}\)"
    ):
        run_study(toy_study())
    assert run_study(toy_study(), fresh=True).complete
