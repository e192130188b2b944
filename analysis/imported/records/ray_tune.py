"""Results of Ray Tune: the folder of an experiment, read without Ray; no pickle is opened.

`result.json` is read, not `progress.csv`, which drops metrics that come later, nor the event files, which leave NaN
out. Ray's own running best (`metric_analysis`) is not used: a NaN resets it. A trial that a scheduler stopped early is
TERMINATED, as one that came to its end. Seen with Ray 2.60.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.imported.records import json_lines
from analysis.imported.records.record_builder import Builder, spread, without
from analysis.imported.records.recorded import UNFINISHED, Recorded, states

NOISE = frozenset(
    ("timestamp", "checkpoint_dir_name", "done", "training_iteration", "trial_id", "date", "time_this_iter_s",
     "time_total_s", "pid", "hostname", "node_ip", "config", "time_since_restore", "iterations_since_restore",
     "experiment_tag", "timesteps_total", "episodes_total", "timesteps_since_restore", "should_checkpoint",
     "experiment_id")
)  # fmt: skip


def is_folder(address: str) -> bool:
    """Whether an address is the folder of an experiment."""
    folder = Path(address)
    return folder.is_dir() and (any(folder.glob("experiment_state-*.json")) or any(folder.glob("*/result.json")))


def read(address: str) -> Recorded:
    """Reads the folder.

    Raises:
        ValueError: it holds no trial.
    """
    folder, builder = Path(address), Builder()
    known = _states(folder)
    for path in sorted(folder.glob("*/params.json")):
        trial = path.parent
        about = known.get(trial.name, {})
        state = states(pd.Series([about.get("status", "running")])).iloc[0]
        name = str(about.get("trial_id") or trial.name)
        builder.run(name, state, spread(_json(path) or about.get("config") or {}, "/"))
        rows = {int(row["training_iteration"]): row for row in _rows(trial / "result.json")}  # the later one of two
        for step in sorted(rows):
            for metric, value in spread(without(rows[step], NOISE), "/").items():
                builder.score(name, step, metric, value)
    for about in known.values():  # killed before they began: the state alone knows of them
        if about["trial_id"] not in builder.described:
            builder.run(about["trial_id"], UNFINISHED, spread(about.get("config") or {}, "/"))
    return builder.recorded("a folder of Ray Tune", has_end=False)


def _states(folder: Path) -> dict[str, dict[str, Any]]:
    """By the name of a trial's folder, what the newest readable state says of it."""
    for path in sorted(folder.glob("experiment_state-*.json"), reverse=True):
        state = _json(path)
        if state is None:  # it is written in place: a kill leaves half of it
            continue
        trials = [json.loads(first) for first, *_ in state["trial_data"]]
        return {str(one.get("relative_logdir") or one["trial_id"]): one for one in trials}
    return {}


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _rows(path: Path) -> list[dict[str, Any]]:
    """A trial that goes on after a kill writes behind the line that the kill has cut."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8") as file:
        return json_lines.parsed(file, name=str(path), may_tear=True)[0]
