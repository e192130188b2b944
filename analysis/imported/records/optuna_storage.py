"""Optuna's storages, SQLite and journal file, read without Optuna.

A trial that was killed stays RUNNING, one whose objective is NaN is FAIL, one that is infinite COMPLETE. Metrics are
the objective (its name where one was set, else `value`), the reported values (`intermediate`), and user attributes that
are numbers. Seen with Optuna 5.0 (schema 12).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.imported.records import json_lines
from analysis.imported.records.record_builder import Builder, database, finite_or, of_uri, tables
from analysis.imported.records.recorded import Recorded, states

CODES = ("RUNNING", "COMPLETE", "PRUNED", "FAIL", "WAITING")
ENDED = ("COMPLETE", "PRUNED", "FAIL")
NAMES = "study:metric_names"  # system attribute of a study


def is_database(address: str) -> bool:
    """Whether an address is Optuna's SQLite file."""
    return {"studies", "trials", "trial_params", "trial_values"} <= tables(of_uri(address))


def is_journal(address: str) -> bool:
    """Whether an address is a journal file."""
    try:
        with Path(address).open(encoding="utf-8") as file:
            return "op_code" in json.loads(file.readline())
    except (OSError, ValueError, TypeError):
        return False


def read_database(address: str) -> Recorded:
    """Reads the SQLite file.

    Raises:
        ValueError: it cannot be read, or holds no trial.
    """
    store = _Trials()
    with database(of_uri(address)) as opened:
        for study, name in opened.execute("select study_id, study_name from studies"):
            store.studies[study] = name
        for study, value in opened.execute(
            "select study_id, value_json from study_system_attributes where key = ?", (NAMES,)
        ):
            store.names[study] = json.loads(value)
        for trial, number, state, study in opened.execute(
            "select trial_id, number, state, study_id from trials order by study_id, number"
        ):
            store.add(trial, study, number, state)
        for trial, name, value, how in opened.execute(
            "select trial_id, param_name, param_value, distribution_json from trial_params"
        ):
            store.trials[trial]["params"][name] = _external(how, value)
        for trial, value, kind in opened.execute(
            "select trial_id, value, value_type from trial_values order by trial_id, objective"
        ):
            store.trials[trial]["values"].append(finite_or(value, kind))
        for trial, step, value, kind in opened.execute(
            "select trial_id, step, intermediate_value, intermediate_value_type from trial_intermediate_values"
        ):
            store.trials[trial]["reports"][step] = finite_or(value, kind)
        for trial, name, value in opened.execute("select trial_id, key, value_json from trial_user_attributes"):
            store.trials[trial]["attrs"][name] = json.loads(value)
    return store.recorded("an Optuna database")


def read_journal(address: str) -> Recorded:
    """Reads the journal file.

    Raises:
        ValueError: a line before the last is no JSON, or it holds no trial.
    """
    store, lines = _Trials(), Path(address).read_text(encoding="utf-8").splitlines()
    for event in json_lines.parsed(lines, name=address)[0]:
        store.apply(event)
    return store.recorded("an Optuna journal")


class _Trials:
    """Studies and trials by their ids."""

    def __init__(self) -> None:
        self.studies: dict[int, str | None] = {}
        self.names: dict[int, list[str]] = {}
        self.trials: dict[int, dict[str, Any]] = {}

    def add(self, trial: int, study: int, number: int, state: str) -> dict[str, Any]:
        """Adds a trial."""
        self.trials[trial] = {
            "study": study, "number": number, "state": state, "params": {}, "attrs": {}, "values": [], "reports": {},
        }  # fmt: skip
        return self.trials[trial]

    def apply(self, event: dict[str, Any]) -> None:
        """One line of a journal: ids are places in it, counted over all studies."""
        code = event["op_code"]
        if code == 0 and event["study_name"] not in self.studies.values():
            self.studies[len(self.studies)] = event["study_name"]
        elif code == 1:
            self.studies[event["study_id"]] = None
        elif code == 3:
            if NAMES in event["system_attr"]:
                self.names[event["study_id"]] = event["system_attr"][NAMES]
        elif code == 4 and self.studies.get(event["study_id"]):
            self._begin(event)
        elif 5 <= code <= 8 and event["trial_id"] in self.trials:
            self._change(self.trials[event["trial_id"]], event)

    def _begin(self, event: dict[str, Any]) -> None:
        study = event["study_id"]
        number = sum(one["study"] == study for one in self.trials.values())
        trial = self.add(len(self.trials), study, number, CODES[event.get("state", 0)])
        for name, value in (event.get("params") or {}).items():
            trial["params"][name] = _external(event["distributions"][name], value)
        trial["attrs"].update(event.get("user_attrs") or {})
        trial["reports"].update({int(step): value for step, value in (event.get("intermediate_values") or {}).items()})
        alone = [event["value"]] if event.get("value") is not None else []
        trial["values"] = event.get("values") or alone

    @staticmethod
    def _change(trial: dict[str, Any], event: dict[str, Any]) -> None:
        if trial["state"] in ENDED:
            return
        code = event["op_code"]
        if code == 5:
            trial["params"][event["param_name"]] = _external(event["distribution"], event["param_value_internal"])
        elif code == 6:
            trial["state"] = CODES[event["state"]]
            trial["values"] = event.get("values") or trial["values"]
        elif code == 7:
            trial["reports"][event["step"]] = event["intermediate_value"]
        else:
            trial["attrs"].update(event["user_attr"])

    def recorded(self, form: str) -> Recorded:
        """The record of all studies that are there."""
        builder = Builder()
        kept = [trial for trial in self.trials.values() if self.studies.get(trial["study"])]
        codes = states(pd.Series([trial["state"] for trial in kept], dtype=object))
        for trial, state in zip(kept, codes, strict=True):
            study = self.studies[trial["study"]]
            name = f"{study}/{trial['number']}"
            builder.run(name, state, {"study": study, **trial["attrs"], **trial["params"]})
            names = self.names.get(trial["study"]) or (
                ["value"] if len(trial["values"]) < 2 else [f"value_{i}" for i in range(len(trial["values"]))]
            )
            for metric, value in zip(names, trial["values"], strict=False):
                builder.score(name, 0, metric, value)
            for metric, value in trial["attrs"].items():
                builder.score(name, 0, metric, value)
            for step, value in sorted(trial["reports"].items()):
                builder.score(name, step, "intermediate", float("nan") if value is None else value)
        return builder.recorded(form)


def _external(distribution: str, value: float) -> Any:
    """The value that the user saw: of a choice, Optuna stores its place."""
    how = json.loads(distribution)
    if how["name"] == "CategoricalDistribution":
        return how["attributes"]["choices"][int(value)]
    return int(value) if how["name"].startswith("Int") else value
