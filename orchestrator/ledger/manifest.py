"""`study.json`: what a study is, and what must not change while it goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from optuna.distributions import distribution_to_json

from orchestrator.history import ablation_path
from orchestrator.history.history import History
from orchestrator.history.run_counts import planned_for, unconfirmed
from orchestrator.ledger.schema import SCHEMA_VERSION
from orchestrator.storage.results_folder import Folder
from orchestrator.study.budget import Budget, first_seed
from orchestrator.study.runs import Fingerprint
from orchestrator.study.study import Study

# Facts that two calls of one study must share, with what they are called in a message.
FIXED = {
    "study": "the study",
    "base": "the defaults of the hyperparameters",
    "space": "the search space",
    "conditions": "the conditions of the hyperparameters",
    "arms": "what the arms hold fixed",
    "reference_arm": "the reference arm",
    "search_metric": "the metric of the search",
    "primary_metric": "the primary metric",
    "smallest_effect": "the smallest effect of interest",
    "searches": "the number of searches per arm",
    "splits": "the number of splits",
    "enqueue": "the starting points of the searches",
    "rerank": "how many of the best of a search are ranked again (--rerank)",
    "modes": "which side of a metric is better",
    "rule": "the rule of the adaptive seeds",
    "seed": "the study's seed",
    "data_sha256": "the data",
    "code_sha256": "the model's code",
}
# Facts that may change freely, and that a reader must know of where they did after results were known.
BUDGET = {
    "trials": "the search runs per arm",
    "seeds": "the confirm seeds per arm",
    "looks": "the looks of the adaptive seeds",
    "epochs": "the epochs per run",
    "is_frozen": "whether arms are confirmed with the reference's hyperparameters, too",
    "sampler": "the sampler of the searches",
    "pruner": "the pruner of the searches",
}


def describe(study: Study, fingerprint: Fingerprint, *, program: Mapping[str, Any]) -> dict[str, Any]:
    """The contents of `study.json`, with nothing chosen yet."""
    return {
        "schema_version": SCHEMA_VERSION,
        "study": study.name,
        "title": study.title,
        "reference_arm": study.reference,
        "primary_metric": study.metrics.primary,
        "search_metric": study.metrics.search,
        "modes": dict(study.metrics.modes),
        "smallest_effect": study.smallest_effect,
        "arms": {arm.name: dict(arm.pins) for arm in study.arms},
        "factors": {name: dict(pins) for name, pins in study.design.factors.items()},
        "selected": [arm.name for arm in study.running],
        "space": {param: distribution_to_json(d) for param, d in study.searched.items()},
        "conditions": {param: [[p, list(values)] for p, values in c] for param, c in study.model.conditions.items()},
        "base": dict(study.params),
        **_budget(study.budget),
        **({"enqueue": [dict(point) for point in study.enqueue]} if study.enqueue else {}),
        "rule": study.about.get("rule", {}),
        "is_path": study.design.path,
        "splits": study.splits,
        "seed": study.seed,
        "first_seed": first_seed(study.seed),
        "notes": list(study.notes),
        "about": {name: value for name, value in study.about.items() if name != "rule"},
        "data_sha256": fingerprint.data_sha256,
        "code_sha256": fingerprint.code_sha256,
        "program": dict(program),
        "chosen": {},
        "repeats": {},
        "planned": {},
        "unconfirmed": {},
        "uniform_runs": {},
        "frozen": {},
        "path": [],
        "asked_seeds": {},
        "changes": [],
    }


def _budget(budget: Budget) -> dict[str, Any]:
    """Its numbers by their names; "frozen" is that of the configurations."""
    numbers = budget.named
    return {"is_frozen": numbers.pop("frozen"), **numbers, "looks": list(budget.looks)}


def load(folder: Folder) -> dict[str, Any] | None:
    """What an earlier call wrote; None for a new folder.

    Raises:
        ValueError: the file is not of a study, or of a newer version.
    """
    folder.refresh(folder.study)
    try:
        text = folder.study.read_text()
    except FileNotFoundError:
        return None
    try:
        known = json.loads(text)
        version = known["schema_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{folder.study} must describe a study; it cannot be read ({error}). Give another folder with --results"
        ) from error
    if version > SCHEMA_VERSION:
        raise ValueError(
            f"{folder.study} has schema version {version}; this code reads up to {SCHEMA_VERSION}. Update the project"
        )
    return known


def save(folder: Folder, description: Mapping[str, Any]) -> None:
    """Writes `study.json`."""
    folder.write(folder.study, json.dumps(description, indent=1).encode())


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What must not have changed but has, in words."""
    return [words for key, words in FIXED.items() if _comparable(old, new, key)[0] != _comparable(old, new, key)[1]]


def _comparable(old: Mapping[str, Any], new: Mapping[str, Any], key: str) -> tuple[Any, Any]:
    """The two values as JSON has them; an arm that only one of them has is an extension, not a change."""
    one, other = (json.loads(json.dumps(d.get(key))) for d in (old, new))
    if key in ("arms", "modes"):
        shared = set(one) & set(other)
        one, other = ({name: arms[name] for name in shared} for arms in (one, other))
    return one, other


def reconcile(
    folder: Folder, study: Study, fingerprint: Fingerprint, *, program: Mapping[str, Any], accept_change: bool
) -> tuple[dict[str, Any], Fingerprint]:
    """The description to go on with, and the fingerprint under which runs are equal.

    With `accept_change`, what changed is noted and the old rows count on: new runs keep the old fingerprint's ids.

    Raises:
        ValueError: the folder is of another study, other data or other code.
    """
    new, old = describe(study, fingerprint, program=program), load(folder)
    if old is None:
        return new, fingerprint
    changed = differences(old, new)
    if old["study"] != new["study"]:
        raise ValueError(
            f"{folder.address} holds the study {old['study']!r}, not {new['study']!r}. "
            "Give another folder with --results"
        )
    if old["schema_version"] < SCHEMA_VERSION:
        raise ValueError(
            f"{folder.address} is of an earlier version of the project (schema version {old['schema_version']}; this "
            f"one writes {SCHEMA_VERSION}), whose tables have other columns. Begin anew with --fresh (the old results "
            "are kept aside), or go on with that version; the report can be written from either"
        )
    if gone := sorted(old["arms"].keys() - new["arms"].keys()):
        raise ValueError(
            f"{folder.address} has arms that the study must still know, and does not: {', '.join(gone)}. "
            "Give another folder with --results, or begin anew with --fresh; --arms runs some of a study's arms"
        )
    if changed and not accept_change:
        raise ValueError(
            f"{folder.address} was begun with something else: {', '.join(changed)} changed. Rows of both are never "
            "mixed in silence: begin anew with --fresh (the old results are kept aside), or say with --accept-change "
            "that the change does not matter"
        )
    new["changes"] = _noted(old, new)
    if changed:
        new["data_sha256"], new["code_sha256"] = old["data_sha256"], old["code_sha256"]
        fingerprint = Fingerprint(data_sha256=old["data_sha256"], code_sha256=old["code_sha256"])
    return new, fingerprint


def _noted(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The changes so far: when, what in words, and each value before and after."""
    known = FIXED | BUDGET
    values = {k: both for k in known if (both := list(_comparable(old, new, k)))[0] != both[1]}
    if not values or any(change["values"] == values for change in old["changes"][-1:]):
        return old["changes"]
    at, what = datetime.now(UTC).isoformat(timespec="milliseconds"), [known[key] for key in values]
    return [*old["changes"], {"at": at, "what": what, "values": values}]


def decided(study: Study, history: History) -> dict[str, Any]:
    """What is known only after some runs.

    Chosen configurations, suggestions that were a known run (and are no row of their own), with adaptive seeds how many
    seeds every arm was given, how many runs of every arm are planned, by part of the study, and why an arm has no
    confirm runs. The search runs that no sampler has chosen, the configurations with frozen hyperparameters, and the
    steps of a path.
    """
    return {
        "chosen": _chosen(study, history),
        "repeats": {arm.name: n for arm in study.running if (n := history.num_repeats(arm.name))},
        "asked_seeds": {arm.name: history.num_seeds(arm.name) for arm in study.running} if study.budget.looks else {},
        "planned": {arm.name: planned_for(study, history, arm.name) for arm in study.running},
        "unconfirmed": unconfirmed(study, history),
        "uniform_runs": _uniform_runs(study, history),
        "frozen": _frozen(study, history),
        "path": ablation_path.describe(study, history) if study.design.path else [],
    }


def _uniform_runs(study: Study, history: History) -> dict[str, list[str]]:
    """By arm: the search runs that were drawn uniformly. A search begins with the default and the starting points."""
    budget, given = study.budget, 1 + len(study.enqueue)
    is_drawn = budget.sampler in ("random", "qmc")  # tpe and gp begin so; what others begin with is not known
    num_drawn = budget.trials if is_drawn else budget.uniform if budget.sampler in ("tpe", "gp") else 0
    keys = [(arm.name, search) for arm in study.running for search in range(study.budget.searches)]
    found: dict[str, list[str]] = {}
    for arm, search in keys:
        found.setdefault(arm, []).extend(s.run_id for s in history.suggestions((arm, search))[given:num_drawn])
    return {arm: list(dict.fromkeys(ids)) for arm, ids in found.items() if ids}


def _frozen(study: Study, history: History) -> dict[str, list[str]]:
    """By arm: one configuration per search, with the hyperparameters that the reference's search chose."""
    ids = {
        arm.name: [history.frozen_id((arm.name, search)) for search in range(study.budget.searches)]
        for arm in study.arms
    }
    return {arm: [i or "" for i in own] for arm, own in ids.items() if any(own)}


def _chosen(study: Study, history: History) -> dict[str, Any]:
    """The configuration that counts of every arm whose search is over: its id, or a list of ids, one per search."""
    result: dict[str, Any] = {}
    for arm in study.arms:
        ids = [c.config_id for search in range(study.budget.searches) if (c := history.chosen.get((arm.name, search)))]
        if ids:
            result[arm.name] = ids[0] if study.budget.searches == 1 else ids
    return result
