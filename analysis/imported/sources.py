"""Where runs are read from: each kind of record is one line here and one module beside this one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.formatting import join
from analysis.imported.imported_study import results_of
from analysis.imported.predictions import is_items, runs_of
from analysis.imported.records import (
    mlflow_store,
    optuna_storage,
    ray_tune,
    run_folders,
    tables_of_runs,
    tensorboard_logs,
    wandb_runs,
)
from analysis.imported.records.recorded import Question, Recorded
from analysis.results.load import Results


@dataclass(frozen=True, kw_only=True)
class Source:
    """A kind of record."""

    name: str  # in words; empty: that of the one before
    is_this: Callable[[str], bool]  # of an address: a path, or a URI where the tool has them
    read: Callable[[str, Question], Recorded]


SOURCES: tuple[Source, ...] = (
    Source(
        name="a file of runs (.csv, .tsv, .parquet, .jsonl, .json)",
        is_this=lambda address: tables_of_runs.is_table(Path(address)) and not optuna_storage.is_journal(address),
        read=lambda address, question: tables_of_runs.read(Path(address), question),
    ),
    Source(
        name="an MLflow database or folder mlruns",
        is_this=mlflow_store.is_database,
        read=lambda address, _: mlflow_store.read_database(address),
    ),
    Source(name="", is_this=mlflow_store.is_files, read=lambda address, _: mlflow_store.read_files(address)),
    Source(
        name="an Optuna storage",
        is_this=optuna_storage.is_database,
        read=lambda address, _: optuna_storage.read_database(address),
    ),
    Source(name="", is_this=optuna_storage.is_journal, read=lambda address, _: optuna_storage.read_journal(address)),
    Source(name="a folder of Ray Tune", is_this=ray_tune.is_folder, read=lambda address, _: ray_tune.read(address)),
    Source(name="a folder wandb", is_this=wandb_runs.is_folder, read=lambda address, _: wandb_runs.read(address)),
    Source(
        name="a folder of runs with metrics.json beside config.json or .hydra",
        is_this=run_folders.is_folder,
        read=lambda address, _: run_folders.read(address),
    ),
    Source(
        name="TensorBoard logs",
        is_this=tensorboard_logs.is_folder,
        read=lambda address, _: tensorboard_logs.read(address),
    ),
)


def read(
    runs: Any,
    *,
    reference: str | None,
    minimise: str | Sequence[str] = (),
    maximise: str | Sequence[str] = (),
    smallest_effect: float | None,
    items: pd.DataFrame | None = None,
    **how: Any,
) -> Results:
    """Runs that were made elsewhere, as the results of a study.

    >>> from analysis import load, read
    >>> read(
    ...     load("results/first").confirm, reference="full", minimise="metric:test_loss", smallest_effect=0.02
    ... ).study.others
    ['no_momentum']

    Args:
        runs: a DataFrame of pandas or Polars, or where another tool's record lies: a file, a folder, a storage's URI.
        reference: the arm that all others are compared with.
        minimise: a metric, or several: the first is that of the verdicts.
        maximise: the same where higher is better.
        smallest_effect: smaller differences do not matter; in units of the metric.
        items: test items of the runs: arm, seed, item, group, y, prediction; None: they are not recorded.
        how: arm, seed, split, step, metric, value, status: names of columns, else guessed; checkpoint: last, min:METRIC
            or max:METRIC, the epoch that counts; choose: min:METRIC or max:METRIC, by which the configuration of an arm
            is chosen; config: the columns that make one.

    Raises:
        ValueError: there is no such record, it is damaged, or it lacks what is asked.
    """
    modes = {name: mode for names, mode in ((minimise, "min"), (maximise, "max")) for name in _several(names)}
    if reference is None or smallest_effect is None:
        raise ValueError("of runs that were made elsewhere must be said: reference, and smallest_effect")
    question = Question(reference=reference, modes=modes, smallest_effect=smallest_effect, **how)
    return answer(runs, question, items=items)


def _several(names: str | Sequence[str]) -> Sequence[str]:
    return [names] if isinstance(names, str) else names


def source_of(address: str) -> Source | None:
    """The kind of record at an address; None: it is none of them."""
    return next((one for one in SOURCES if one.is_this(address)), None)


def answer(runs: Any, question: Question, *, items: pd.DataFrame | None = None) -> Results:
    """The same, of a question that is complete.

    Raises:
        ValueError: there is no such record, it is damaged, or it lacks what is asked.
    """
    if not isinstance(runs, str | Path):
        frame = runs if isinstance(runs, pd.DataFrame) else runs.to_pandas()
        return _read_frame(frame, question, name="runs", source="a data frame", form="a data frame", items=items)
    address = str(runs)
    source = source_of(address)
    if source is None:
        there = "is there, but is none of these" if Path(address).exists() else "is not there"
        kinds = join([one.name for one in SOURCES if one.name])
        raise ValueError(f"runs are read from a study's results folder, {kinds}; {address} {there}")
    if tables_of_runs.is_table(Path(address)) and is_items(frame := tables_of_runs.frame_of(Path(address))):
        return _read_frame(frame, question, name=name_of(address), source=address, form="a table of test items")
    return results_of(source.read(address, question), question, name=name_of(address), source=address, items=items)


def _read_frame(
    frame: pd.DataFrame, question: Question, *, name: str, source: str, form: str, items: pd.DataFrame | None = None
) -> Results:
    if is_items(frame):
        frame, items = runs_of(frame, question), frame
    record = tables_of_runs.recorded(frame, question, form=form)
    return results_of(record, question, name=name, source=source, items=items)


def name_of(address: str) -> str:
    """A name for a study, from where it was read."""
    last = address.rstrip("/").rsplit("/", maxsplit=1)[-1]
    return last.split(".")[0] or "runs"
