"""The best of a search are ranked again by k-fold, with both runners: each fold once, and never a test item."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from toy import Toy, loss_of, toy_study

from orchestrator.study.design import Arm
from orchestrator.study.runs import RERANK_FOLDS, Pack, Run
from orchestrator.study.study import Study

LUCK = 0.8  # far beyond what distinguishes the toy's configurations


def study(**changes: object) -> Study:
    """Pruning would leave too few to rank; a run of one epoch is not pruned."""
    return toy_study(**({"trials": 8, "epochs": 1, "rerank": 3, "pack_size": RERANK_FOLDS} | changes))


def chosen(folder: Path) -> dict[str, str]:
    return json.loads((folder / "study.json").read_text())["chosen"]


def losses(rows: pd.DataFrame) -> pd.Series:
    return pd.Series(
        [loss_of({k: r[f"param:{k}"] for k in ("x", "depth", "kind")}, 0) for _, r in rows.iterrows()], index=rows.index
    )


def test_the_best_of_every_search_are_trained_once_a_fold_in_one_pack(run_study: Callable, runs: Callable) -> None:
    assert run_study(study(), Toy(luck=LUCK)).complete
    rows = runs()
    folds = rows[rows.phase == "rerank"]
    assert folds.groupby("arm").size().to_dict() == {"full": 3 * RERANK_FOLDS, "square": 3 * RERANK_FOLDS}
    for _, own in folds.groupby("pack_id"):
        assert own.config_id.nunique() == 1
        assert sorted(own.fold) == list(range(RERANK_FOLDS))
    for arm, own in rows[rows.phase == "search"].groupby("arm"):
        best = own.drop_duplicates("config_id").nsmallest(3, "metric:valid_loss").config_id
        assert set(folds[folds.arm == arm].config_id) == set(best)


def test_the_folds_decide_and_not_the_luck_of_one_validation_set(
    run_study: Callable, runs: Callable, tmp_path: Path
) -> None:
    run_study(study(), Toy(luck=LUCK))
    rows, choice = runs(), chosen(tmp_path / "results")
    by_hold_out = rows[rows.phase == "search"].sort_values("metric:valid_loss").drop_duplicates("arm")
    folds = rows[rows.phase == "rerank"].assign(loss=losses)
    for arm, own in folds.groupby("arm"):
        assert choice[arm] == own.sort_values("loss").config_id.iloc[0]
    assert set(by_hold_out.config_id) != set(choice.values()), "else this test says nothing"


def test_no_fold_run_touches_a_test_item(run_study: Callable, runs: Callable, tmp_path: Path) -> None:
    run_study(study())
    rows = runs()
    folds = rows[rows.phase == "rerank"]
    assert folds["metric:test_loss"].isna().all()
    assert not set(folds.run_id) & set(pd.read_parquet(tmp_path / "results" / "items").run_id)
    assert not [i for i in folds.run_id if (tmp_path / "results" / "models" / f"{i}.safetensors").exists()]


def test_searches_and_splits_have_folds_of_their_own(run_study: Callable, runs: Callable) -> None:
    run_study(study(searches=2, splits=2))
    rows = runs()
    folds = rows[rows.phase == "rerank"]
    assert (folds.split == folds.search).all()
    assert folds.groupby(["arm", "search", "config_id"]).fold.nunique().eq(RERANK_FOLDS).all()


def test_a_search_with_nothing_to_rank_is_not_ranked(run_study: Callable, runs: Callable) -> None:
    run_study(study(trials=1))
    assert set(runs().phase) == {"search", "confirm"}


def test_a_stopped_rerank_goes_on_and_trains_nothing_twice(
    run_study: Callable, runs: Callable, runner: dict[str, Any], tmp_path: Path
) -> None:
    diary = tmp_path / "diary"
    toy = Toy(epoch_seconds=0.1, diary=diary, luck=LUCK)
    seconds, stops = 0.35 if "serial" in runner else 2.0, 0  # Ray's workers take a while to start
    while not run_study(study(), toy, hours=seconds / 3600).complete:
        seconds, stops = 1.2 * seconds, stops + 1
    assert stops > 0, "else this test says nothing"
    rows = runs()
    assert rows.run_id.is_unique
    trained = Counter(diary.read_text().split())
    trained.pop("1")  # the epoch
    assert set(trained.values()) == {1}
    folds = rows[rows.phase == "rerank"].groupby(["arm", "config_id"]).fold.nunique()
    assert folds.eq(RERANK_FOLDS).all()
    assert set(chosen(tmp_path / "results").values()) <= set(folds.index.get_level_values("config_id"))


def test_more_trials_rank_anew_and_reuse_the_folds_there_are(
    run_study: Callable, runs: Callable, tmp_path: Path
) -> None:
    run_study(study(), Toy(luck=LUCK))
    before = runs()
    run_study(study(trials=16), Toy(luck=LUCK))
    rows = runs()
    assert set(before.run_id) < set(rows.run_id)
    assert not rows[rows.phase == "rerank"].duplicated(["arm", "config_id", "fold"]).any()
    assert set(chosen(tmp_path / "results").values()) <= set(rows[rows.phase == "rerank"].config_id)


def test_a_candidate_that_fails_in_a_fold_is_not_chosen(run_study: Callable, runs: Callable, tmp_path: Path) -> None:
    class Fragile(Toy):
        """The default is the best by far, and does not survive fold 2."""

        def _final(self, pack: Pack, run: Run) -> float:
            if run.params["x"] == 1.0:
                return float("nan") if pack.phase == "rerank" and run.fold == 2 else -1.0
            return super()._final(pack, run)

    base = dict(toy_study().params) | {"x": 1.0}
    run_study(study(params=base, arms=(Arm(name="full"),)), Fragile())
    rows = runs()
    default = rows[(rows.phase == "search") & (rows["param:x"] == 1.0)].config_id.iloc[0]
    assert default in set(rows[rows.phase == "rerank"].config_id)
    assert chosen(tmp_path / "results")["full"] != default


def test_a_study_that_was_begun_without_a_rerank_gets_one_only_when_it_is_accepted(
    run_study: Callable, runs: Callable
) -> None:
    run_study(study(rerank=0))
    with pytest.raises(ValueError, match="ranked again"):
        run_study(study(rerank=3))
    assert run_study(study(rerank=3), accept_change=True).complete
    assert set(runs().phase) == {"search", "rerank", "confirm"}
