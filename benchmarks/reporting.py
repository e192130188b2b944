"""Seconds and memory from the Parquet files of a large study to its report.

    python benchmarks/reporting.py [--runs 20000] [--profile]

The results are written first: 13 arms, 20 hyperparameters, 1,000 search runs an arm and as many confirm runs as it
takes, 50 epochs each, in parts as a study publishes them; 40 confirm runs an arm have their 686 test items. The report
is then made in a process of its own, whose time and largest memory are measured.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from optuna.distributions import FloatDistribution, distribution_to_json

ARMS, PARAMS, TRIALS, EPOCHS, PARTS = 13, 20, 1000, 50, 95
SEEDS_WITH_ITEMS, ITEMS, VIDEOS = 40, 686, 31
NAMES = ["full", *(f"without_{i:02d}" for i in range(1, ARMS))]
SPACE = {f"param_{i:02d}": FloatDistribution(0.0, 1.0) for i in range(PARAMS)}


def write_results(folder: Path, num_runs: int) -> None:
    """A finished study of so many runs."""
    rng = np.random.default_rng(0)
    seeds = num_runs // ARMS - TRIALS
    runs = pd.concat([_runs(rng, arm, seeds) for arm in range(ARMS)], ignore_index=True)
    runs["run_id"] = [f"{i:016x}" for i in range(len(runs))]
    runs["started_at"] = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(60 * np.arange(len(runs)), unit="s")
    runs["ended_at"] = runs["started_at"] + pd.Timedelta(50, unit="s")
    best = runs["metric:valid_mae"].to_numpy()[:, None]
    curve_RE = best + 0.5 * np.exp(-0.1 * np.arange(EPOCHS)) + rng.normal(0, 0.01, (len(runs), EPOCHS))
    epochs = pd.DataFrame(
        {
            "run_id": np.repeat(runs["run_id"], EPOCHS), "epoch": np.tile(np.arange(1, EPOCHS + 1), len(runs)),
            "train_loss": 1.3 * curve_RE.ravel(), "valid_mae": curve_RE.ravel(),
        }
    )  # fmt: skip
    _write(folder / "epochs", epochs)
    _write(folder / "items", _items(rng, runs))
    _write(folder / "runs", runs)
    (folder / "study.json").write_text(json.dumps(_declared(seeds)))


def _runs(rng: np.random.Generator, arm: int, seeds: int) -> pd.DataFrame:
    n = TRIALS + seeds
    is_search = np.arange(n) < TRIALS
    params = {f"param:{param}": np.where(is_search, rng.random(n), 0.5) for param in SPACE}
    valid = 1 + 0.01 * arm * (arm % 3 == 0) + (params["param:param_00"] - 0.4) ** 2 + rng.normal(0, 0.03, n)
    return pd.DataFrame(
        {
            "arm": NAMES[arm], "phase": np.where(is_search, "search", "confirm"), "search": 0,
            "config_id": [f"{arm}-{i}" if i < TRIALS else f"{arm}-0" for i in range(n)],
            "seed": np.where(is_search, 0, np.arange(n) - TRIALS + 1), "split": 0, "retry": 0, "status": "completed",
            "error_kind": None, "error": None, "epochs": EPOCHS, "best_epoch": EPOCHS, **params,
            "metric:valid_mae": valid, "metric:test_mae": np.where(is_search, np.nan, valid + rng.normal(0, 0.03, n)),
            "train_seconds": 50.0, "device": "cpu", "host": "node-1", "git_sha": "0" * 40, "git_dirty": False,
            "code_sha256": "c" * 64, "data_sha256": "d" * 64, "versions": "{}", "reused_from": None,
        }
    )  # fmt: skip


def _items(rng: np.random.Generator, runs: pd.DataFrame) -> pd.DataFrame:
    """Test items of some confirm runs, whose mean absolute errors are the runs' results."""
    some = runs[(runs["phase"] == "confirm") & (runs["seed"] <= SEEDS_WITH_ITEMS)]
    y_N = rng.normal(0, 1.5, ITEMS)
    error_RN = rng.exponential(1, (len(some), ITEMS))
    error_RN *= (some["metric:test_mae"].to_numpy() / error_RN.mean(axis=1))[:, None]
    return pd.DataFrame(
        {
            "run_id": np.repeat(some["run_id"], ITEMS), "item": np.tile([f"item{i}" for i in range(ITEMS)], len(some)),
            "group": np.tile([f"video{i % VIDEOS}" for i in range(ITEMS)], len(some)), "target": "sentiment",
            "y": np.tile(y_N, len(some)), "prediction": (y_N + error_RN).ravel(),
        }
    )  # fmt: skip


def _write(folder: Path, frame: pd.DataFrame) -> None:
    folder.mkdir(parents=True)
    schema = pa.Schema.from_pandas(frame, preserve_index=False)
    text = {"error_kind", "error", "reused_from"}
    schema = pa.schema([pa.field(f.name, pa.string() if f.name in text else f.type) for f in schema])
    for number, chunk in enumerate(np.array_split(np.arange(len(frame)), PARTS)):
        table = pa.Table.from_pandas(frame.iloc[chunk], schema=schema, preserve_index=False)
        pq.write_table(table, folder / f"part-{number:06d}.parquet")


def _declared(seeds: int) -> dict[str, object]:
    return {
        "study": "large", "reference_arm": "full", "primary_metric": "test_mae", "search_metric": "valid_mae",
        "modes": {"test_mae": "min", "valid_mae": "min"}, "smallest_effect": 0.03,
        "arms": {name: {} for name in NAMES}, "space": {k: distribution_to_json(d) for k, d in SPACE.items()},
        "chosen": {name: f"{arm}-0" for arm, name in enumerate(NAMES)}, "trials": TRIALS, "seeds": seeds,
        "epochs": EPOCHS,
    }  # fmt: skip


REPORT = "from analysis.__main__ import main; import sys; sys.exit(main([sys.argv[1]]))"


def main() -> None:
    """Writes, reports, and says how long it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--profile", action="store_true", help="say where the time goes, in this process")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="reporting-") as scratch:
        folder = Path(scratch) / "results"
        write_results(folder, arguments.runs)
        files = list(folder.rglob("*.parquet"))
        print(f"{arguments.runs} runs, {len(files)} files, {sum(path.stat().st_size for path in files) / 1e6:.0f} MB")
        if arguments.profile:
            _profile(folder)
            return
        began = time.perf_counter()
        child = subprocess.Popen([sys.executable, "-c", REPORT, str(folder)], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        wall, cpu = time.perf_counter() - began, usage.ru_utime + usage.ru_stime
        assert status == 0, status
        print(f"report: {wall:.1f} s, of these {cpu:.1f} s of processor; at most {usage.ru_maxrss / 1e6:.2f} GB")


def _profile(folder: Path) -> None:
    from analysis.reporting.report import write  # what is imported is not measured

    profile = cProfile.Profile()
    profile.runcall(write, folder)
    pstats.Stats(profile).sort_stats("cumtime").print_stats(60)


if __name__ == "__main__":
    main()
