"""`python -m orchestrator verify`: a finished study trained again, and its weights read."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import safetensors.numpy

ROOT = Path(__file__).parent.parent.parent
STUDY = ("--trials", "2", "--seeds", "2", "--epochs", "2", "--arms", "no_prior", "--serial")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny finished study."""
    results = tmp_path_factory.mktemp("verify") / "results"
    script = str(ROOT / "studies" / "mosi_ablation.py")
    subprocess.run([sys.executable, script, "--results", str(results), *STUDY], capture_output=True, check=True)
    return results


@pytest.fixture
def results(finished: Path, tmp_path: Path) -> Path:
    """A copy of it, to be damaged."""
    return Path(shutil.copytree(finished, tmp_path / "results"))


def ask(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "orchestrator", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_runs_with_their_companions_give_the_same_bits(results: Path) -> None:
    done = ask("verify", str(results), "--runs", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 of 6 completed runs trained again; largest deviation 0, within the tolerance of 0" in done.stdout
    assert "Drawn by the rows themselves: at most 3 of 6 (50.0 %) are false (95 %)" in done.stdout
    known = json.loads((results / "verified.json").read_text())
    assert (known["completed"], known["clean"], known["most_false"], len(known["drawn"])) == (6, 3, 3, 3)
    assert "4 of 4 weights are whole" in done.stdout


def test_a_row_that_training_does_not_give_is_told(results: Path) -> None:
    for part in (results / "runs").glob("*.parquet"):
        table = pq.read_table(part)
        column = table.column_names.index("metric:valid_mae")
        wrong = pc.add(table["metric:valid_mae"], 0.01)  # type: ignore[attr-defined]
        pq.write_table(table.set_column(column, table.field(column), wrong), part)
    done = ask("verify", str(results), "--runs", "1")
    assert done.returncode == 1
    assert "largest deviation 0.01, more than the tolerance of 0" in done.stdout
    assert ask("verify", str(results), "--runs", "1", "--tolerance", "0.02").returncode == 0


def test_damaged_and_missing_weights_are_named_and_made_anew(results: Path) -> None:
    rows = pd.read_parquet(results / "runs")
    flipped, gone, *_ = sorted(rows[rows.phase == "confirm"].run_id)
    first, second = (results / "models" / f"{run}.safetensors" for run in (flipped, gone))
    good = first.read_bytes()
    first.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    second.unlink()
    done = ask("verify", str(results), "--runs", "1")
    assert done.returncode == 1
    assert f"{flipped}  weights damaged, set aside in {results / 'set_aside'}" in done.stdout
    assert f"{gone}  weights missing" in done.stdout
    assert "2 of 4 weights are whole" in done.stdout
    assert not first.exists()
    for line in done.stdout.splitlines():
        if "made anew by: " in line:
            again = ask(*line.partition("made anew by: python -m orchestrator ")[2].split())
            assert again.returncode == 0, again.stderr
    anew, old = safetensors.numpy.load_file(first), safetensors.numpy.load(good)
    assert all(abs(anew[name] - old[name]).max() < 1e-4 for name in old), "alone, where it had companions"
    assert "4 of 4 weights are whole" in ask("verify", str(results), "--runs", "1").stdout


def test_arms_that_train_in_one_pack_do_so_again_to_the_same_bits(tmp_path: Path) -> None:
    results, arms = tmp_path / "results", ["no_prior", "no_generative_loss", "no_generative_factors"]
    budget = (
        "--trials",
        "0",
        "--seeds",
        "2",
        "--epochs",
        "2",
        "--pack-size",
        "6",
        "--serial",
        "--arms",
        ",".join(arms),
    )
    script = str(ROOT / "studies" / "mosi_ablation.py")
    done = subprocess.run([sys.executable, script, "--results", str(results), *budget], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for arm in ("full", *arms):
        assert f"{arm}: confirm 2 of 2 runs over" in done.stdout
    rows = pd.read_parquet(results / "runs")
    assert sorted(rows.groupby("pack_id").arm.unique().map(sorted)) == [
        ["full", "no_generative_loss", "no_prior"],
        ["no_generative_factors"],
    ]
    assert rows.groupby("arm")["metric:test_mae"].nunique().eq(2).all()
    assert rows["metric:test_mae"].nunique() == 8
    again = ask("verify", str(results), "--runs", "8")
    assert "8 of 8 completed runs trained again; largest deviation 0" in again.stdout
