"""Tables of runs: CSV, Parquet or JSON lines, a row a run, a row an epoch, or a row a value."""

from __future__ import annotations

import ast
import gzip
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import pyarrow
import pyarrow.json

from analysis.imported.records.recorded import COMPLETED, SCORE_COLUMNS, UNKNOWN, Question, Recorded, states
from analysis.imported.records.roles import arm_of, found, listed, one_of

Rows = TypeVar("Rows", pd.DataFrame, pd.Series)
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
    """The table as it is.

    Raises:
        ValueError: it cannot be read.
    """
    kind = Path(path.name.removesuffix(".gz")).suffix
    try:
        if kind == ".parquet":
            return pd.read_parquet(path)
        if kind in (".csv", ".tsv"):
            return pd.read_csv(path, sep="\t" if kind == ".tsv" else ",", encoding="utf-8-sig")
    except (ValueError, OSError) as error:
        raise ValueError(f"{path} must be {FORMS[kind]} with a header; reading it failed: {error}") from error
    return _lines(path) if kind != ".json" else _json(path)


def _json(path: Path) -> pd.DataFrame:
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} must be JSON; reading it failed: {error}") from error
    if not isinstance(written, list) or not all(isinstance(row, dict) for row in written):
        raise ValueError(f"{path} must hold a list of objects, one a run; got {type(written).__name__}")
    return pd.DataFrame([flat(row) for row in written])


def _lines(path: Path) -> pd.DataFrame:
    if (quick := _by_arrow(path)) is not None:
        return quick
    rows, notes = [], []
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        lines = [line for line in file if line.strip()]
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except ValueError as error:
            if number < len(lines):
                raise ValueError(f"{path} must hold a JSON object a line; line {number} is none: {error}") from error
            notes.append("The last line of the file is cut, as a killed writer leaves it; it is left out.")
            continue
        if not isinstance(row, dict):
            raise ValueError(f"{path} must hold a JSON object a line; line {number} is {type(row).__name__}")
        rows.append(flat(row))
    frame = pd.DataFrame(rows)
    frame.attrs["notes"] = tuple(notes)
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


def flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """An object whose inner objects are spread: {"a": {"b": 1}} is {"a.b": 1}; inner lists are their JSON."""
    return dict(_flat(row, ""))


def _flat(row: Mapping[str, Any], before: str) -> Iterator[tuple[str, Any]]:
    for key, value in row.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", json.dumps(value) if isinstance(value, list) else value


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
    long = _long(frame, question)
    frame = long if long is not None else frame
    step = _step(frame, question)
    state = found("status", frame.columns, said=question.status)
    is_state = state is not None and (not state.is_guessed or bool((states(frame[state.column]) != UNKNOWN).all()))
    status = states(frame[state.column]) if state is not None and is_state else pd.Series(COMPLETED, index=frame.index)
    ids = _run_ids(frame, step, question)
    is_last = ~ids.duplicated(keep="last")  # the row that was written last describes its run
    described = _by_run(frame, ids, is_last)
    status = _by_run(pd.Series(status, index=frame.index), ids, is_last)
    return Recorded(
        form=form,
        runs=described.rename_axis("run"),
        scores=_scores(frame, ids, step, question),
        status=status,
        notes=notes,
        has_end=is_state or step is None,
    )


def _without_dictionaries(frame: pd.DataFrame) -> pd.DataFrame:
    """W&B's documented export has the columns summary and config, with dictionaries as Python prints them."""
    for name in ("summary", "config"):
        if name in frame and frame[name].map(lambda x: isinstance(x, str) and x.startswith("{")).all():
            spread = pd.DataFrame([flat(_dictionary(text, name)) for text in frame[name]], index=frame.index)
            spread = spread[[c for c in spread.columns if not str(c).startswith("_") and c not in frame]]
            frame = pd.concat([frame.drop(columns=name), spread], axis=1)
    return frame


def _dictionary(text: str, name: str) -> dict[str, Any]:
    numbers = {"nan": "None", "inf": "1e999"}
    try:
        return ast.literal_eval(
            re.sub(r"(?<=[:\[,(] )(-?)(nan|inf)\b", lambda m: m[1] * (m[2] == "inf") + numbers[m[2]], text)
        )
    except (ValueError, SyntaxError) as error:
        raise ValueError(f"column {name} must hold dictionaries as Python prints them; got {text[:80]!r}") from error


def _long(frame: pd.DataFrame, question: Question) -> pd.DataFrame | None:
    """A table of a row a value, spread to a row a run or an epoch; None: it is none."""
    metric = found("metric", frame.columns, said=question.metric)
    value = found("value", frame.columns, said=question.value)
    if metric is None or value is None or (metric.is_guessed and question.primary in frame.columns):
        return None
    if not frame[metric.column].astype(str).eq(question.primary).any():
        return None
    others = [column for column in frame.columns if column not in (metric.column, value.column)]
    number = frame.groupby([*others, metric.column], dropna=False, sort=False).cumcount()
    wide = (
        frame.assign(__number=number)
        .set_index([*others, "__number", metric.column])[value.column]
        .unstack(metric.column)
        .reset_index()
        .drop(columns="__number")
    )
    return wide.rename_axis(columns=None)


def _step(frame: pd.DataFrame, question: Question) -> str | None:
    """The column that counts epochs, where runs have several rows."""
    step = found("step", frame.columns, said=question.step)
    if step is None or not pd.api.types.is_numeric_dtype(frame[step.column]):
        return None
    if not step.is_guessed:
        return step.column
    keys = _keys(frame, question)
    return step.column if keys and frame.duplicated(keys).any() else None


def _keys(frame: pd.DataFrame, question: Question) -> list[str]:
    """The columns that name a run: its own name where the table has one, else arm, seed, split and configuration."""
    for name in RUN_NAMES:
        if name in frame.columns and frame[name].duplicated().any():
            return [name]
    arm = arm_of(frame, said=question.arm, reference=question.reference)
    others = (found("seed", frame.columns, said=question.seed), found("split", frame.columns, said=question.split))
    return [arm.column, *(role.column for role in others if role is not None), *question.config]


def _run_ids(frame: pd.DataFrame, step: str | None, question: Question) -> pd.Series:
    """A name for the run of each row."""
    if step is None:
        return pd.Series([f"row {i + 1}" for i in range(len(frame))], index=frame.index)
    number = frame.groupby(_keys(frame, question), dropna=False, sort=False).ngroup()
    names = pd.CategoricalDtype([f"run {i + 1}" for i in range(int(number.max()) + 1)])
    return pd.Series(pd.Categorical.from_codes(number.to_numpy(), dtype=names), index=frame.index)


def _by_run(part: Rows, ids: pd.Series, is_last: pd.Series) -> Rows:
    """A row a run, in the order in which runs appear."""
    rows = part[is_last].set_axis(ids[is_last], axis=0)
    rows = rows.sort_index() if isinstance(ids.dtype, pd.CategoricalDtype) else rows
    return rows.set_axis(rows.index.astype(str), axis=0)


def _scores(frame: pd.DataFrame, ids: pd.Series, step: str | None, question: Question) -> pd.DataFrame:
    """What was measured and is asked for, in long form."""
    numbers = [str(name) for name in frame.select_dtypes("number").columns]
    parts = []
    for name in question.measured:
        one_of(name, frame.columns if name in frame.columns else numbers, "a metric")
        value = pd.to_numeric(frame[name], errors="coerce")
        if value.isna().all() and frame[name].notna().any():
            raise ValueError(f"a metric must be numbers; column {name} holds {frame[name].dropna().iloc[0]!r}")
        steps = frame[step] if step else pd.Series(0, index=frame.index)
        parts.append(pd.DataFrame({"run": ids, "step": steps, "metric": name, "value": value}))
    return pd.concat(parts, ignore_index=True).astype({"metric": "category"})[SCORE_COLUMNS]
