"""The ablation path: components of the reference removed one after another, each time the one that is missed least.

Fawcett and Hoos (2016), Analysing differences between algorithm configurations through ablation, Journal of Heuristics
22: from one configuration to another, every step takes the change that leaves the best result. Here the change is a
component's removal, the other hyperparameters stay as the reference's search chose them, and a step is decided by the
mean over folds of the items that are not tested. Only the arms on the path are then confirmed, on seeds that decided
nothing.

The plan asks and waits; here stands which arms a step compares, which component goes, and how far the path is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.history import cross_validation
from orchestrator.history.events import Chosen
from orchestrator.history.history import History, Key
from orchestrator.study.params import digest
from orchestrator.study.runs import RERANK_FOLDS
from orchestrator.study.study import Study


def candidates(study: Study, removed: Sequence[str]) -> dict[str, str]:
    """Component -> the arm without it and without what is removed already; of the components that are left."""
    return {name: study.cells[frozenset((*removed, name))] for name in study.design.factors if name not in removed}


def arms_on(study: Study, removed: Sequence[str]) -> list[str]:
    """The arms that are known to lie on the path, in order: up to what is removed so far, and the bare one."""
    first = [study.cells[frozenset(removed[:i])] for i in range(len(removed) + 1)]
    return (
        first if len(removed) == len(study.design.factors) else [*first, study.cells[frozenset(study.design.factors)]]
    )


def key_of(arm: str) -> Key:
    """An arm's only search: a study with a path searches once, and only the reference."""
    return arm, 0


def folds_of(study: Study, history: History, choice: Chosen, arm: str) -> cross_validation.Folds:
    """The fold runs of an arm with the hyperparameters that the reference's search chose."""
    return history.folds(key_of(arm), study.config_id(arm, choice.suggested or {}))


def removed(study: Study, history: History) -> list[str]:
    """The components that are removed so far, in order: by steps that rest on what is known now."""
    choice = history.chosen.get(key_of(study.reference))
    result = list[str]()
    if choice is not None and choice.suggested is not None:
        while (stepped := history.stepped.get(len(result))) and stepped.basis == basis(study, history, choice, result):
            result.append(stepped.removed)
    return result


def basis(study: Study, history: History, choice: Chosen, off: Sequence[str]) -> str:
    """What a step rests on: a hash of the reference's choice, the path up to it, and the candidates' fold runs."""
    runs = [
        [name, fold, record.run.run_id, record.status]
        for name, arm in candidates(study, off).items()
        for fold, record in folds_of(study, history, choice, arm).items()
    ]
    return digest([choice.config_id, list(off), sorted(runs)])[:16]


def is_over(study: Study, history: History, choice: Chosen, off: Sequence[str]) -> bool:
    """Whether every fold run that a step compares is over, and the reference's, which is shown beside them."""
    arms = (study.reference, *candidates(study, off).values())
    known = [folds_of(study, history, choice, arm) for arm in arms]
    return all(len(f) == RERANK_FOLDS and all(r.status != "running" for r in f.values()) for f in known)


def least_missed(study: Study, folds: Mapping[str, cross_validation.Folds]) -> str:
    """The component whose removal leaves the best mean over folds; one whose runs failed comes last.

    Args:
        study: what is asked.
        folds: by component, of the arm without it.
    """
    known = {name: score for name, own in folds.items() if (score := cross_validation.score(own)) is not None}
    return min(folds, key=lambda name: study.metrics.sign * known[name] if name in known else float("inf"))


def describe(study: Study, history: History) -> list[dict[str, Any]]:
    """For `study.json`: the reference, then every step with the means over folds that it was decided by."""
    choice = history.chosen.get(key_of(study.reference))
    if choice is None:
        return []
    off = removed(study, history)
    folds = cross_validation.score(folds_of(study, history, choice, study.reference))
    steps: list[dict[str, Any]] = [{"arm": study.reference, "removed": None, "folds": folds, "compared": {}}]
    for i, name in enumerate(off):
        known = {
            other: cross_validation.score(folds_of(study, history, choice, arm))
            for other, arm in candidates(study, off[:i]).items()
        }
        arm = study.cells[frozenset(off[: i + 1])]
        steps.append({"arm": arm, "removed": name, "folds": known[name], "compared": known})
    return steps


def num_fold_runs(study: Study) -> int:
    """Fold runs of all steps: k components, then k - 1, and so on."""
    k = len(study.design.factors)
    return RERANK_FOLDS * k * (k + 1) // 2
