"""What a study has written is read alike by all: pandas, Polars, DuckDB, pyarrow and narwhals."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from toy import Toy, toy_study

from orchestrator.ledger.schema import TABLES
from orchestrator.runners.run import Options, run
from orchestrator.study.design import Arm
from orchestrator.study.objective import PlainOutcome

EVALUATIONS = {
    "condition": ["complete", "missing/zero"], "modality": ["", "text"], "level": [np.nan, 0.5],
    "metric": ["test_loss"] * 2, "value": [1.0, np.nan],
}  # fmt: skip


class Leaving(Toy):
    """A toy that leaves something in every table, and NaN wherever it may."""

    def _outcome(self, pack, run):
        known = super()._outcome(pack, run)
        if pack.phase != "confirm":
            return known
        items = {**(known.items or {}), "prediction": np.array([np.nan, 1.0])}
        return PlainOutcome(best_epoch=known.best_epoch, metrics=known.metrics, items=items, evaluations=EVALUATIONS)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readers") / "results"
    arms = (Arm(name="full"), Arm(name="diverging", pins={"trouble": "diverges"}))
    run(toy_study(arms=arms), Leaving(), Options(results=folder, serial=True), console=Console(quiet=True))
    return folder


def _summary(values: list[float | None]) -> tuple[int, int, float, float]:
    """Numbers that are there, those of them that are NaN, and the mean and the greatest of the rest."""
    there = [v for v in values if v is not None]
    numbers = [v for v in there if not math.isnan(v)]
    return len(there), len(there) - len(numbers), float(np.mean(numbers or [0])), max(numbers, default=0.0)


def _of_pandas(path: Path, column: str) -> Any:
    values = pd.read_parquet(path)[column]
    return values.count(), 0, float(values.mean()) if values.count() else 0.0, values.max() if values.count() else 0.0


def _of_polars(path: Path, column: str) -> Any:
    values = pl.read_parquet(path / "*.parquet")[column]
    nan = int(values.is_nan().sum())
    return values.count(), nan, values.mean() or 0.0, values.max() or 0.0


def _of_duckdb(path: Path, column: str) -> Any:
    name, there = f'"{column}"', f"'{path}/*.parquet'"
    ask = f"select count({name}), count(*) filter (isnan({name})), avg({name}), max({name}) from {there}"
    count, nan, mean, greatest = duckdb.sql(ask).fetchall()[0]
    where = duckdb.sql(f"select count(*) from '{path}/*.parquet' where isnan(\"{column}\")").fetchall()[0][0]
    assert where == nan
    return count, nan, mean or 0.0, greatest or 0.0


def _of_pyarrow(path: Path, column: str) -> Any:
    return _summary(ds.dataset(path).to_table(columns=[column])[column].to_pylist())


def _of_narwhals(path: Path, column: str) -> Any:
    frame = nw.from_native(pl.scan_parquet(path / "*.parquet"))
    found = frame.select(
        count=nw.col(column).count(),
        nan=nw.col(column).is_nan().sum(),
        mean=nw.col(column).mean(),
        max=nw.col(column).max(),
    ).collect()
    count, nan, mean, greatest = found.row(0)
    return count, nan, mean or 0.0, greatest or 0.0


READERS: dict[str, Callable[[Path, str], Any]] = {
    "pandas": _of_pandas, "polars": _of_polars, "duckdb": _of_duckdb, "pyarrow": _of_pyarrow, "narwhals": _of_narwhals,
}  # fmt: skip


@pytest.mark.parametrize("table", TABLES)
def test_all_readers_find_the_same_numbers_and_no_nan(table: str, results: Path) -> None:
    schema = pq.read_schema(next((results / table).glob("*.parquet")))
    floats = [name for name in schema.names if schema.field(name).type == "double"]
    assert floats or table == "artifacts"
    for column in floats:
        found = {name: tuple(map(float, read(results / table, column))) for name, read in READERS.items()}
        for name, numbers in found.items():
            assert numbers == pytest.approx(found["pyarrow"]), (column, name)
        assert found["pyarrow"][1] == 0, f"{column} has NaN, which readers disagree on"


@pytest.mark.parametrize("table", TABLES)
def test_duckdb_gives_every_row_without_further_packages(table: str, results: Path) -> None:
    rows = duckdb.sql(f"select * from '{results / table}/*.parquet'").fetchall()
    assert len(rows) == len(pd.read_parquet(results / table))


def test_why_a_number_is_missing_stands_beside_it(results: Path) -> None:
    rows = pd.read_parquet(results / "runs").query("arm == 'diverging'")
    assert set(rows.error_kind) == {"nan"}
    epochs = pd.read_parquet(results / "epochs")
    assert epochs[epochs.run_id.isin(rows.run_id) & (epochs.epoch == 2)].valid_loss.isna().all()
    assert pd.read_parquet(results / "items").prediction.isna().sum() == 4
    assert pd.read_parquet(results / "evaluations").value.isna().sum() == 4


def test_times_are_of_utc_and_say_so_nowhere(results: Path) -> None:
    kind = pq.read_schema(next((results / "runs").glob("*.parquet"))).field("started_at").type
    assert (str(kind), kind.tz) == ("timestamp[us]", None)
    started = pd.read_parquet(results / "runs").started_at
    assert (pd.Timestamp.now("UTC").tz_localize(None) - started).dt.total_seconds().between(0, 3600).all()


def test_whose_hyperparameters_a_confirm_run_has_stands_in_its_row(tmp_path: Path) -> None:
    study = toy_study(frozen=True, trials=8, seeds=5, rerank=2)
    run(study, Toy(luck=0.3), Options(results=tmp_path / "r", serial=True), console=Console(quiet=True))
    rows = pd.read_parquet(tmp_path / "r" / "runs")
    confirm = (
        rows[rows.phase == "confirm"]
        .groupby(["arm", "tuning"])
        .agg(configs=("config_id", "nunique"), n=("seed", "size"))
    )
    assert confirm.to_dict("index") == {
        ("full", "own"): {"configs": 1, "n": 5},
        ("square", "own"): {"configs": 1, "n": 5},
        ("square", "reference"): {"configs": 1, "n": 5},
    }
    assert set(rows[rows.phase == "rerank"].fold) == set(range(5))
    assert rows[rows.phase != "rerank"].fold.isna().all()
    assert rows.epochs_planned.eq(study.budget.epochs).all()
