"""Factorial studies: effects and interactions from confirm runs, in numbers, in the report, and what they uncover."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from results_folders import SMALL_SPACE, Recipe, write_results
from scipy import stats

from analysis.reporting.report import write
from analysis.results.load import Results, load
from analysis.statistics.paired_tests import holm
from analysis.tables import overview
from analysis.tables.factorial_effects import ADDITIVE, COLUMNS, REDUNDANT, TIMES, effects
from analysis.tables.findings import Findings
from analysis.tables.redundancy import hidden
from analysis.words.sentences import headline
from orchestrator.study.design import Arm
from orchestrator.study.factorial_designs import factorial, leave_two_out

FACTORS = {name: {f"use_{name}": False} for name in "abcde"}
# What removing them costs: a alone; b and c each stand in for the other; d and e nothing.
ALONE, BOTH = {"a": 0.05}, {("b", "c"): 0.10}


def cost(arm: Arm) -> float:
    off = {param.removeprefix("use_") for param in arm.pins}
    pairs = (value for pair, value in BOTH.items() if set(pair) <= off)
    return sum(ALONE.get(name, 0.0) for name in off) + sum(pairs)


def results_of(folder: Path, arms: tuple[Arm, ...], *, num_factors: int, **more: object) -> Results:
    recipe = Recipe(
        arms={arm.name: (dict(arm.pins), cost(arm)) for arm in arms}, space={"lr": SMALL_SPACE["lr"]}, conditions={},
        trials=0, seeds=12, epochs=2, num_items=400, videos=400, seed_sd=0.01, parts=1,
        extra={"factors": dict(list(FACTORS.items())[:num_factors])},
    )  # fmt: skip
    return load(write_results(folder, replace(recipe, **more)))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def fraction(tmp_path_factory: pytest.TempPathFactory) -> Results:
    arms = factorial(FACTORS, check=lambda _: None)
    return results_of(tmp_path_factory.mktemp("fraction"), arms, num_factors=5)


@pytest.fixture(scope="module")
def two_out(tmp_path_factory: pytest.TempPathFactory) -> Results:
    arms = leave_two_out({name: FACTORS[name] for name in "abc"}, check=lambda _: None)
    return results_of(tmp_path_factory.mktemp("two_out"), arms, num_factors=3)


def by_arm(results: Results) -> pd.DataFrame:
    """The primary metric, one row a seed, one column an arm."""
    return results.confirm.pivot_table(index="seed", columns="arm", values="metric:test_mae")


def test_a_fraction_finds_what_was_planted(fraction: Results) -> None:
    table = overview.effects(fraction).set_index("effect")
    assert list(table["kind"]) == ["main"] * 5 + ["interaction"] * 10
    verdicts = {
        effect: verdict for effect, verdict in table["verdict"].items() if verdict not in (ADDITIVE, "equivalent")
    }
    assert verdicts == {"a": "worse", "b": "worse", "c": "worse", f"b{TIMES}c": REDUNDANT}
    assert table.loc["a", "estimate"] == pytest.approx(0.05, abs=0.02)
    assert table.loc["b", "estimate"] == pytest.approx(0.05, abs=0.02)  # on average: half of what it costs without c
    assert table.loc[f"b{TIMES}c", "estimate"] == pytest.approx(0.10, abs=0.03)


def test_a_main_effect_of_a_fraction_is_the_mean_without_minus_the_mean_with(fraction: Results) -> None:
    value = by_arm(fraction)
    without = [arm for arm in value.columns if "use_a" in fraction.study.arms[arm]]
    d_S = value[without].mean(axis=1) - value.drop(columns=without).mean(axis=1)
    row = next(row for row in effects(fraction) if row.effect == "a")
    interval = stats.ttest_1samp(d_S, 0).confidence_interval(0.95)
    assert (row.estimate, row.ci_low, row.ci_high) == pytest.approx((d_S.mean(), interval.low, interval.high))
    assert row.n_seeds == 12


def test_leaving_two_out_gives_differences_of_differences_at_the_full_model(two_out: Results) -> None:
    value, found = by_arm(two_out), {row.effect: row for row in effects(two_out)}
    assert set(found) == {"a", "b", "c", *(TIMES.join(pair) for pair in combinations("abc", 2))}
    assert found["a"].estimate == pytest.approx((value["no_a"] - value["full"]).mean())
    both = value["no_b+c"] - value["no_b"] - value["no_c"] + value["full"]
    assert found[f"b{TIMES}c"].estimate == pytest.approx(both.mean())
    assert found[f"b{TIMES}c"].verdict == REDUNDANT
    assert {found["b"].verdict, found["c"].verdict} == {"equivalent"}


def test_effects_have_a_holm_family_of_their_own(two_out: Results) -> None:
    rows = effects(two_out)
    assert [row.p_holm for row in rows] == pytest.approx(list(holm([row.p_exact for row in rows])))
    assert list(pd.DataFrame([row.__dict__ for row in rows]).columns) == COLUMNS


def test_a_seed_that_failed_in_one_arm_is_lost_to_every_effect(tmp_path: Path) -> None:
    arms = factorial({name: FACTORS[name] for name in "abc"}, check=lambda _: None)
    results = results_of(tmp_path, arms, num_factors=3, failed_seeds={"no_a+b": [3], "no_c": [3, 5]})
    assert {row.n_seeds for row in effects(results)} == {10}


def test_arms_that_do_not_tell_the_effects_apart_give_none(tmp_path: Path) -> None:
    arms = factorial({name: FACTORS[name] for name in "abc"}, check=lambda _: None)
    assert effects(results_of(tmp_path, (arms[0], *arms[4:7]), num_factors=3)) == []


def test_components_that_hide_each_other_are_told(two_out: Results, fraction: Results, small: Results) -> None:
    (line,) = hidden(Findings(results=two_out).compared, overview.effects(two_out), two_out.study)
    assert line.startswith("Hidden by leaving out one at a time: neither no_b nor no_c makes a difference")
    assert "both removed (no_b+c) the result is worse" in line
    assert hidden(Findings(results=small).compared, overview.effects(small), small.study) == []
    found = overview.effects(fraction)
    found.loc[found["effect"].isin(["b", "c"]), "verdict"] = "equivalent"
    (line,) = hidden(Findings(results=fraction).compared.head(0), found, fraction.study)
    assert "neither b nor c makes a difference that matters on average" in line


def test_one_at_a_time_says_what_it_does_not_ask(tmp_path: Path) -> None:
    arms = (Arm(name="full"), *(Arm(name=f"no_{n}", pins=FACTORS[n]) for n in "de"))
    results = results_of(tmp_path, arms, num_factors=0)
    (line,) = hidden(Findings(results=results).compared, overview.effects(results), results.study)
    assert line.startswith("2 arms (no_d and no_e) make no difference that matters one at a time.")


def test_alternatives_are_not_said_to_hide_each_other(tmp_path: Path) -> None:
    """Arms that pin one hyperparameter to other values exclude each other: nothing is removed, no two at once."""
    others = {name: ({"encoder": name}, cost) for name, cost in (("a", 0.0), ("b", 0.0), ("c", 0.1))}
    recipe = Recipe(
        arms={"full": ({}, 0.0), **others},
        space={"lr": SMALL_SPACE["lr"]}, conditions={}, trials=0, seeds=12, epochs=2, num_items=400, videos=400,
        seed_sd=0.01, parts=1,
    )  # fmt: skip
    results = load(write_results(tmp_path, recipe))
    table = Findings(results=results).ablation
    assert hidden(Findings(results=results).compared, overview.effects(results), results.study) == []
    assert headline(table, results.study) == (
        "Of 3 arms, 1 is worse than full and 2 are equivalent to full, by test MAE."
    )


def test_the_report_of_a_factorial_study_has_its_effects(two_out: Results, small_folder: Path) -> None:
    page = write(two_out.folder).page
    report, text = page.parent, page.read_text()
    assert list(pd.read_csv(report / "tables" / "effects.csv").columns) == COLUMNS
    assert (report / "figures" / "effects.png").is_file()
    assert "Components together" in text
    assert "Hidden by leaving out one at a time" in text
    plain = write(small_folder).page
    assert "Components together" not in plain.read_text()
    assert not (plain.parent / "tables" / "effects.csv").exists()


def test_the_weights_of_a_fraction_are_those_of_orthogonal_contrasts() -> None:
    """An interaction has twice the standard error of a main effect."""
    from analysis.tables.factorial_effects import _model, cells_of

    arms = factorial(FACTORS, check=lambda _: None)
    study = type("Declared", (), {"factors": FACTORS, "arms": {arm.name: arm.pins for arm in arms}})
    model = _model(cells_of(study), study)  # type: ignore[arg-type]
    assert model is not None
    names, weight_PC = model
    assert weight_PC.sum(axis=1) == pytest.approx(0, abs=1e-12)
    sizes = np.sqrt((weight_PC**2).sum(axis=1))
    assert sizes == pytest.approx([2 / 4 if len(name) == 1 else 4 / 4 for name in names])
