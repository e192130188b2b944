"""The other tables: fairness, failures, histories, curves, configurations."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.results.load import Results
from analysis.tables import overview
from analysis.tables.cost import Prices, cost
from analysis.words import methods_paragraph


def test_fairness_counts_every_search_run_by_its_status(mosi: Results) -> None:
    table = overview.fairness(mosi)
    columns = ["arm", "search_runs", "completed", "pruned", "failed", "train_seconds", "best_valid"]
    assert list(table.columns) == columns
    assert (table["search_runs"] == 40).all()
    assert (table["completed"] + table["pruned"] + table["failed"] == 40).all()
    own = mosi.of("full", mosi.search)
    assert table.iloc[0]["best_valid"] == own.loc[own["status"] == "completed", "metric:valid_mae"].min()


def test_a_copied_run_costs_no_time(small: Results) -> None:
    copied = replace(small, runs=small.runs.assign(reused_from="elsewhere"))
    assert overview.fairness(copied)["train_seconds"].sum() == 0
    assert overview.fairness(small)["train_seconds"].sum() > 0


def test_cost_is_told_per_arm_and_copied_runs_have_none(small: Results) -> None:
    sizes = small.runs["arm"].map({"full": 1200.0, "no_prior": 1000.0})
    table = cost(replace(small, runs=small.runs.assign(**{"metric:parameters": sizes}))).set_index("arm")
    own = small.of("full", small.confirm)
    assert table.loc["full", "parameters"] == 1200
    assert table.loc["full", "mean"] == pytest.approx(own["metric:test_mae"].mean())
    assert table.loc["full", "seconds_per_run"] == pytest.approx(own["train_seconds"].mean())
    assert cost(small)["parameters"].isna().all(), "an objective need not count them"
    copied = cost(replace(small, runs=small.runs.assign(reused_from="elsewhere")))
    assert copied["seconds_per_run"].isna().all()
    assert copied["search_seconds"].sum() == 0


def test_an_arm_costs_all_its_runs_and_a_share_of_a_gpu_its_share(small: Results) -> None:
    runs = small.runs.assign(gpu_share=small.runs["arm"].map({"full": 0.25, "no_prior": 0.0}))
    table = cost(replace(small, runs=runs), Prices(gpu=3.0, core=0.5)).set_index("arm")
    spent = small.runs.groupby("arm")["train_seconds"].sum()
    assert table["total_seconds"].to_dict() == pytest.approx(spent.to_dict())
    assert table.loc["full", "gpu_seconds"] == pytest.approx(spent["full"] / 4)
    assert table.loc["full", "price"] == pytest.approx(spent["full"] * (0.25 * 3.0 + 0.5) / 3600)
    assert table.loc["no_prior", "price"] == pytest.approx(spent["no_prior"] * 0.5 / 3600)
    assert cost(small)["price"].isna().all(), "without prices, none"
    assert pd.isna(cost(replace(small, runs=runs), Prices(core=0.5)).set_index("arm").loc["full", "price"])


def test_halving_an_interval_costs_the_seeds_of_the_arm_and_of_the_reference(small: Results) -> None:
    row = cost(small).set_index("arm").loc["no_prior"]
    each = [small.of(arm, small.confirm)["train_seconds"].mean() for arm in ("full", "no_prior")]
    assert row["seconds_to_halve"] == pytest.approx(row["seeds_to_halve"] * sum(each))
    assert pd.isna(cost(small).set_index("arm").loc["full", "seeds_to_halve"]), "the reference has no difference"


def test_failures_are_counted_by_kind_with_an_example(mosi: Results) -> None:
    row = overview.failures(mosi).set_index("arm").loc["late_fusion"]
    assert (row["runs"], row["failed"], row["kinds"]) == (52, 5, "5 not_finite")
    assert row["example"].startswith("the loss must be finite")


def test_arms_that_fail_more_often_or_had_fewer_runs_are_flagged(small: Results) -> None:
    runs = small.runs.copy()
    own = runs.index[(runs["arm"] == "no_prior") & (runs["phase"] == "search")]
    runs.loc[own[:15], "status"] = "failed"
    worse = replace(small, runs=runs.drop(own[-3:]))
    said = methods_paragraph.unfair(overview.fairness(worse), overview.failures(worse))
    assert said[0] == "Fewer search runs than the 30 of the others: no_prior (27)."
    assert any(sentence.startswith("no_prior failed more often than the others: 15 of 37") for sentence in said)
    assert methods_paragraph.unfair(overview.fairness(small), overview.failures(small)) == []


def test_the_best_so_far_only_improves_and_only_by_completed_runs(mosi: Results) -> None:
    table = overview.history(mosi)
    own = table[table["arm"] == "full"]
    assert list(own["number"]) == list(range(1, 41))
    assert (own["best_so_far"].dropna().diff().dropna() <= 0).all()
    assert own["best_so_far"].iloc[-1] == own.loc[own["status"] == "completed", "value"].min()


def test_a_curve_is_the_mean_over_seeds_with_its_t_interval(mosi: Results) -> None:
    row = overview.curves(mosi).set_index(["arm", "epoch"]).loc[("late_fusion", 5)]
    done = mosi.of("late_fusion", mosi.confirm)
    ids = done.loc[done["status"] == "completed", "run_id"]
    at = mosi.epochs[mosi.epochs["run_id"].isin(ids) & (mosi.epochs["epoch"] == 5)]["valid_mae"]
    expected = stats.ttest_1samp(at, 0).confidence_interval(0.95)
    assert row["n_seeds"] == 8
    assert (row["low"], row["high"]) == pytest.approx((expected.low, expected.high))


def test_a_curve_of_one_seed_has_no_band(small: Results) -> None:
    runs = small.runs[(small.runs["phase"] == "search") | (small.runs["seed"] == 1000)]
    table = overview.curves(replace(small, runs=runs))
    assert (table["n_seeds"] == 1).all()
    assert table["low"].isna().all()


def test_the_chosen_configuration_has_its_params_and_its_value(small: Results) -> None:
    row = overview.best(small).iloc[0]
    search = small.search.set_index("config_id").loc[small.study.chosen["full"][0]]
    assert row["lr"] == search["param:lr"]
    assert row["valid_mae"] == search["metric:valid_mae"]


def test_pairs_are_listed_one_by_one(mosi: Results) -> None:
    table = overview.paired(mosi)
    assert len(table) == 12 * 12 - 5
    assert np.allclose(table["value"] - table["reference"], table["delta"])


def test_progress_is_told_while_the_study_runs(small: Results) -> None:
    assert methods_paragraph.progress(overview.progress(small)) == ""
    early = replace(small, runs=small.runs.head(20))
    assert "20 of 60 search runs and 0 of 20 confirm runs" in methods_paragraph.progress(overview.progress(early))


def test_methods_state_budget_seeds_and_software(mosi: Results) -> None:
    text = " ".join(methods_paragraph.methods(mosi))
    for fact in (
        "12 arms are compared",
        "40 runs of at most 30 epochs per arm",
        "20 hyperparameters",
        "12 fresh seeds",
        "torch 2.11.0",
    ):
        assert fact in text
    mixed = replace(mosi, runs=mosi.runs.assign(data_sha256=[f"{i % 2}" for i in range(len(mosi.runs))]))
    assert "Warning: the runs come from 2 versions of the data." in " ".join(methods_paragraph.methods(mixed))


def test_an_empty_study_has_empty_tables(small: Results) -> None:
    empty = replace(small, runs=small.runs.head(0), epochs=small.epochs.head(0), items=small.items.head(0))
    assert overview.history(empty).empty
    assert overview.curves(empty).empty
    assert overview.paired(empty).empty
    assert overview.fairness(empty)["search_runs"].sum() == 0
    assert math.isnan(overview.fairness(empty)["best_valid"].iloc[0])
    assert isinstance(overview.ablation(empty), pd.DataFrame)
