"""The ablation table: pairs, families, and how far verdicts carry."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from results_folders import TWO_ARMS, Recipe, write_results

from analysis.results.item_scores import item_scores
from analysis.results.load import Results, load
from analysis.results.paired_runs import pairs
from analysis.statistics.paired_tests import holm, paired_t_interval
from analysis.statistics.sign_flips import sign_flip_p
from analysis.tables import overview

COLUMNS = [
    "arm", "metric", "role", "n_seeds", "mean", "sd", "delta", "ci_low", "ci_high", "ci_items_low", "ci_items_high",
    "holds_for", "rho_pair", "pair_gain", "effect_size", "p_exact", "p_holm", "p_equiv_holm", "verdict", "reason",
    "seeds_needed", "failed", "cautions", "n_groups", "collapsed", "collapsed_reference", "p_collapse",
]  # fmt: skip


@pytest.fixture(scope="module")
def table(mosi: Results) -> pd.DataFrame:
    return overview.ablation(mosi)


def test_the_table_has_the_columns_that_other_tools_read(table: pd.DataFrame) -> None:
    assert list(table.columns) == COLUMNS
    assert list(table["metric"].unique()) == ["test_mae", "test_corr", "test_acc2"]
    assert set(table.loc[table["metric"] == "test_mae", "role"]) == {"primary"}


def test_the_reference_has_a_row_without_a_comparison(table: pd.DataFrame, mosi: Results) -> None:
    row = table.iloc[0]
    assert row["arm"] == "full"
    assert row["n_seeds"] == 12
    assert pd.isna(row["delta"])
    assert row["verdict"] == ""
    assert row["mean"] == pytest.approx(mosi.of("full", mosi.confirm)["metric:test_mae"].mean())


def test_every_number_of_a_row_is_over_the_same_pairs(table: pd.DataFrame, mosi: Results) -> None:
    row = table[table["arm"] == "late_fusion"].iloc[0]
    own = mosi.of("late_fusion", mosi.confirm).set_index("seed")["metric:test_mae"].dropna()
    reference = mosi.of("full", mosi.confirm).set_index("seed")["metric:test_mae"]
    d = (own - reference.loc[own.index]).to_numpy()
    assert row["n_seeds"] == len(d) == 8
    assert row["failed"] == 4
    assert row["delta"] == pytest.approx(d.mean())
    assert row["mean"] == pytest.approx(own.mean())
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(paired_t_interval(d))
    assert row["p_exact"] == pytest.approx(sign_flip_p(d))


def test_the_primary_metric_is_a_family_of_all_arms(table: pd.DataFrame) -> None:
    rows = table[(table["role"] == "primary") & (table["arm"] != "full")]
    assert len(rows) == 12
    assert rows["p_holm"].to_numpy() == pytest.approx(holm(rows["p_exact"]))


def test_secondary_metrics_are_one_family_without_verdicts(table: pd.DataFrame) -> None:
    rows = table[(table["role"] == "secondary") & (table["arm"] != "full")]
    assert rows["p_holm"].to_numpy() == pytest.approx(holm(rows["p_exact"]))
    assert set(rows["verdict"]) == {""}
    assert rows["p_equiv_holm"].isna().all()


def test_what_was_planted_is_found(table: pd.DataFrame) -> None:
    verdict = table[table["role"] == "primary"].set_index("arm")["verdict"]
    assert verdict["only_acoustic"] == verdict["no_multimodal_factor"] == "worse"
    assert verdict["no_prior"] in ("equivalent", "undecided")


def test_the_interval_for_new_videos_is_wider(table: pd.DataFrame) -> None:
    rows = table[(table["metric"] != "test_corr") & (table["arm"] != "full")]
    assert (rows["ci_items_high"] - rows["ci_items_low"] > rows["ci_high"] - rows["ci_low"]).mean() > 0.8


def test_a_metric_that_is_no_mean_over_items_has_no_interval_for_new_videos(table: pd.DataFrame) -> None:
    assert table.loc[table["metric"] == "test_corr", "ci_items_low"].isna().all()


def test_the_rule_that_scores_an_item_is_the_one_that_gives_back_the_metric(mosi: Results) -> None:
    scores = item_scores(mosi, "test_acc2")
    assert scores is not None
    assert set(np.unique(scores.score_RI)) == {0.0, 1.0}
    reported = mosi.confirm.set_index("run_id")["metric:test_acc2"].loc[scores.run_ids]
    assert scores.score_RI.mean(axis=1) == pytest.approx(reported.to_numpy())
    assert len(np.unique(scores.cluster_I)) == 31


def test_items_without_a_group_are_their_own_cluster(small: Results) -> None:
    alone = replace(small, items=small.items.assign(group=None))
    scores = item_scores(alone, "test_mae")
    assert scores is not None
    assert len(np.unique(scores.cluster_I)) == 200


def test_without_items_verdicts_stay_and_hold_for_seeds(small: Results) -> None:
    row = overview.ablation(replace(small, items=small.items.head(0))).iloc[1]
    assert row["verdict"] == "worse"
    assert row["holds_for"] == "seeds"
    assert pd.isna(row["ci_items_low"])


def test_a_large_effect_holds_for_new_videos_too(small: Results) -> None:
    row = overview.ablation(small).iloc[1]
    assert (row["verdict"], row["holds_for"]) == ("worse", "seeds+videos")


def test_with_several_searches_a_large_effect_holds_for_another_tuning_too(tmp_path: Path) -> None:
    arms = {"full": ({}, 0.0), "gone": ({"a": 1}, 0.3), "same": ({"b": 1}, 0.0), "also": ({"c": 1}, 0.0)}
    folder = write_results(tmp_path, Recipe(arms=arms, trials=30, searches=3, seeds=12, num_items=300))
    table = overview.ablation(load(folder)).set_index("arm")
    assert table.loc["gone", "holds_for"].iloc[0] == "seeds+videos+tuning"


def test_a_run_whose_metric_is_not_a_number_counts_as_failed(small: Results) -> None:
    runs = small.runs.copy()
    broken = runs.index[(runs["phase"] == "confirm") & (runs["arm"] == "no_prior")][0]
    runs.loc[broken, "metric:test_mae"] = np.nan
    own = pairs(replace(small, runs=runs), "no_prior", "test_mae")
    assert (own.num_failed, own.num_lost, len(own.d_S)) == (1, 1, 9)


def test_a_pair_that_the_reference_lost_is_lost_for_every_arm(small: Results) -> None:
    runs = small.runs.copy()
    runs.loc[runs.index[(runs["phase"] == "confirm") & (runs["arm"] == "full")][:2], "status"] = "failed"
    own = pairs(replace(small, runs=runs), "no_prior", "test_mae")
    assert (own.num_failed, own.num_lost, len(own.d_S)) == (0, 2, 8)


def test_seeds_that_are_not_there_yet_are_not_failures(small: Results) -> None:
    runs = small.runs
    runs = runs.drop(runs.index[(runs["phase"] == "confirm") & (runs["arm"] == "no_prior")][:3])
    own = pairs(replace(small, runs=runs), "no_prior", "test_mae")
    assert (own.num_failed, own.num_lost, len(own.d_S)) == (0, 0, 7)


def test_overlapping_splits_widen_the_interval(tmp_path: Path) -> None:
    recipe = Recipe(arms=TWO_ARMS, trials=0, splits=5, num_items=100)
    folder = write_results(tmp_path / "a", recipe)
    known = write_results(tmp_path / "b", replace(recipe, extra={"test_to_train": 0.25}))
    plain, wide = (overview.ablation(load(f)).iloc[1] for f in (folder, known))
    assert wide["delta"] == plain["delta"]
    ratio = (wide["ci_high"] - wide["ci_low"]) / (plain["ci_high"] - plain["ci_low"])
    assert ratio == pytest.approx(np.sqrt((0.1 + 0.25) / 0.1))


def test_accuracy_is_better_when_higher(tmp_path: Path) -> None:
    folder = write_results(tmp_path, Recipe(arms=TWO_ARMS, trials=0, seeds=12, classes=10))
    row = overview.ablation(load(folder)).iloc[1]
    assert row["delta"] < 0
    assert row["verdict"] == "worse"
    assert row["ci_items_low"] < row["ci_low"]


def test_a_metric_that_an_arm_cannot_have_is_no_failure_and_no_row(small: Results) -> None:
    runs = small.runs.copy()
    runs.loc[runs["arm"] == "no_prior", "metric:test_corr"] = np.nan
    table = overview.ablation(replace(small, runs=runs)).set_index(["arm", "metric"])
    assert ("no_prior", "test_corr") not in table.index
    assert table["failed"].sum() == 0
    assert table.loc[("no_prior", "test_acc2"), "p_holm"] == table.loc[("no_prior", "test_acc2"), "p_exact"]
