"""Tables of runs: which column is what, what counts as a run, and what such a table cannot show."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import polars
import pytest

from analysis import read, verdicts
from analysis.results.load import Results
from analysis.tables.overview import ablation

CONTRACT = """arm,seed,test_mae,test_acc2
full,0,0.8646,69.26
wide,0,0.8875,68.18
full,1,0.8656,72.19
wide,1,nan,68.30
full,2,0.9201,72.03
wide,2,0.9289,67.75
"""


def runs(
    *, arms: dict[str, float], seeds: int = 12, spread: float = 0.02, shared: float = 0.05, seed: int = 1
) -> pd.DataFrame:
    """Runs whose arms differ by what is said, with a part that all arms share at a seed."""
    rng = np.random.default_rng(seed)
    luck = rng.normal(0, shared, seeds)
    return pd.DataFrame(
        [
            {"arm": arm, "seed": s, "test_mae": 1 + shift + luck[s] + rng.normal(0, spread)}
            for arm, shift in arms.items()
            for s in range(seeds)
        ]
    )


THREE = {"full": 0.0, "worse": 0.1, "same": 0.0}


def said(results: Results) -> dict[str, str]:
    table = ablation(results)
    rows = table[(table["role"] == "primary") & (table["verdict"] != "")]
    return dict(zip(rows["arm"], rows["verdict"], strict=True))


def cautions(results: Results, arm: str) -> set[str]:
    table = ablation(results)
    return set(table.loc[(table["arm"] == arm) & (table["role"] == "primary"), "cautions"].iloc[0].split())


def asked(frame: object, **how: object) -> Results:
    return read(frame, **{"reference": "full", "minimise": "test_mae", "smallest_effect": 0.03, **how})


def test_verdicts_of_a_frame_are_those_of_its_differences() -> None:
    found = verdicts(runs(arms=THREE), reference="full", minimise="test_mae", smallest_effect=0.03)
    assert list(found.index) == ["full", "worse", "same"]
    assert list(found["verdict"]) == ["", "worse", "equivalent"]
    assert found.loc["worse", "n_seeds"] == 12
    assert "Arm: column arm (guessed" in found.attrs["notes"][0]


def test_a_frame_of_polars_gives_the_same() -> None:
    frame = runs(arms=THREE)
    both = (
        verdicts(one, reference="full", minimise="test_mae", smallest_effect=0.03)
        for one in (frame, polars.from_pandas(frame))
    )
    pd.testing.assert_frame_equal(*both)


@pytest.mark.parametrize("form", ["csv", "tsv", "csv.gz", "parquet", "jsonl", "jsonl.gz", "json"])
def test_every_form_of_table_gives_the_same(tmp_path: Path, form: str) -> None:
    frame, path = runs(arms=THREE), tmp_path / f"runs.{form}"
    kind = form.removesuffix(".gz")
    if kind in ("csv", "tsv"):
        frame.to_csv(path, sep="\t" if kind == "tsv" else ",", index=False)
    elif kind == "parquet":
        frame.to_parquet(path)
    else:
        frame.to_json(path, orient="records", lines=kind == "jsonl", double_precision=15)
    pd.testing.assert_series_equal(
        ablation(asked(path))["delta"], ablation(asked(frame))["delta"], check_exact=False, rtol=1e-9
    )


def test_a_long_table_is_read_as_the_wide_one() -> None:
    frame = runs(arms=THREE).assign(test_acc=0.5)
    long = frame.melt(id_vars=["arm", "seed"], var_name="metric", value_name="value")
    assert said(asked(long)) == said(asked(frame))


def test_a_table_with_a_row_an_epoch_counts_the_last_one() -> None:
    frame = runs(arms=THREE)
    epochs = pd.concat([frame.assign(epoch=e, test_mae=frame["test_mae"] + 3 - e) for e in range(4)])
    shuffled = epochs.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(ablation(asked(shuffled)), ablation(asked(frame)))


def test_a_checkpoint_is_chosen_by_another_metric_and_never_by_nan() -> None:
    frame = pd.DataFrame(
        [
            {"arm": arm, "seed": s, "epoch": e, "valid": v, "test_mae": t}
            for arm in ("full", "other")
            for s in range(3)
            for e, (v, t) in enumerate([(2.0, 7.0), (1.0, 5.0 + s), (float("nan"), 6.0), (3.0, 4.0)])
        ]
    )
    best = asked(frame, checkpoint="min:valid")
    assert best.runs["metric:test_mae"].tolist() == [5.0, 6.0, 7.0] * 2
    assert "chosen_on_test" not in cautions(best, "other")
    assert "chosen_on_test" in cautions(asked(frame, checkpoint="min:test_mae"), "other")


def test_a_run_that_ends_with_nan_has_failed_whatever_came_before() -> None:
    frame = runs(arms=THREE)
    last = frame.assign(epoch=1)
    last.loc[(last["arm"] == "worse") & (last["seed"] == 4), "test_mae"] = float("nan")
    results = asked(pd.concat([frame.assign(epoch=0), last]))
    failed = results.runs[results.runs["status"] == "failed"]
    assert failed[["arm", "seed", "error"]].to_numpy().tolist() == [["worse", 4, "test_mae is nan"]]


def test_the_failed_run_is_named_and_makes_the_verdict_cautious() -> None:
    frame = runs(arms=THREE)
    frame.loc[(frame["arm"] == "same") & (frame["seed"] == 7), "test_mae"] = float("inf")
    results = asked(frame)
    assert "failures" in cautions(results, "same")
    assert any("same seed 7 (test_mae is inf)" in note for note in results.study.notes)


@pytest.mark.parametrize(("seeds", "kept"), [([0, 1, 2, 3, 4, 5], True), ([50, 51, 52, 53, 54, 55], False)])
def test_arms_without_the_references_seeds_are_compared_by_welch(seeds: list[int], kept: bool) -> None:
    frame = runs(arms={"full": 0, "worse": 0.3}, seeds=6)
    frame.loc[frame["arm"] == "worse", "seed"] = seeds
    results = asked(frame)
    assert ("unpaired" in cautions(results, "worse")) is not kept
    assert said(results) == {"worse": "worse"}


def test_without_a_column_of_seeds_welchs_test_is_used_and_said() -> None:
    frame = runs(arms={"full": 0, "worse": 0.2, "same": 0.0}, seeds=20, shared=0.0).drop(columns="seed")
    results = asked(frame)
    assert said(results) == {"worse": "worse", "same": "equivalent"}
    assert {"unpaired"} <= cautions(results, "worse")
    assert "no column of seeds (--seed-column)" in results.study.notes[0]


def test_welchs_test_is_scipys() -> None:
    from scipy import stats

    frame = runs(arms={"full": 0, "other": 0.02}, seeds=9, shared=0.0)
    frame = frame[~((frame["arm"] == "other") & (frame["seed"] > 5))].drop(columns="seed")
    row = ablation(asked(frame)).iloc[1]
    a, b = (frame.loc[frame["arm"] == arm, "test_mae"] for arm in ("other", "full"))
    expected = stats.ttest_ind(a, b, equal_var=False)
    low, high = expected.confidence_interval(0.95)
    assert row["p_exact"] == pytest.approx(expected.pvalue, rel=1e-9)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((low, high), rel=1e-9)


def test_fewer_seeds_than_can_decide_are_a_caution() -> None:
    results = asked(runs(arms=THREE, seeds=5))
    assert "few_seeds" in cautions(results, "worse")
    assert said(results)["worse"] == "undecided"


def test_seeds_that_one_arm_lacks_are_a_caution() -> None:
    frame = runs(arms=THREE)
    results = asked(frame[~((frame["arm"] == "same") & (frame["seed"] >= 9))])
    assert "missing_seeds" in cautions(results, "same")
    assert "missing_seeds" not in cautions(results, "worse")


def test_several_runs_of_a_seed_count_by_their_mean() -> None:
    frame = runs(arms=THREE)
    doubled = pd.concat([frame, frame.assign(test_mae=frame["test_mae"] + 0.2)])
    results = asked(doubled)
    assert "several_rows" in cautions(results, "same")
    assert results.runs["metric:test_mae"].mean() == pytest.approx(frame["test_mae"].mean() + 0.1)


def test_a_try_that_failed_gives_way_to_one_that_has_a_result() -> None:
    frame = runs(arms=THREE).assign(status="finished")
    crashed = frame[frame["seed"] < 3].assign(status="crashed", test_mae=9.0)
    results = asked(pd.concat([crashed, frame]))
    assert (results.runs["status"] == "completed").all()
    assert any("9 runs without one" in note for note in results.study.notes)


def test_runs_that_crashed_count_as_failed_though_they_have_a_value() -> None:
    frame = runs(arms=THREE).assign(State="finished")
    frame.loc[frame["seed"] == 2, "State"] = "crashed"
    frame.loc[frame["seed"] == 3, "State"] = "running"
    results = asked(frame)
    assert results.runs.groupby("seed")["error"].first().dropna().to_dict() == {2: "failed", 3: "has not ended"}


def test_the_configuration_of_an_arm_is_chosen_by_another_metric() -> None:
    parts = [
        runs(arms=THREE).assign(**{"config.lr": lr, "valid": valid})
        for lr, valid in ((0.1, 1.0), (0.01, 0.5), (0.001, 2.0))
    ]
    parts[0]["test_mae"] -= 5  # better on test, and not chosen
    frame = pd.concat(parts)
    results = asked(frame, choose="min:valid")
    assert results.runs["metric:test_mae"].mean() == pytest.approx(parts[1]["test_mae"].mean())
    assert not cautions(results, "worse") & {"tuning_unknown", "tuning_unequal", "several_rows", "chosen_on_test"}
    fewer = frame[~((frame["arm"] == "worse") & (frame["config.lr"] == 0.001))]
    assert "tuning_unequal" in cautions(asked(fewer, choose="min:valid"), "worse")
    assert "chosen_on_test" in cautions(asked(frame, choose="min:test_mae"), "worse")


def test_a_metric_that_is_called_the_best_was_chosen_on_test() -> None:
    frame = runs(arms=THREE).rename(columns={"test_mae": "best_test_mae"})
    results = read(frame, reference="full", minimise="best_test_mae", smallest_effect=0.03)
    assert "chosen_on_test" in cautions(results, "same")


def test_runs_that_stop_before_the_others_are_taken_to_be_killed() -> None:
    frame = runs(arms=THREE)
    epochs = pd.concat([frame.assign(epoch=e) for e in range(3)])
    cut = epochs[~((epochs["arm"] == "same") & (epochs["seed"] == 1) & (epochs["epoch"] == 2))]
    assert "uneven_steps" in cautions(asked(cut), "same")


def test_an_arm_that_equals_the_reference_number_by_number_is_a_caution() -> None:
    frame = runs(arms={"full": 0, "other": 0.1})
    copy = frame[frame["arm"] == "full"].assign(arm="copy")
    results = asked(pd.concat([frame, copy]))
    assert "identical" in cautions(results, "copy")
    assert "identical" not in cautions(results, "other")


def test_arms_may_be_numbers_and_names_of_columns_may_be_said() -> None:
    frame = runs(arms=THREE).rename(columns={"arm": "depth", "seed": "my_seed"})
    frame["depth"] = frame["depth"].map({"full": 4, "worse": 2, "same": 3})
    results = read(frame, reference="4", minimise="test_mae", smallest_effect=0.03, arm="depth", seed="my_seed")
    assert said(results) == {"2": "worse", "3": "equivalent"}


def test_secondary_metrics_are_shown_beside_the_verdicts() -> None:
    frame = runs(arms=THREE).assign(acc=lambda f: 80 - f["test_mae"])
    results = asked(frame, maximise="acc")
    table = ablation(results)
    assert table.loc[table["role"] == "secondary", "metric"].unique().tolist() == ["acc"]


def test_the_documented_export_of_wandb_is_read(tmp_path: Path) -> None:
    """Its snippet writes three columns: name, and config and summary as Python prints dictionaries."""
    frame = runs(arms=THREE)
    rows = [
        {
            "summary": {"test_mae": float("nan") if i == 3 else row["test_mae"], "_step": 9, "_wandb": {"runtime": 3}},
            "config": {"arm": row["arm"], "seed": row["seed"], "opt": {"lr": 0.1}},
            "name": f"brave-run-{i}",
        }
        for i, row in frame.iterrows()
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "project.csv")
    results = asked(tmp_path / "project.csv")
    assert said(results)["worse"] == "worse"
    assert (results.runs["status"] == "failed").sum() == 1


@pytest.mark.parametrize(
    ("change", "how", "words"),
    [
        (lambda f: f, {"reference": "base"}, r"no column holds 'base': column arm has full, worse, same"),
        (lambda f: f, {"minimise": "mae"}, r"a metric must name one of seed, test_mae; got 'mae'"),
        (lambda f: f, {"smallest_effect": 0}, r"smallest effect that matters must be a positive number"),
        (lambda f: f, {"seed": "sead"}, r"--seed-column must name one of arm, seed, test_mae; got 'sead'"),
        (lambda f: f, {"checkpoint": "best"}, r"--checkpoint must be last, min:METRIC or max:METRIC; got 'best'"),
        (lambda f: f, {"choose": "valid"}, r"--choose must be min:METRIC or max:METRIC; got 'valid'"),
        (lambda f: f.assign(other=f["arm"]).rename(columns={"arm": "what"}), {}, r"Name it: --arm-column"),
        (lambda f: f[f["arm"] == "full"], {}, r"there must be an arm to compare with 'full'"),
        (lambda f: f.iloc[:0], {}, r"the record must hold runs"),
        (lambda f: f.assign(test_mae="good"), {}, r"a metric must be numbers; column test_mae holds 'good'"),
    ],
)
def test_what_is_missing_is_said_with_what_is_there(change, how, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        asked(change(runs(arms=THREE)), **how)


def test_json_lines_whose_last_is_cut_are_read_and_one_in_the_middle_is_refused(tmp_path: Path) -> None:
    lines = [json.dumps(row) for row in runs(arms=THREE).to_dict("records")]
    path = tmp_path / "runs.jsonl"
    path.write_text("\n".join([*lines, lines[0][:20]]))
    results = asked(path)
    assert any("last line of the file is cut" in note for note in results.study.notes)
    path.write_text("\n".join([*lines[:3], lines[0][:20], *lines[3:]]))
    with pytest.raises(ValueError, match="line 4 is none"):
        asked(path)


def test_the_contracts_form_of_table_is_read(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text(CONTRACT)
    assert asked(path).runs["status"].value_counts().to_dict() == {"completed": 5, "failed": 1}


def written(frame: pd.DataFrame, folder: Path) -> Path:
    frame.to_csv(folder / "runs.csv", index=False)
    return folder / "runs.csv"


def test_an_arm_may_be_called_none(tmp_path: Path) -> None:
    frame = runs(arms={"None": 0.0, "NA": 0.1})
    results = read(written(frame, tmp_path), reference="None", minimise="test_mae", smallest_effect=0.03)
    assert said(results) == {"NA": "worse"}


def test_repeats_that_have_the_same_number_in_every_arm_are_runs_of_their_own(tmp_path: Path) -> None:
    frame = runs(arms=THREE).rename(columns={"seed": "run"})
    epochs = pd.concat([frame.assign(epoch=e) for e in range(3)])
    assert len(asked(written(epochs, tmp_path)).runs) == len(frame)


def test_a_metric_need_not_be_measured_after_every_epoch(tmp_path: Path) -> None:
    frame = runs(arms=THREE)
    epochs = pd.concat([frame.assign(epoch=e) for e in range(4)])
    epochs.loc[epochs["epoch"] % 2 == 1, "test_mae"] = np.nan
    assert (asked(written(epochs, tmp_path)).runs["status"] == "completed").all()
    epochs.loc[(epochs["epoch"] == 2) & (epochs["arm"] == "same") & (epochs["seed"] == 1), "test_mae"] = np.nan
    failed = asked(epochs).runs.set_index(["arm", "seed"])["error"].dropna()
    assert failed.to_dict() == {("same", 1): "test_mae is nan"}


def test_metrics_of_a_long_table_may_stand_at_different_epochs() -> None:
    frame = runs(arms=THREE)
    rows = [
        {"arm": row.arm, "seed": row.seed, "epoch": epoch, "metric": metric, "value": row.test_mae, "at": number}
        for number, row in enumerate(frame.itertuples())
        for epoch, metric in ((0, "test_mae"), (1, "valid"))
    ]
    assert said(asked(pd.DataFrame(rows))) == said(asked(frame))


def test_folds_pair_runs_where_there_are_no_seeds_and_are_a_caution() -> None:
    results = asked(runs(arms=THREE).rename(columns={"seed": "fold"}))
    assert said(results)["worse"] == "worse"
    assert {"folds"} == cautions(results, "worse") & {"folds", "unpaired"}


def test_several_configurations_within_one_epoch_are_a_caution_or_runs_of_their_own() -> None:
    epochs = pd.concat([runs(arms=THREE).assign(epoch=e, lr=lr) for e in range(3) for lr in (0.1, 0.2)])
    unnamed = asked(epochs)
    assert "several_rows" in cautions(unnamed, "same")
    assert any("another of the same run and epoch came later" in note for note in unnamed.study.notes)
    assert "several_rows" not in cautions(asked(epochs, config=("lr",), choose="min:test_mae"), "same")
