"""Writes and checks certificates.

A certificate holds the declaration, the confirm runs that count, the verdicts with their numbers, hashes of every file
of the results, the version of the rule, what `verify` found, and a checksum of all that. What it proves, and what it
cannot, is in docs/certificate.md.
"""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.reporting import verdicts_json
from analysis.results.load import Results, load
from analysis.tables.overview import ablation

VERSION = 1
SUM = "sum"
# What decides whether a row counts, and in which pair; the values are those of the primary metric.
COLUMNS = [
    "run_id", "arm", "phase", "config_id", "seed", "search", "split", "retry", "status", "error_kind", "epochs_planned",
    "data_sha256", "code_sha256",
]  # fmt: skip
# Of a verdict, what follows from these rows alone; what carries further takes items and searches.
COMPARED = ("verdict", "mean", "delta", "ci", "p", "p_equivalent", "seeds", "failed")
NEAR = 1e-9  # numbers of another machine
NOT_RESULTS = ("report", "checkpoints")
VERIFIED = "verified.json"


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What a check found."""

    problems: tuple[str, ...]  # in sentences; none: the certificate holds
    facts: tuple[str, ...]  # what it rests on


def certify(folder: str | Path) -> dict[str, Any]:
    """The certificate of a results folder, as plain values.

    Raises:
        ValueError: it is not a results folder, or has no confirm runs.
    """
    folder = Path(folder)
    results = load(folder)
    rows = pd.concat([results.confirm, results.frozen]).drop_duplicates("run_id").sort_values("run_id")
    if rows.empty:
        raise ValueError(f"a certificate is about confirm runs that count; {folder} has none so far")
    metric = f"metric:{results.study.primary_metric}"
    kept = rows[COLUMNS].assign(**{metric: results.values(rows, results.study.primary_metric)})
    body = {
        "version": VERSION,
        "rule": rule_version(),
        "study": json.loads((folder / "study.json").read_text(encoding="utf-8")),
        "columns": list(kept.columns),
        "rows": [[_plain(value) for value in row] for row in kept.itertuples(index=False)],
        "verdicts": verdicts_json.as_values(results, ablation(results)),
        "files": _hashes(folder),
        "verified": _verified(folder),
    }
    return {**body, SUM: checksum(body)}


def check(certificate: Mapping[str, Any], folder: str | Path | None = None) -> Checked:
    """Computes every verdict again from a certificate.

    Args:
        certificate: its values.
        folder: the results that it is said to be of; None: they are not at hand.

    Raises:
        ValueError: it is no certificate of this version.
    """
    missing = [
        name for name in ("rule", "study", "columns", "rows", "verdicts", "files", SUM) if name not in certificate
    ]
    if certificate.get("version") != VERSION or missing:
        raise ValueError(
            f"a certificate must be of version {VERSION} and whole; it lacks {', '.join(missing) or 'its version'}"
        )
    body = {name: value for name, value in certificate.items() if name != SUM}
    problems = (
        [] if checksum(body) == certificate[SUM] else ["it was changed after it was written: its checksum differs"]
    )
    if certificate["rule"] != rule_version():
        problems.append(f"its rule is {certificate['rule']}, this is {rule_version()}: take that version to check it")
    try:
        problems += _differences(certificate["verdicts"], _again(certificate))
    except (ValueError, TypeError, KeyError, pa.ArrowException) as error:
        problems.append(f"its rows do not make a study: {' '.join(str(error).split())}")
    if folder is not None:
        problems += _changed(certificate["files"], _hashes(Path(folder)))
    return Checked(problems=tuple(problems), facts=_facts(certificate, is_beside=folder is not None))


def rule_version() -> str:
    """The version of what computes verdicts: that of the package, and a hash of the statistics' sources."""
    root = Path(__file__).parents[1]
    sources = [path for name in ("statistics", "tables", "results") for path in sorted((root / name).glob("*.py"))]
    content = b"".join(path.read_bytes() for path in sources)
    return f"{version('mfm-studies')}+{hashlib.sha256(content).hexdigest()[:12]}"


def checksum(body: Mapping[str, Any]) -> str:
    """Of values and names in their order."""
    return hashlib.sha256(json.dumps(body, ensure_ascii=False).encode()).hexdigest()


def _again(certificate: Mapping[str, Any]) -> dict[str, Any]:
    """The verdicts, from declaration and rows alone."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "runs").mkdir()
        (folder / "study.json").write_text(json.dumps(certificate["study"]), encoding="utf-8")
        frame = pd.DataFrame(certificate["rows"], columns=pd.Index(certificate["columns"]))
        pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), folder / "runs" / "part-000000.parquet")
        results: Results = load(folder)
        return verdicts_json.as_values(results, ablation(results))


def _differences(told: Mapping[str, Any], again: Mapping[str, Any]) -> list[str]:
    """What is not what it follows to be."""
    found = [
        f"its {name} is {told.get(name)!r}; from its rows it is {again[name]!r}"
        for name in ("study", "metric", "mode", "smallest_effect", "reference", "reference_seeds")
        if told.get(name) != again[name]
    ]
    if list(told["arms"]) != list(again["arms"]):
        return [*found, f"its arms are {list(told['arms'])}; from its declaration they are {list(again['arms'])}"]
    return found + [
        f"{arm}: its {name} is {own.get(name)!r}; from its rows it is {again['arms'][arm][name]!r}"
        for arm, own in told["arms"].items()
        for name in COMPARED
        if not _is_near(own.get(name), again["arms"][arm][name])
    ]


def _is_near(a: Any, b: Any) -> bool:
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(_is_near(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=NEAR, abs_tol=NEAR)
    return a == b


def _verified(folder: Path) -> dict[str, Any] | None:
    """What `verify` found; None where it was not called, or runs were completed since."""
    if not (folder / VERIFIED).exists():
        return None
    known = json.loads((folder / VERIFIED).read_text(encoding="utf-8"))
    statuses = pq.read_table(folder / "runs", columns=["status"])["status"].to_pylist()
    return known if known["completed"] == statuses.count("completed") else None


def _hashes(folder: Path) -> dict[str, str]:
    """Of every file of the results; of the journal, only what its lines say, not who holds it."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and _is_result(path.relative_to(folder))
    }


def _is_result(path: Path) -> bool:
    if path.parts[0] == "journal":
        return path.suffix == ".jsonl"
    return path.parts[0] not in NOT_RESULTS and path.name not in ("log.txt", VERIFIED) and not path.name.startswith(".")


def _changed(told: Mapping[str, str], there: Mapping[str, str]) -> list[str]:
    gone = [name for name in told if name not in there]
    other = [name for name in told if name in there and told[name] != there[name]]
    new = [name for name in there if name not in told]
    return [
        f"{what}: {', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}"
        for what, names in (("files of the results are gone", gone), ("were changed", other), ("are new", new))
        if names
    ]


def _facts(certificate: Mapping[str, Any], *, is_beside: bool) -> tuple[str, ...]:
    verified = certificate.get("verified")
    trained = "no run was trained again since: python -m orchestrator verify RESULTS --runs K, before certifying"
    if verified:
        bound, total = verified["most_false"], verified["completed"]
        by = f"the rows and the word {verified['word']!r}" if verified["word"] else "the rows"
        clean = (
            f"{verified['clean']} of {len(verified['drawn'])} runs, drawn by {by}, came out the same when trained again"
        )
        share = (
            f"at most {bound} of {total} ({100 * bound / total:.1f} %) are false (95 %)"
            if bound is not None
            else "it does not hold"
        )
        trained = f"{clean}: {share}"
    return (
        f"{len(certificate['rows'])} runs, {len(certificate['verdicts']['arms'])} verdicts, rule {certificate['rule']}",
        trained,
        "the results were compared, file by file" if is_beside else "the results were not at hand (--results DIR)",
    )


def _plain(value: Any) -> Any:
    if value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    return value.item() if isinstance(value, np.generic) else value
