"""Folders of runs: `metrics.json` (or .jsonl) beside `config.json` (or .yaml), or beside Hydra's `.hydra`.

Such a folder does not say whether its run has ended. Hydra runs into the same folder again without a word.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from analysis.imported.records import json_lines
from analysis.imported.records.record_builder import Builder, spread
from analysis.imported.records.recorded import UNFINISHED, UNKNOWN, Recorded
from analysis.imported.records.roles import NAMES

METRICS = ("metrics.json", "metrics.jsonl")
CONFIGS = ("config.json", "config.yaml", "config.yml", ".hydra/config.yaml")
MOST_NAMED = 3


class _Loader(yaml.SafeLoader):
    """YAML as OmegaConf reads it: 1e-3 is a number."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d[\d_]*)?\.?\d*([eE][-+]?\d+)$"),
    list("-+.0123456789"),
)


def is_folder(address: str) -> bool:
    """Whether an address is a folder of such runs."""
    return Path(address).is_dir() and any(_runs_of(Path(address)))


def read(address: str) -> Recorded:
    """Reads all runs below a folder.

    Raises:
        ValueError: a file of a run is damaged.
    """
    root, builder, torn = Path(address), Builder(), []
    for folder in _runs_of(root):
        name = folder.relative_to(root).as_posix()
        described = {
            key: value for path in CONFIGS if (folder / path).is_file() for key, value in _config(folder / path).items()
        }
        rows = _rows(folder)
        if rows is None:
            torn.append(name)
        builder.run(name, UNKNOWN if rows else UNFINISHED, described)
        for i, row in enumerate(rows or []):
            values = spread(row, "/")
            step = next((values[key] for key in NAMES["step"] if isinstance(values.get(key), int | float)), i)
            for metric, value in values.items():
                builder.score(name, float(step), metric, float("nan") if value is None else value)
    more = f" and {len(torn) - MOST_NAMED} more" if len(torn) > MOST_NAMED else ""
    notes = (
        f"Metrics that are cut or no JSON, so that the run counts as not ended: {', '.join(torn[:MOST_NAMED])}{more}.",
    )
    return builder.recorded("a folder of runs", notes=notes if torn else (), has_end=False)


def _runs_of(root: Path) -> list[Path]:
    """Folders with a configuration: a run that left no metrics is one too."""
    found = {path.parent for name in CONFIGS[:3] for path in root.rglob(name) if path.parent.name != ".hydra"}
    found |= {path.parent.parent for path in root.rglob(CONFIGS[3])}
    with_metrics = {folder for folder in found if any((folder / name).is_file() for name in METRICS)}
    return sorted(found) if with_metrics else []


def _config(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        config = json.loads(text) if path.suffix == ".json" else _Loader(text).get_single_data()
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{path} must be readable; it is not: {error}") from error
    return spread(config or {}, ".")


def _rows(folder: Path) -> Sequence[Mapping[str, Any]] | None:
    """Rows of metrics, one an epoch or one in all; None: there are none that can be read."""
    for name in METRICS:
        path = folder / name
        if not path.is_file():
            continue
        text = path.read_text(encoding="utf-8")
        if name.endswith("l"):
            return _lines(text, path)
        try:
            written = json.loads(text)
        except ValueError:
            return _lines(text, path)  # one object a line is often called .json
        rows = written if isinstance(written, list) else _by_epoch(written)
        return [row for row in rows if isinstance(row, Mapping)]
    return None


def _by_epoch(written: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Of {"loss": [..., ...]} a row an epoch; of {"loss": 1.0} one row."""
    lists = {key: value for key, value in written.items() if isinstance(value, list)}
    if not lists:
        return [dict(written)]
    length = max(len(value) for value in lists.values())
    alone = {key: value for key, value in written.items() if key not in lists}
    rows = [{key: value[i] for key, value in lists.items() if i < len(value)} for i in range(length)]
    return [*rows[:-1], {**rows[-1], **alone}] if rows else [alone]


def _lines(text: str, path: Path) -> Sequence[Mapping[str, Any]] | None:
    """One object a line; None where no line is one."""
    return json_lines.parsed(text.splitlines(), name=str(path), may_tear=True)[0] or None
