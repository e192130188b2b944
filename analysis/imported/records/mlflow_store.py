"""MLflow: its SQLite database and its store of files, read without MLflow.

A run that was killed stays RUNNING; one that raised outside of `with mlflow.start_run()` is FINISHED. Seen with
MLflow 3.17.
"""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd

from analysis.imported.records.record_builder import Builder, database, of_uri, tables
from analysis.imported.records.recorded import Recorded, states

LARGEST = 1.7976931348623157e308  # what the database holds for an infinite metric
FILE_STATES = {"1": "running", "2": "scheduled", "3": "finished", "4": "failed", "5": "killed"}
INFINITE = "MLflow's database holds the largest double in place of an infinite metric: it is read as infinite."


def is_database(address: str) -> bool:
    """Whether an address is MLflow's SQLite file."""
    return {"experiments", "runs", "metrics", "params"} <= tables(of_uri(address))


def is_files(address: str) -> bool:
    """Whether an address is a folder `mlruns` with runs, or one of its experiments."""
    return any(_runs_of(Path(address)))


def read_database(address: str) -> Recorded:
    """Reads the SQLite file.

    Raises:
        ValueError: it cannot be read, or holds no run.
    """
    builder = Builder()
    with database(of_uri(address)) as opened:
        runs = pd.read_sql_query(
            "select r.run_uuid, r.name, r.status, e.name as experiment from runs r join experiments e "
            "using (experiment_id) where r.lifecycle_stage = 'active' and e.lifecycle_stage = 'active' "
            "order by r.start_time",
            opened,
        )
        params = pd.read_sql_query("select run_uuid, key, value from params", opened)
        tags = pd.read_sql_query("select run_uuid, key, value from tags where key not like 'mlflow.%'", opened)
        metrics = pd.read_sql_query(
            "select run_uuid as run, step, key as metric, value, is_nan from metrics order by step, timestamp, rowid",
            opened,
        )
    described = {name: {} for name in runs["run_uuid"]}
    for frame, before in ((tags, "tags."), (params, "")):
        for run, key, value in frame.itertuples(index=False):
            if run in described:
                described[run][f"{before}{key}"] = value
    for (run, name, _, experiment), state in zip(runs.itertuples(index=False), states(runs["status"]), strict=True):
        builder.run(run, state, {"experiment": experiment, "run_name": name, **described[run]})
    record = builder.recorded("an MLflow database", has_end=False)
    value = metrics["value"].where(metrics["is_nan"] == 0, math.nan).astype(float)
    is_infinite = value.abs() >= LARGEST
    metrics["value"] = value.mask(is_infinite, math.inf * value.where(is_infinite, 1).clip(-1, 1))
    known = metrics.loc[metrics["run"].isin(runs["run_uuid"]), ["run", "step", "metric", "value"]]
    notes = (INFINITE,) if bool(is_infinite.any()) else ()
    return Recorded(
        form=record.form, runs=_numbered(record.runs), scores=known, status=record.status, notes=notes, has_end=False
    )


def read_files(address: str) -> Recorded:
    """Reads the store of files.

    Raises:
        ValueError: it holds no run.
    """
    builder = Builder()
    for folder in _runs_of(Path(address)):
        meta = _meta(folder / "meta.yaml")
        if meta.get("lifecycle_stage") != "active":
            continue
        run = meta["run_id"]
        described = dict(_texts(folder / "params"))
        experiment = _meta(folder.parent / "meta.yaml").get("name", folder.parent.name)
        state = states(pd.Series([FILE_STATES.get(meta.get("status", ""), "")])).iloc[0]
        builder.run(run, state, {"experiment": experiment, "run_name": meta.get("run_name"), **described})
        for metric, text in _texts(folder / "metrics"):
            lines = [line.split(" ") for line in text.split("\n")[:-1]]  # a last line without its end is a torn one
            for stamp in sorted(lines, key=lambda parts: int(parts[0])):
                builder.score(run, int(stamp[2]) if len(stamp) > 2 else 0, metric, float(stamp[1]))
    record = builder.recorded("an MLflow store of files", has_end=False)
    return Recorded(
        form=record.form, runs=_numbered(record.runs), scores=record.scores, status=record.status, has_end=False
    )


def _numbered(runs: pd.DataFrame) -> pd.DataFrame:
    """MLflow keeps every parameter as text: columns that are all numbers become numbers."""
    for name in runs.columns:
        numbers = pd.to_numeric(runs[name], errors="coerce")
        if numbers.notna().equals(runs[name].notna()) and numbers.notna().any():
            runs[name] = numbers
    return runs


def _runs_of(root: Path) -> list[Path]:
    """The folders of runs below `mlruns`, an experiment, or a folder that holds `mlruns`."""
    for pattern in ("*/*/meta.yaml", "*/meta.yaml", "mlruns/*/*/meta.yaml"):
        if found := [path.parent for path in sorted(root.glob(pattern)) if (path.parent / "metrics").is_dir()]:
            return found
    return []


def _meta(path: Path) -> dict[str, str]:
    """A file of `key: value` lines, which is all that these files are."""
    if not path.is_file():
        return {}
    parts = (line.partition(": ") for line in path.read_text(encoding="utf-8").splitlines())
    return {key: value.strip("'\"") for key, _, value in parts}


def _texts(folder: Path) -> list[tuple[str, str]]:
    """Names and contents of the files below a folder; a / in a name is a folder."""
    return [
        (path.relative_to(folder).as_posix(), path.read_text(encoding="utf-8"))
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]
