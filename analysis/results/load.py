"""Reads a results folder: what was declared, and the runs finished so far.

A study may still be running: the parts of a table are written once and never replaced, so what is read is a
consistent subset of the finished runs, possibly an empty one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.results.declaration import Change, Study, read_study
from analysis.results.declared_rows import counted, is_own, is_reference
from analysis.statistics.paired_tests import BEYOND

# Columns of `runs` beside `param:<param>` and `metric:<name>`, and what stands for them where a ledger has none.
RUN_DEFAULTS = {
    "tuning": None, "search": 0, "split": 0, "fold": None, "retry": 0, "error_kind": None, "error": None, "epochs": 0,
    "epochs_planned": None, "best_epoch": 0, "started_at": pd.NaT, "ended_at": pd.NaT, "train_seconds": float("nan"),
    "gpu_share": float("nan"), "device": None, "host": None, "git_sha": None, "git_dirty": None, "code_sha256": None,
    "data_sha256": None, "versions": None, "reused_from": None,
}  # fmt: skip
OLD_FOLDS = 5  # of a rerank, in every ledger of before
RUN_COLUMNS = ("run_id", "arm", "phase", "config_id", "seed", "status")
EVALUATION_COLUMNS = ("run_id", "condition", "modality", "level", "metric", "value")
ITEM_COLUMNS = ("run_id", "item", "group", "target", "y", "prediction")


@dataclass(frozen=True, kw_only=True)
class Results:
    """A study's results so far.

    >>> load("results/first").confirm.groupby("arm").size().to_dict()
    {'full': 2, 'no_momentum': 2}
    """

    folder: Path  # where they were read
    study: Study
    # One row a run of the declared study; columns run_id, arm, phase, ..., param:<hyperparameter>, metric:<name>.
    runs: pd.DataFrame
    epochs: pd.DataFrame  # run_id, epoch and the search's metric
    items: pd.DataFrame  # run_id, item, group, target, y, prediction: test items of confirm runs
    evaluations: pd.DataFrame  # run_id, condition, modality, level, metric, value: missing and noisy modalities
    left_out: Mapping[str, int] = field(default_factory=dict)  # why a row does not count -> rows
    confirmed_at: pd.Timestamp | None = None  # when the first confirm run of the folder ended, counted or not; UTC

    @cached_property
    def search(self) -> pd.DataFrame:
        """The search runs, in the order in which they began. Of a run that was tried again, the last try."""
        runs = self.runs[self.runs["phase"] == "search"]
        return _last_tries(runs, ["arm", "search", "config_id", "seed", "split"]).sort_values(
            "started_at", kind="stable", ignore_index=True
        )

    @cached_property
    def rerank(self) -> pd.DataFrame:
        """The fold runs by which the best of the searches were ranked again, each with its last try."""
        return _last_tries(self.runs[self.runs["phase"] == "rerank"], ["arm", "search", "config_id", "split", "fold"])

    @cached_property
    def confirm(self) -> pd.DataFrame:
        """The confirm runs that count: those of the configurations chosen now, each with its last try."""
        return _last_tries(self.runs[is_own(self.runs, self.study)], ["arm", "seed", "split"])

    @cached_property
    def frozen(self) -> pd.DataFrame:
        """The confirm runs of arms with the hyperparameters that the reference's search chose, each with its last try.

        Where an arm chose what the reference chose, they are its confirm runs.
        """
        return _last_tries(self.runs[is_reference(self.runs, self.study)], ["arm", "seed", "split"])

    @cached_property
    def late_changes(self) -> list[Change]:
        """Changes of the declaration that were made when confirm runs were over already."""
        first = self.confirmed_at
        return [change for change in self.study.changes if first is not None and first < change.at]

    def of(self, arm: str, phase: pd.DataFrame) -> pd.DataFrame:
        """The rows of one arm."""
        return phase[phase["arm"] == arm]

    def values(self, runs: pd.DataFrame, metric: str) -> pd.Series:
        """A metric of these runs; NaN where it was not measured."""
        column = f"metric:{metric}"
        return runs[column].astype(float) if column in runs else pd.Series(float("nan"), index=runs.index)

    @property
    def test_metrics(self) -> list[str]:
        """The metrics of the test items with a known better side, the primary one first."""
        measured = [c.removeprefix("metric:") for c in self.runs.columns if c.startswith("metric:test_")]
        primary = self.study.primary_metric
        if self.study.source:
            return list(self.study.modes)
        return [primary, *(m for m in measured if m != primary and self.study.mode(m) is not None)]


def load(folder: str | Path) -> Results:
    """Reads a results folder.

    >>> load("results/first").study.reference
    'full'

    Raises:
        ValueError: it is not a results folder, or one of its files is damaged (named).
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"the results must be a folder; {folder} is none. Give the folder that a study writes")
    study = read_study(folder / "study.json")
    if not (folder / "runs").is_dir():
        raise ValueError(f"a results folder holds a folder runs/ of Parquet parts; {folder} holds none")
    # `epochs` and `items` of a run are published before its row in `runs`: read the rows first.
    every = _runs(folder / "runs")
    ended = every.loc[every["phase"] == "confirm", "ended_at"].dropna()
    runs, left_out = counted(every, study)
    return Results(
        folder=folder,
        study=study.planned(also=set(runs["arm"])),
        runs=runs,
        left_out=left_out,
        confirmed_at=ended.min() if len(ended) else None,
        epochs=_frame(
            folder / "epochs",
            required=("run_id", "epoch"),
            wanted=lambda column: column == study.search_metric,
            repeated=("run_id",),
        ),
        items=_frame(folder / "items", required=ITEM_COLUMNS, repeated=("run_id", "item", "group", "target")),
        evaluations=_frame(
            folder / "evaluations", required=EVALUATION_COLUMNS, repeated=("run_id", "condition", "modality", "metric")
        ),
    )


def _runs(folder: Path) -> pd.DataFrame:
    def wanted(column: str) -> bool:
        return column in RUN_DEFAULTS or column.startswith(("param:", "metric:"))

    runs = _with_folds(_frame(folder, required=RUN_COLUMNS, wanted=wanted))
    missing = {column: default for column, default in RUN_DEFAULTS.items() if column not in runs}
    runs = runs.assign(**missing)
    return runs.assign(**{name: _without_zone(runs[name]) for name in ("started_at", "ended_at")})


def _with_folds(runs: pd.DataFrame) -> pd.DataFrame:
    """Ledgers of before schema 3 have the fold of a rerank run in its split, as split times 5 plus fold."""
    if "fold" in runs or "split" not in runs:
        return runs
    is_rerank = runs["phase"] == "rerank"
    fold = runs["split"].where(is_rerank) % OLD_FOLDS
    return runs.assign(fold=fold, split=runs["split"].mask(is_rerank, runs["split"] // OLD_FOLDS))


def _without_zone(times: pd.Series) -> pd.Series:
    """Times of UTC; ledgers of earlier versions say so."""
    return times.dt.tz_convert("UTC").dt.tz_localize(None) if isinstance(times.dtype, pd.DatetimeTZDtype) else times


def _frame(
    folder: Path,
    *,
    required: Sequence[str],
    wanted: Callable[[str], bool] = lambda _: False,
    repeated: Sequence[str] = (),
) -> pd.DataFrame:
    """One table; without rows where the folder has no parts yet.

    Args:
        folder: its parts.
        required: the columns it must have.
        wanted: which of its other columns to read.
        repeated: columns of few different texts, which are read as categories.
    """
    parts = sorted(folder.glob("*.parquet"))
    if not parts:
        return pd.DataFrame({column: pd.Series(dtype=object) for column in required})
    tables = [_part(part, required=required, wanted=wanted, repeated=repeated) for part in parts]
    return _measured(pa.concat_tables(tables, promote_options="permissive").unify_dictionaries().to_pandas())


def _measured(frame: pd.DataFrame) -> pd.DataFrame:
    """Numbers beyond any measurement are none: a run that gave one has diverged, as one that gave NaN has."""
    for name in frame.select_dtypes("float64").columns:
        beyond = frame[name].abs() >= BEYOND
        if beyond.any():
            frame[name] = frame[name].mask(beyond)
    return frame


def _part(part: Path, *, required: Sequence[str], wanted: Callable[[str], bool], repeated: Sequence[str]) -> pa.Table:
    try:
        with pq.ParquetFile(part, read_dictionary=list(repeated), page_checksum_verification=True) as file:
            names = file.schema_arrow.names
            if not (missing := [column for column in required if column not in names]):
                return file.read(columns=[c for c in names if c in required or wanted(c)])
    except KeyError as error:  # a column of `repeated`, all of which are required
        missing = [str(error)]
    except (pa.ArrowException, OSError) as error:
        raise ValueError(
            f"{part} must be an undamaged Parquet part; reading it failed: {error}. "
            "Move it out of the folder to analyse the rest, and run the study's command again to restore it"
        ) from error
    raise ValueError(f"{part} must have the columns {list(required)}; it lacks {missing}")


def _last_tries(runs: pd.DataFrame, run: list[str]) -> pd.DataFrame:
    """One row for each run: that of its last retry."""
    return runs.sort_values("retry", kind="stable").drop_duplicates(run, keep="last").sort_index()
