"""What other tools write: each store is made by the real library, with kills, resumption, nan and infinity."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from programs import toy

from analysis.imported.sources import read
from analysis.results.load import Results

PROGRAMS = Path(__file__).parent / "programs"
ENVIRONMENT = os.environ | {
    "MLFLOW_ALLOW_FILE_STORE": "true", "WANDB_SILENT": "true", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1",
}  # fmt: skip
ENDS = {("full", seed): toy.metrics("full", seed, toy.EPOCHS - 1)["test_loss"] for seed in toy.SEEDS}
LOST = {"nan": ("no_text", 1), "inf": ("no_text", 2)}


def log(name: str, *words: str) -> int:
    program = [sys.executable, str(PROGRAMS / f"log_{name}.py"), *words]
    done = subprocess.run(program, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1, -9), done.stderr
    return done.returncode


def log_all(name: str, address: str) -> None:
    """Every run of the toy study; one is gone on with after its kill. What ends badly has a process of its own."""
    odd = [toy.KILLED, toy.RESUMED, toy.RAISING]
    whole = [(arm, seed) for arm in toy.ARMS for seed in toy.SEEDS if (arm, seed) not in odd]
    for phase, keys, code in (
        ("begin", whole, 0), ("begin", [toy.KILLED], -9), ("begin", [toy.RESUMED], -9), ("begin", [toy.RAISING], 1),
        ("again", [toy.RESUMED], 0),
    ):  # fmt: skip
        caught = name == "optuna" and code == 1
        assert log(name, address, phase, *(f"{arm}:{seed}" for arm, seed in keys)) == (0 if caught else code)


def check(results: Results, metric: str = "test_loss", *, lost: Sequence[tuple[str, int]] = (), nan: str = "") -> None:
    """The runs that ended have their last value; the others failed, each for its reason."""
    runs = results.runs.set_index(["arm", "seed"])
    for key, value in ENDS.items():
        assert runs.loc[key, "status"] == "completed"
        assert runs.loc[key, f"metric:{metric}"] == pytest.approx(value, rel=1e-6)
    failed = runs[runs["status"] == "failed"]
    assert set(failed.index) == {("no_text", seed) for seed in toy.SEEDS} - set(lost)
    assert failed.loc[LOST["nan"], "error"] == (nan or f"{metric} is nan")
    assert failed.loc[LOST["inf"], "error"] == f"{metric} is inf"
    assert failed.loc[toy.RAISING, "error"] in ("failed", "has not ended")
    if toy.KILLED not in lost:
        assert failed.loc[toy.KILLED, "error"] in ("failed", "has not ended")


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mlflow")
    folder = tmp_path_factory.mktemp("mlflow")
    log_all("mlflow", f"sqlite:///{folder}/mlflow.db")
    return folder


def test_a_database_of_mlflow_is_read(mlflow: Path) -> None:
    results = read(mlflow / "mlflow.db", reference="full", minimise="test_loss", smallest_effect=0.05)
    check(results)
    assert any("largest double" in note for note in results.study.notes)
    assert "has not ended" in set(results.runs["error"].dropna())  # RUNNING for ever


def test_the_uri_of_a_database_is_read_as_its_path(mlflow: Path) -> None:
    by_uri = read(f"sqlite:///{mlflow}/mlflow.db", reference="full", minimise="test_loss", smallest_effect=0.05)
    check(by_uri)


def test_a_store_of_files_of_mlflow_is_read(tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    log_all("mlflow", f"file://{tmp_path}/mlruns")
    check(read(tmp_path / "mlruns", reference="full", minimise="test_loss", smallest_effect=0.05))
    check(read(tmp_path, reference="full", minimise="test_loss", smallest_effect=0.05))


def test_offline_runs_of_wandb_are_read(tmp_path: Path) -> None:
    pytest.importorskip("wandb")
    log_all("wandb", str(tmp_path))
    results = read(tmp_path / "wandb", reference="full", minimise="test_loss", smallest_effect=0.05)
    is_empty = any("have left no name" in note for note in results.study.notes)
    check(results, lost=[toy.KILLED] if is_empty else [])


@pytest.mark.parametrize("form", ["sqlite", "journal"])
def test_a_storage_of_optuna_is_read(tmp_path: Path, form: str) -> None:
    address = f"sqlite:///{tmp_path}/study.db" if form == "sqlite" else str(tmp_path / "journal.log")
    log_all("optuna", address)  # what is gone on with is a new trial; the killed one stays RUNNING beside it
    results = read(address, reference="full", minimise="test_loss", smallest_effect=0.05)
    check(results, nan="failed")  # Optuna keeps no value of an objective that is nan
    assert any("another run of the same arm and seed has a result" in note for note in results.study.notes)


def test_logs_of_tensorboard_are_read(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    log_all("tensorboard", str(tmp_path))
    check(read(tmp_path, reference="full", minimise="test/loss", smallest_effect=0.05), "test/loss")


def test_folders_of_runs_are_read(tmp_path: Path) -> None:
    log_all("folders", str(tmp_path))
    results = read(tmp_path, reference="full", minimise="test_loss", smallest_effect=0.05)
    check(results)


@pytest.mark.ray
def test_a_folder_of_ray_tune_is_read_before_and_after_it_was_restored(tmp_path: Path) -> None:
    log("ray", str(tmp_path), "begin")
    runs = read(tmp_path / "toy", reference="full", minimise="test_loss", smallest_effect=0.05).runs
    failed = runs[runs["status"] == "failed"].set_index(["arm", "seed"])
    assert set(failed.index) == {toy.RESUMED, *(("no_text", seed) for seed in toy.SEEDS)}
    log("ray", str(tmp_path), "again")
    results = read(tmp_path / "toy", reference="full", minimise="test_loss", smallest_effect=0.05)
    again = results.runs.set_index(["arm", "seed"])
    assert again.loc[toy.RESUMED, "metric:test_loss"] == pytest.approx(ENDS[toy.RESUMED])
    assert again.loc[toy.RAISING, "status"] == "completed"  # it went through this time, though its error.txt stays
    assert again.loc[LOST["nan"], "error"] == "test_loss is nan"
    assert again.loc[LOST["inf"], "error"] == "test_loss is inf"
    assert again.loc[toy.KILLED, "status"] == "failed"


def test_a_folder_of_nothing_is_told_what_can_be_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"MLflow.*Optuna.*Ray Tune.*wandb.*TensorBoard.*is none of these"):
        read(tmp_path, reference="full", minimise="x", smallest_effect=0.1)
    with pytest.raises(ValueError, match="is not there"):
        read(tmp_path / "absent", reference="full", minimise="x", smallest_effect=0.1)


def test_a_trial_that_goes_on_after_a_torn_line_keeps_the_rows_behind_it(tmp_path: Path) -> None:
    for arm in toy.ARMS:
        for seed in toy.SEEDS:
            trial = tmp_path / f"{arm}_{seed}"
            trial.mkdir()
            (trial / "params.json").write_text(json.dumps({"arm": arm, "seed": seed}))
            rows = [
                json.dumps({"training_iteration": e + 1, **toy.metrics("full", seed, e)}) for e in range(toy.EPOCHS)
            ]
            (trial / "result.json").write_text("\n".join([rows[0], rows[1][:9] + rows[1], rows[2]]) + "\n")
    runs = read(tmp_path, reference="full", minimise="test_loss", smallest_effect=0.05).runs
    assert runs["metric:test_loss"].tolist() == pytest.approx([ENDS["full", seed] for seed in toy.SEEDS] * 2)
