"""What a finished study's ledger must say, checked by code that shares nothing with orchestrator/.

    python benchmarks/ledger_check.py RESULTS

It reads the journal's lines and the Parquet parts by itself.
"""

from __future__ import annotations

import base64
import json
import sys
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

TABLES = ("runs", "epochs", "items")


class WrongError(AssertionError):
    """The ledger does not say what it must."""


def must(holds: bool, what: str) -> None:
    """Raises unless it holds."""
    if not holds:
        raise WrongError(what)


@dataclass(frozen=True)
class Line:
    """One line of the journal."""

    kind: str
    values: Mapping[str, Any]
    stored: str  # what is stored of a finished run, as text; empty for other lines


def journal(results: Path) -> Iterator[Line]:
    """The intact lines; only the last line of a segment may be torn."""
    for path in sorted((results / "journal").glob("*.jsonl")):
        lines = path.read_bytes().split(b"\n")
        for number, text in enumerate(lines, start=1):
            checksum, _, body = text.partition(b" ")
            if not text:
                continue
            if len(checksum) != 8 or f"{zlib.crc32(body):08x}".encode() != checksum:
                must(number == len(lines), f"{path}, line {number} is torn, and it is not the last")
                continue
            head, _, payload = body.partition(b"\t")
            kind, _, values = head.partition(b" ")
            stored = zlib.decompress(base64.b64decode(payload)).decode() if payload else ""
            yield Line(kind.decode(), json.loads(values), stored)


def finished(lines: list[Line]) -> dict[str, str]:
    """By run: all that is stored of it. Each is told once."""
    told: dict[str, str] = {}
    for line in lines:
        if line.kind == "told":
            must(line.values["run_id"] not in told, f"run {line.values['run_id']} was told twice")
            told[line.values["run_id"]] = line.stored
    return told


def table(results: Path, name: str) -> list[dict[str, Any]]:
    """All rows of a table; its parts have the same columns."""
    parts = sorted((results / name).glob("*.parquet"))
    schemas = {path: pq.read_schema(path) for path in parts}
    first = schemas[parts[0]]
    for path, schema in schemas.items():
        must(schema.equals(first), f"{path} has other columns than {parts[0]}")
    return [row for path in parts for row in pq.read_table(path, page_checksum_verification=True).to_pylist()]


def check(results: Path) -> Counter[str]:
    """Raises a WrongError unless the ledger of a study that is over is whole; counts its runs by status."""
    study = json.loads((results / "study.json").read_text())
    lines = list(journal(results))
    rows = table(results, "runs")
    by_id = {row["run_id"]: row for row in rows}
    must(len(by_id) == len(rows), f"{len(rows) - len(by_id)} run ids stand twice")
    told = finished(lines)
    must(set(told) == set(by_id), f"{len(set(told) ^ set(by_id))} runs are in the journal or in the tables only")
    asked = {
        run["run_id"]: (line.values["pack_id"], run)
        for line in lines
        if line.kind == "asked"
        for run in line.values["runs"]
    }
    must(set(asked) == set(by_id), f"{len(set(asked) ^ set(by_id))} runs were asked and not finished, or the reverse")
    _check_plan(study, lines, rows)
    _check_rows(study, lines, rows, told)
    _check_epochs(results, rows)
    _check_items(results, study, rows)
    _check_attempts(lines)
    must(not list((results / "journal").glob("aside-*")), "temporary files are left")
    must(not list((results / "checkpoints").glob("*/*/*")), "checkpoints of finished packs are left")
    return Counter(row["status"] for row in rows)


def _check_plan(study: Mapping[str, Any], lines: list[Line], rows: list[dict[str, Any]]) -> None:
    """Every arm has had its budget, and no suggestion came twice."""
    numbers: dict[tuple[str, int], Counter[int]] = defaultdict(Counter)
    suggested: dict[tuple[str, int], list[str]] = defaultdict(list)
    for line in lines:
        for run in line.values["runs"] if line.kind == "asked" else []:
            if run["number"] is not None and not run["retry"]:
                key = run["arm"], run["search"]
                numbers[key][run["number"]] += 1
                suggested[key].append(json.dumps(run["suggested"], sort_keys=True))
    for arm in study["selected"]:
        for search in range(study["searches"]):
            planned = len(range(search, study["trials"], study["searches"]))
            known = numbers[arm, search]
            must(sorted(known) == list(range(planned)), f"{arm}: suggestions {sorted(known)} of {planned}")
            must(max(known.values(), default=1) == 1, f"{arm}: a suggestion was asked twice")
            again = len(suggested[arm, search]) - len(set(suggested[arm, search]))
            must(again == 0, f"{arm}: {again} suggestions repeat an earlier one")
        _check_seeds(study, arm, [row for row in rows if row["arm"] == arm and row["phase"] == "confirm"])
    _check_folds(study, rows)


def _check_seeds(study: Mapping[str, Any], arm: str, confirm: list[dict[str, Any]]) -> None:
    """Every seed once with the arm's own choice, once with the reference's where this is another, and no other run."""
    chosen = study["chosen"][arm]
    known: set[str] = set()
    for ids in ([chosen] if isinstance(chosen, str) else chosen, study["frozen"].get(arm, [])):
        own = {row["run_id"]: row["seed"] for row in confirm if ids and row["config_id"] == ids[row["search"]]}
        planned = study["seeds"] * bool(ids)
        must(len(own) == len(set(own.values())) == planned, f"{arm}: {len(own)} confirm runs of {planned} with {ids}")
        known |= set(own)
    must(
        len(known) == len(confirm),
        f"{arm}: {len(confirm) - len(known)} confirm runs with hyperparameters that nobody chose",
    )


def _check_folds(study: Mapping[str, Any], rows: list[dict[str, Any]]) -> None:
    """As many of the best of each search as planned were ranked again, by five folds each."""
    of_phase: dict[tuple[str, str, int], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        of_phase[row["phase"], row["arm"], row["search"]].append(row)
    for arm in study["selected"]:
        for search in range(study["searches"]):
            completed = [row for row in of_phase["search", arm, search] if row["status"] == "completed"]
            most = min(study["rerank"], len(completed))
            best = {row["config_id"] for row in sorted(completed, key=lambda row: _score(study, row))[:most]}
            folds = Counter((row["config_id"], row["fold"]) for row in of_phase["rerank", arm, search])
            planned = 5 * most if most > 1 else 0
            must(len(folds) == folds.total() == planned, f"{arm}: {folds.total()} fold runs of {planned}")
            must({config for config, _ in folds} in (set(), best), f"{arm}: others than the best were ranked again")


def _score(study: Mapping[str, Any], row: Mapping[str, Any]) -> float:
    value = row[f"metric:{study['search_metric']}"]
    return value if study["modes"][study["search_metric"]] == "min" else -value


def _check_rows(
    study: Mapping[str, Any], lines: list[Line], rows: list[dict[str, Any]], told: Mapping[str, str]
) -> None:
    """What is stored of a run is what its row says, with every metric that its kind of run has."""
    metrics: dict[tuple[str, str, str], set[frozenset[str]]] = defaultdict(set)
    crashes = Counter(
        line.values["pack_id"] for line in lines if line.kind == "ended" and line.values["kind"] == "crash"
    )
    for row in rows:
        stored = json.loads(told[row["run_id"]])["run"]
        must(stored["status"] == row["status"], f"run {row['run_id']}: journal and table disagree")
        for name, value in stored.items():
            if isinstance(value, float):
                must(row[name] == value, f"run {row['run_id']}: {name} is {row[name]!r}, was {value!r}")
        if row["status"] == "failed":
            must(row["error_kind"] == "crash" and crashes[row["pack_id"]] > 2, f"run {row['run_id']}: {row['error']}")
            continue
        metrics[row["arm"], row["phase"], row["status"]].add(frozenset(_measured(row)))
        must(study["search_metric"] in _measured(row), f"run {row['run_id']}: no {study['search_metric']}")
        is_tested = row["phase"] == "confirm" and row["status"] == "completed"
        must(
            (study["primary_metric"] in _measured(row)) == is_tested,
            f"run {row['run_id']}: test items were seen wrongly",
        )
    for key, sets in metrics.items():
        must(len(sets) == 1, f"{key}: some rows lack metrics that others have")


def _measured(row: Mapping[str, Any]) -> set[str]:
    names = [name for name, value in row.items() if name.startswith("metric:") and value is not None]
    return {name.removeprefix("metric:") for name in names}


def _check_epochs(results: Path, rows: list[dict[str, Any]]) -> None:
    """Every run has each of its epochs once."""
    epochs: dict[str, list[int]] = defaultdict(list)
    for row in table(results, "epochs"):
        epochs[row["run_id"]].append(row["epoch"])
    must(set(epochs) <= {row["run_id"] for row in rows}, "there are epochs of unknown runs")
    for row in rows:
        known = sorted(epochs[row["run_id"]])
        must(known == list(range(1, row["epochs"] + 1)), f"run {row['run_id']}: epochs {known} of {row['epochs']}")


def _check_items(results: Path, study: Mapping[str, Any], rows: list[dict[str, Any]]) -> None:
    """Every completed confirm run has each test item once, and weights; no other run has any."""
    items: dict[str, Counter[str]] = defaultdict(Counter)
    for row in table(results, "items"):
        items[row["run_id"]][row["item"]] += 1
    completed = {row["run_id"] for row in rows if row["phase"] == "confirm" and row["status"] == "completed"}
    must(set(items) == completed, "test items are not those of the completed confirm runs")
    num_items = study["about"].get("items", {}).get("test")
    for run_id, counts in items.items():
        must(set(counts.values()) == {1}, f"run {run_id}: a test item stands twice")
        must(num_items in (None, len(counts)), f"run {run_id}: {len(counts)} test items of {num_items}")
    weights = {path.stem for path in (results / "models").glob("*.safetensors")}
    must(completed <= weights, "weights of completed confirm runs are missing")


def _check_attempts(lines: list[Line]) -> None:
    """Attempts are numbered from 1 without gaps, and what has been pruned is told as pruned."""
    attempts: dict[str, list[int]] = defaultdict(list)
    pruned: set[str] = set()
    status: dict[str, str] = {}
    for line in lines:
        if line.kind == "began":
            attempts[line.values["pack_id"]].append(line.values["attempt"])
        elif line.kind == "reported":
            pruned |= set(line.values["pruned"])
        elif line.kind == "told":
            status[line.values["run_id"]] = line.values["status"]
    for pack, numbers in attempts.items():
        must(numbers == list(range(1, len(numbers) + 1)), f"pack {pack}: attempts {numbers}")
    for run_id in pruned:
        must(status[run_id] in ("pruned", "failed"), f"run {run_id} was pruned and is {status[run_id]}")


if __name__ == "__main__":
    print(dict(check(Path(sys.argv[1]))))
