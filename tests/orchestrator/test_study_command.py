"""The command line of a study of one's own, adaptive seeds and starting points."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from rich.console import Console

from orchestrator import Design, Study, factorial, main, run
from orchestrator.study.starting_points import starting_points

SCRIPT = """
import sys
import numpy as np
from optuna.distributions import FloatDistribution
from orchestrator import Study, main

def train(params, seed, epochs, split, fold, data=0.0):
    noise = np.random.default_rng(seed).standard_normal() / 100
    for epoch in range(epochs):
        yield {"valid_loss": np.log10(params["lr"] / 0.1) ** 2 + noise}
    return {"test_loss": (1 if params["drop"] == 0 else 0) + noise + data}

study = Study(
    name="mine", title="Is dropout needed?", params={"lr": 0.1, "drop": 0.1}, arms={"full": {}, "no_drop": {"drop": 0}},
    space={"lr": FloatDistribution(0.01, 1.0, log=True)}, minimise=("valid_loss", "test_loss"), smallest_effect=0.1,
    trials=4, seeds=8, epochs=2,
)
if __name__ == "__main__":
    sys.exit(main(study, train, presets={"quick": {"trials": 2, "seeds": 3}}))
""".replace('"drop": 0}', '"drop": 0.0}')


@pytest.fixture
def command(tmp_path: Path) -> Any:
    (tmp_path / "mine.py").write_text(SCRIPT)

    def command(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, *words], cwd=tmp_path, capture_output=True, text=True)

    return command


def rows(folder: Path, phase: str) -> pd.DataFrame:
    known = pd.read_parquet(folder / "runs")
    return known[known.phase == phase]


def test_a_script_of_three_lines_has_the_whole_command_line(command: Any, tmp_path: Path) -> None:
    plan = command("mine.py", "--plan").stdout
    assert "Is dropout needed?" in plan
    assert "24 runs of 2 epochs to train; how long is known once the first runs are finished" in plan
    assert "With 8 seeds the smallest possible p after Holm's correction over 1 arm is 0.0078" in plan
    assert not (tmp_path / "results").exists()
    assert "quick: trials 2, seeds 3" in " ".join(command("mine.py", "--help").stdout.split())
    quick = command("mine.py", "--serial", "--preset", "quick")
    assert quick.returncode == 0, quick.stderr
    assert "No arm can be called worse or better: with 3 seeds" in quick.stdout
    done = command("mine.py", "--serial", "--searches", "2", "--frozen", "--results", "results/two")
    assert re.search(r"^no_drop +8 .* worse", done.stdout, re.MULTILINE), done.stdout
    assert "Page: " in done.stdout
    assert set(rows(tmp_path / "results/two", "search").search) == {0, 1}
    verified = command("-m", "orchestrator", "verify", "results/two", "--runs", "2")
    assert re.search(r"2 of \d+ completed runs trained again; largest deviation 0", verified.stdout), verified.stderr
    assert "smallest possible p" not in verified.stdout, "the script is only run to find its study"
    again = command("mine.py", "--serial", "--searches", "2", "--frozen", "--results", "results/two", "--hours", "1")
    assert "Resuming" in again.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--serail"], "unrecognized arguments: --serail"),
        (["--preset", "slow"], "invalid choice: 'slow'"),
        (["--max-seeds", "9"], "--max-seeds is for adaptive seeds; give --seeds auto with it"),
        (["--seeds", "auto", "--max-seeds", "9"], "adaptive seeds need --max-seeds of at least 12 for 1 arm:"),
        (["--pruner", "halvings", "--plan"], "pruner must be one of halving, none"),
        (["--arms", "no_dorp"], "arm 'no_dorp' is not known; did you mean 'no_drop'?"),
        (["--enqueue", "none.csv"], "starting points must come of a CSV file or a results folder; none.csv is not"),
    ],
)
def test_wrong_words_are_one_line_and_nothing_is_begun(
    words: list[str], told: str, command: Any, tmp_path: Path
) -> None:
    done = command("mine.py", "--serial", *words)
    assert done.returncode == 2
    assert told in done.stderr
    assert not (tmp_path / "results").exists()


def train(params, seed, epochs):
    noise = np.random.default_rng(seed).standard_normal() / 100
    for _ in range(epochs):
        yield {"valid_loss": np.log10(params["lr"] / 0.1) ** 2 + noise}
    return {"test_loss": (0.3 if params["drop"] == 0 else 0) + noise}


def study(**changes: Any) -> Study:
    values: dict[str, Any] = {
        "name": "mine", "params": {"lr": 0.1, "drop": 0.1, "act": "relu"},
        "arms": {"full": {}, "no_drop": {"drop": 0.0}},
        "space": {"lr": FloatDistribution(0.01, 1.0, log=True), "act": CategoricalDistribution(["relu", "gelu"])},
        "minimise": ("valid_loss", "test_loss"), "smallest_effect": 0.1, "trials": 4, "seeds": 3,
    }  # fmt: skip
    return Study(**values | changes)


def go(asked: Study, folder: Path) -> Any:
    return run(asked, train, results=folder, serial=True, console=Console(quiet=True))


def test_adaptive_seeds_end_at_the_first_look_that_decides(tmp_path: Path) -> None:
    result = go(study(seeds="auto", trials=0), tmp_path / "auto")
    assert result.verdicts.loc["no_drop", "verdict"] == "worse"
    assert result.verdicts.loc["no_drop", "n_seeds"] == 9, "1 + log2(1 / (.05 * .1)), the first look"
    go(study(seeds="auto", max_seeds=20, trials=0), tmp_path / "fewer")
    with pytest.raises(ValueError, match="max_seeds is for adaptive seeds; give seeds='auto' with it"):
        study(max_seeds=20)


def test_a_study_of_adaptive_seeds_may_be_asked_for_a_fixed_number(tmp_path: Path) -> None:
    fixed = replace(study(seeds="auto", trials=0), seeds=4)
    assert not fixed.adaptive
    assert go(fixed, tmp_path / "fixed").verdicts.loc["no_drop", "n_seeds"] == 4


def test_searches_begin_with_the_default_and_the_starting_points(tmp_path: Path) -> None:
    points = [{"lr": 0.5}, {"lr": 0.02, "act": "gelu"}]
    go(study(enqueue=points), tmp_path / "first")
    found = rows(tmp_path / "first", "search").query("arm == 'full'")
    assert {(0.1, "relu"), (0.5, "relu"), (0.02, "gelu")} < set(zip(found["param:lr"], found["param:act"], strict=True))
    assert len(found) == 4, "and one of the sampler's"
    csv = tmp_path / "points.csv"
    csv.write_text("param:lr,act,loss\n0.5,,1\n0.02,gelu,2\n")
    assert list(study(enqueue=csv).enqueue) == points
    chosen = rows(tmp_path / "first", "confirm")["param:lr"].unique()
    assert {point["lr"] for point in study(enqueue=str(tmp_path / "first")).enqueue} == set(chosen)


@pytest.mark.parametrize(
    ("points", "told"),
    [
        ([{"lrr": 0.5}], "hyperparameter 'lrr' .starting point 1. is not known; did you mean 'lr'"),
        ([{"lr": 5.0}], "starting point 1 must lie in the space; its lr is 5.0"),
        ([{"act": "tanh"}], "its act is 'tanh'"),
        ([{"drop": 0.2}], "starting point 1 must name a searched hyperparameter .lr, act."),
    ],
)
def test_starting_points_must_lie_in_the_space(points: list[dict[str, Any]], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        study(enqueue=points)


def test_a_file_of_starting_points_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    asked = study()
    (tmp_path / "odd.csv").write_text("lr\nfast\n")
    with pytest.raises(ValueError, match=r"lr of row 1 of .*odd.csv must be of type float, as its default; got 'fast'"):
        starting_points(tmp_path / "odd.csv", asked.params, asked.searched)
    (tmp_path / "empty.csv").write_text("lr\n")
    with pytest.raises(ValueError, match=r"there must be a starting point in .*empty\.csv; there is none"):
        starting_points(tmp_path / "empty.csv", asked.params, asked.searched)
    with pytest.raises(ValueError, match=r"must be a results folder, with a study\.json"):
        starting_points(tmp_path, asked.params, asked.searched)


def test_an_arm_that_changes_nothing_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"arm 'same' changes nothing: it holds {'drop': 0\.1}, which are the defaults"
    ):
        study(arms={"full": {}, "same": {"drop": 0.1}})


@pytest.mark.parametrize(("changes", "name"), [({"splits": 2}, "split"), ({"rerank": 2}, "fold")])
def test_what_trains_must_tell_the_parts_of_the_data_apart(changes: dict, name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"so the function needs the argument {name}; it has epochs, params, seed"):
        go(study(**changes), tmp_path / "results")


def test_a_preset_changes_numbers_alone() -> None:
    with pytest.raises(ValueError, match=r"number 'sedes' .preset 'quick'. is not known; did you mean 'seeds'"):
        main(study(), train, presets={"quick": {"sedes": 3}}, argv=[])


def parts(params, seed, fold):
    noise = np.random.default_rng([seed, 0 if fold is None else fold]).standard_normal() / 100
    error = (0.5 if params["drop"] == 0 else 0) + (0.1 if params["act"] == "none" else 0) + noise
    return {"valid_loss": error, "test_loss": error}


def test_components_of_ones_own_model_are_removed_together_and_one_after_another(tmp_path: Path) -> None:
    components = {"drop": {"drop": 0.0}, "act": {"act": "none"}}
    asked = study(arms=factorial(components), design=Design(factors=components), space={}, trials=0, seeds=8)
    together = run(asked, parts, results=tmp_path / "together", serial=True, console=Console(quiet=True))
    effects = pd.read_csv(together.tables["effects"]).set_index("effect")
    assert effects.estimate["drop"] == pytest.approx(0.5, abs=0.02)
    assert effects.verdict["drop × act"] == "additive"
    path = replace(asked, design=Design(factors=components, path=True))
    steps = pd.read_csv(
        run(path, parts, results=tmp_path / "path", serial=True, console=Console(quiet=True)).tables["path"]
    )
    assert list(steps.removed.fillna("")) == ["", "act", "drop"], "what is missed least goes first"
    with pytest.raises(ValueError, match="the steps of a path are decided by the mean over folds, so the function"):
        go(path, tmp_path / "no_fold")
