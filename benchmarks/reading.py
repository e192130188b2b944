"""Reads a results folder again and again while it is written, with every reader that people use.

    python benchmarks/reading.py RESULTS STOP

Ends when the file STOP is there; says how often each reader read. Any failed read, any double run and any run without
all of its epochs ends it with a traceback.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow.dataset as ds

# How each reader sees runs and epochs: columns run_id, epochs; and run_id of every epoch.
Reader = Callable[[Path], tuple[list[str], list[int], list[str]]]


def by_pandas(results: Path) -> tuple[list[str], list[int], list[str]]:
    """pd.read_parquet on the folders."""
    runs = pd.read_parquet(results / "runs", columns=["run_id", "epochs"])
    return runs.run_id.tolist(), runs.epochs.tolist(), pd.read_parquet(results / "epochs").run_id.tolist()


def by_polars(results: Path) -> tuple[list[str], list[int], list[str]]:
    """pl.read_parquet."""
    runs = pl.read_parquet(results / "runs" / "*.parquet", columns=["run_id", "epochs"])
    epochs = pl.read_parquet(results / "epochs" / "*.parquet", columns=["run_id"])
    return runs["run_id"].to_list(), runs["epochs"].to_list(), epochs["run_id"].to_list()


def by_polars_scan(results: Path) -> tuple[list[str], list[int], list[str]]:
    """pl.scan_parquet, collected later."""
    runs = pl.scan_parquet(results / "runs" / "*.parquet").select("run_id", "epochs").collect()
    epochs = pl.scan_parquet(results / "epochs" / "*.parquet").select("run_id").collect()
    return runs["run_id"].to_list(), runs["epochs"].to_list(), epochs["run_id"].to_list()


def by_duckdb(results: Path) -> tuple[list[str], list[int], list[str]]:
    """A query on the files."""
    with duckdb.connect() as database:
        runs = database.execute(f"SELECT run_id, epochs FROM read_parquet('{results}/runs/*.parquet')").fetchall()
        epochs = database.execute(f"SELECT run_id FROM read_parquet('{results}/epochs/*.parquet')").fetchall()
    return [r for r, _ in runs], [n for _, n in runs], [r for (r,) in epochs]


def by_dataset(results: Path) -> tuple[list[str], list[int], list[str]]:
    """A lazy dataset of pyarrow."""
    runs = ds.dataset(results / "runs").to_table(columns=["run_id", "epochs"])
    epochs = ds.dataset(results / "epochs").to_table(columns=["run_id"])
    return runs["run_id"].to_pylist(), runs["epochs"].to_pylist(), epochs["run_id"].to_pylist()


READERS: Mapping[str, Reader] = {
    "pandas": by_pandas,
    "polars": by_polars,
    "polars scan": by_polars_scan,
    "duckdb": by_duckdb,
    "pyarrow dataset": by_dataset,
}


def main() -> None:
    """Reads until it is told to stop."""
    results, stop = Path(sys.argv[1]), Path(sys.argv[2])
    counts: Counter[str] = Counter()
    while not stop.exists():
        for name, read in READERS.items():
            if all(list((results / table).glob("*.parquet")) for table in ("runs", "epochs")):
                _check(name, *read(results))
                counts[name] += 1
        time.sleep(0.2)
    print(", ".join(f"{name} {count}" for name, count in counts.items()))


def _check(name: str, runs: list[str], epochs: list[int], epoch_runs: list[str]) -> None:
    assert len(set(runs)) == len(runs), f"{name}: a run stands twice"
    known = Counter(epoch_runs)
    for run_id, number in zip(runs, epochs, strict=True):
        assert known[run_id] == number, f"{name}: run {run_id} has {known[run_id]} of {number} epochs"


if __name__ == "__main__":
    main()
