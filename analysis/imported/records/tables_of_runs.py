"""Tables of runs: CSV, Parquet or JSON lines, a row a run, a row an epoch, or a row a value."""

from __future__ import annotations

import ast
import gzip
import json
import re
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import pyarrow
import pyarrow.json

from analysis.formatting import count
from analysis.imported.records import json_lines
from analysis.imported.records.record_builder import spread
from analysis.imported.records.recorded import COMPLETED, SCORE_COLUMNS, UNKNOWN, Question, Recorded, states
from analysis.imported.records.roles import NOTHING, arm_of, found, listed, one_of, params_of

Rows = TypeVar("Rows", pd.DataFrame, pd.Series)
CUT = "The last line of the file is cut, as a killed writer leaves it; it is left out."
RUN_NAMES = ("run_id", "run", "trial_id", "run_name", "id")
FORMS = {
    ".csv": "a CSV file", ".tsv": "a TSV file", ".parquet": "a Parquet file", ".jsonl": "a file of JSON lines",
    ".ndjson": "a file of JSON lines", ".json": "a JSON file",
}  # fmt: skip


def is_table(path: Path) -> bool:
    """Whether a path is read by this module."""
    return path.is_file() and path.name.removesuffix(".gz").endswith(tuple(FORMS))


def read(path: Path, question: Question) -> Recorded:
    """Reads a table.

    Raises:
        ValueError: it is no such table, or lacks what is asked.
    """
    frame = frame_of(path)
    kind = Path(path.name.removesuffix(".gz")).suffix
    notes = frame.attrs.pop("notes", ())
    return recorded(frame, question, form=FORMS[kind], notes=notes)


def frame_of(path: Path) -> pd.DataFrame:
    """The table as it is. In a CSV only an empty cell is missing: None is a name, and nan a value.

    Raises:
        ValueError: it cannot be read.
    """
    kind = Path(path.name.removesuffix(".gz")).suffix
    try:
        if kind == ".parquet":
            return pd.read_parquet(path)
        if kind in (".csv", ".tsv"):
            between = "\t" if kind == ".tsv" else ","
            return pd.read_csv(path, sep=between, encoding="utf-8-sig", keep_default_na=False, na_values=[""])
        return _json(path) if kind == ".json" else _lines(path)
    except (ValueError, OSError) as error:
        raise ValueError(f"{path} must be {FORMS[kind]} of runs; reading it failed: {error}") from error


def _json(path: Path) -> pd.DataFrame:
    written = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(written, list) or not all(isinstance(row, dict) for row in written):
        raise ValueError(f"it must hold a list of objects, one a run; it holds {type(written).__name__}")
    return pd.DataFrame([spread(row, ".") for row in written])


def _lines(path: Path) -> pd.DataFrame:
    if (quick := _by_arrow(path)) is not None:
        return quick
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        rows, torn = json_lines.parsed(file, name=path.name)
    frame = pd.DataFrame([spread(row, ".") for row in rows])
    frame.attrs["notes"] = (CUT,) if torn else ()
    return frame


def _by_arrow(path: Path) -> pd.DataFrame | None:
    """The same, read in blocks; None where that reader does not read it: NaN, a cut line, columns of mixed kinds."""
    try:
        table = pyarrow.json.read_json(pyarrow.input_stream(str(path), compression="detect"))
    except pyarrow.ArrowException:
        return None
    while any(pyarrow.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    is_plain = not any(pyarrow.types.is_nested(field.type) for field in table.schema)
    return table.to_pandas() if is_plain else None


def recorded(frame: pd.DataFrame, question: Question, *, form: str, notes: tuple[str, ...] = ()) -> Recorded:
    """A record from a table.

    Args:
        frame: a row a run; or a row an epoch of a run; or a row a value, whose metric another column names.
        question: which column is what.
        form: what kind of record it is, in words.
        notes: of the reader.

    Raises:
        ValueError: the table is empty, or lacks the metric.
    """
    if frame.empty:
        raise ValueError(f"the record must hold runs; {form} with the columns {listed(list(frame.columns))} has no row")
    frame = frame.set_axis([str(column) for column in frame.columns], axis=1).reset_index(drop=True)
    frame = _without_dictionaries(frame)
    if doubled := sorted(set(frame.columns[frame.columns.duplicated()])):
        raise ValueError(f"every column must have a name of its own; {listed(doubled)} stands twice")
    long = _metric_and_value(frame, question)
    step = _step(frame, question, long)
    state = found("status", frame.columns, said=question.status)
    is_state = state is not None and (not state.is_guessed or bool((states(frame[state.column]) != UNKNOWN).all()))
    status = states(frame[state.column]) if state is not None and is_state else pd.Series(COMPLETED, index=frame.index)
    ids = _run_ids(frame, step, question, long)
    again = frame.assign(**{"": ids}).duplicated(["", *([step] if step else []), *(long[:1] if long else ())])
    is_last = ~ids.duplicated(keep="last")  # the row that was written last describes its run
    return Recorded(
        form=form,
        runs=_by_run(frame, ids, is_last).rename_axis("run"),
        scores=_long_scores(frame, ids, step, long) if long else _scores(frame, ids, step, question),
        status=_by_run(pd.Series(status, index=frame.index), ids, is_last),
        notes=(
            *notes,
            f"Of {count(int(again.sum()), 'row')}, another of the same run and epoch came later, and counts.",
        )
        if again.any()
        else notes,
        has_end=is_state or step is None,
        repeated=frozenset(ids[again].astype(str)),
    )


def _without_dictionaries(frame: pd.DataFrame) -> pd.DataFrame:
    """W&B's documented export has the columns summary and config, with dictionaries as Python prints them."""
    for name in ("summary", "config"):
        if name in frame and frame[name].map(lambda x: isinstance(x, str) and x.startswith("{")).all():
            inner = pd.DataFrame([spread(_dictionary(text, name), ".") for text in frame[name]], index=frame.index)
            inner = inner[[c for c in inner.columns if not str(c).startswith("_") and c not in frame]]
            frame = pd.concat([frame.drop(columns=name), inner], axis=1)
    return frame


def _dictionary(text: str, name: str) -> dict[str, Any]:
    numbers = {"nan": "None", "inf": "1e999"}
    try:
        return ast.literal_eval(
            re.sub(r"(?<=[:\[,(] )(-?)(nan|inf)\b", lambda m: m[1] * (m[2] == "inf") + numbers[m[2]], text)
        )
    except (ValueError, SyntaxError) as error:
        raise ValueError(f"column {name} must hold dictionaries as Python prints them; got {text[:80]!r}") from error


def _metric_and_value(frame: pd.DataFrame, question: Question) -> tuple[str, str] | None:
    """The columns that name a metric and hold its value, in a table of a row a value; None: it is another table."""
    metric = found("metric", frame.columns, said=question.metric)
    value = found("value", frame.columns, said=question.value)
    if metric is None or value is None or (metric.is_guessed and question.primary in frame.columns):
        return None
    is_there = frame[metric.column].astype(str).eq(question.primary).any()
    return (metric.column, value.column) if is_there else None


def _step(frame: pd.DataFrame, question: Question, long: tuple[str, str] | None) -> str | None:
    """The column that counts epochs, where runs have several rows."""
    step = found("step", frame.columns, said=question.step)
    if step is None or pd.to_numeric(frame[step.column], errors="coerce").isna().all():
        return None
    if not step.is_guessed:
        return step.column
    keys = [*_keys(frame, question), *(long[:1] if long else ())]
    return step.column if frame.duplicated(keys).any() else None


def _keys(frame: pd.DataFrame, question: Question) -> list[str]:
    """The columns that name a run: its name, arm, seed, split and configuration, as far as the table has them."""
    names = [name for name in RUN_NAMES if name in frame.columns and frame[name].duplicated().any()]
    arm = arm_of(frame, said=question.arm, reference=question.reference)
    others = (found("seed", frame.columns, said=question.seed), found("split", frame.columns, said=question.split))
    roles = [arm.column, *(role.column for role in others if role is not None)]
    return list(dict.fromkeys([*names, *roles, *params_of(frame.columns, roles, question)]))


def _run_ids(frame: pd.DataFrame, step: str | None, question: Question, long: tuple[str, str] | None) -> pd.Series:
    """A name for the run of each row."""
    if step is None and long is None:
        return pd.Series([f"row {i + 1}" for i in range(len(frame))], index=frame.index)
    keys = _keys(frame, question)
    if step is None and long is not None:  # several values of one metric are several runs
        again = frame.groupby([*keys, long[0]], dropna=False, sort=False).cumcount()
        number = frame.assign(**{"": again}).groupby([*keys, ""], dropna=False, sort=False).ngroup()
    else:
        number = frame.groupby(keys, dropna=False, sort=False).ngroup()
    names = pd.CategoricalDtype([f"run {i + 1}" for i in range(int(number.max()) + 1)])
    return pd.Series(pd.Categorical.from_codes(number.to_numpy(), dtype=names), index=frame.index)


def _by_run(part: Rows, ids: pd.Series, is_last: pd.Series) -> Rows:
    """A row a run, in the order in which runs appear."""
    rows = part[is_last].set_axis(ids[is_last], axis=0)
    rows = rows.sort_index() if isinstance(ids.dtype, pd.CategoricalDtype) else rows
    return rows.set_axis(rows.index.astype(str), axis=0)


def _scores(frame: pd.DataFrame, ids: pd.Series, step: str | None, question: Question) -> pd.DataFrame:
    """What was measured and is asked for, in long form.

    Where a run has several rows, an empty cell is a value (it diverged) only at a step at which some run has one: a
    metric need not be measured after every epoch.
    """
    numbers = [str(name) for name in frame.select_dtypes("number").columns]
    parts = []
    for name in question.measured:
        one_of(name, frame.columns if name in frame.columns else numbers, "a metric")
        value = _numbers(frame[name], name)
        steps = _steps(frame, step)
        is_measured = frame[name].notna() | steps.isin(steps[value.notna()]) if step else slice(None)
        parts.append(pd.DataFrame({"run": ids, "step": steps, "metric": name, "value": value})[is_measured])
    return pd.concat(parts, ignore_index=True).astype({"metric": "category"})[SCORE_COLUMNS]


def _long_scores(frame: pd.DataFrame, ids: pd.Series, step: str | None, long: tuple[str, str]) -> pd.DataFrame:
    metric, value = long
    scores = {"run": ids, "step": _steps(frame, step), "metric": frame[metric].astype(str)}
    return pd.DataFrame({**scores, "value": _numbers(frame[value], value)})[SCORE_COLUMNS]


def _steps(frame: pd.DataFrame, step: str | None) -> pd.Series:
    return pd.to_numeric(frame[step], errors="coerce") if step else pd.Series(0, index=frame.index)


def _numbers(column: pd.Series, name: str) -> pd.Series:
    value = pd.to_numeric(column, errors="coerce")
    if value.isna().all() and column.notna().any() and not column.dropna().astype(str).str.lower().isin(NOTHING).all():
        raise ValueError(f"a metric must be numbers; column {name} holds {column.dropna().iloc[0]!r}")
    return value
