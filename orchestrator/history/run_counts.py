"""A study in numbers: what of each arm is planned, and what is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.history import ablation_path
from orchestrator.history.history import History, RunRecord
from orchestrator.study.runs import RERANK_FOLDS
from orchestrator.study.study import Study


@dataclass(kw_only=True)
class Tally:
    """One arm in numbers."""

    planned: Mapping[str, int]  # by part of the study (`parts_of`); as far as is decided
    over: Counter[tuple[str, str]] = field(default_factory=Counter)  # by part and status
    running: int = 0
    best: float | None = None

    def num_over(self, part: str) -> int:
        """Runs of a part that are over."""
        return sum(count for (p, _), count in self.over.items() if p == part)

    @property
    def num_missing(self) -> int:
        """Runs that are planned and not over."""
        return sum(max(0, planned - self.num_over(part)) for part, planned in self.planned.items())


def tallies(study: Study, history: History) -> dict[str, Tally]:
    """Every arm in numbers, from what is known: runs that the study, as it is now, asks for."""
    result = {arm.name: Tally(planned=planned_for(study, history, arm.name)) for arm in study.running}
    last: dict[tuple[str, ...], RunRecord] = {}  # of each run, its last retry
    for record in history.runs.values():
        run = record.run
        if run.arm in result and run.epochs == study.budget.epochs and (part := history.part_of(run)):
            last[part, run.arm, run.config_id, str(run.seed), str(run.split), str(run.fold)] = record
    for (part, arm, *_), record in last.items():
        if record.status != "running":
            result[arm].over[part, record.status] += 1
    for name, tally in result.items():
        known = [s for search in range(study.budget.searches) for s in history.suggestions((name, search))]
        tally.best = study.metrics.best(s.value for s in known if s.status == "completed")
    return result


def planned_for(study: Study, history: History, arm: str) -> dict[str, int]:
    """Runs of an arm by part of the study, as far as is decided."""
    on_path = not study.design.path or arm in ablation_path.arms_on(study, ablation_path.removed(study, history))
    counts = {
        "search": study.budget.trials - history.num_repeats(arm) if study.is_searched(arm) else 0,
        "rerank": _num_fold_runs(study, history, arm),
        "confirm": history.num_seeds(arm) if on_path else 0,
        "frozen": history.num_frozen(arm),
    }
    return {part: counts[part] for part in parts_of(study)}


def _num_fold_runs(study: Study, history: History, arm: str) -> int:
    """The most that there can be, until the arm has chosen; on a path, for the steps so far."""
    if not study.is_searched(arm):
        now = (
            ablation_path.candidates(study, ablation_path.removed(study, history)).values() if study.design.path else ()
        )
        return max(RERANK_FOLDS * (arm in now), history.num_fold_runs(arm))
    if all((arm, search) in history.chosen for search in range(study.budget.searches)):
        return history.num_fold_runs(arm)
    most = sum(
        n
        for search in range(study.budget.searches)
        if (n := min(study.budget.rerank, study.budget.trials_of(search))) > 1
    )
    return max(RERANK_FOLDS * max(most, study.design.path), history.num_fold_runs(arm))


def undecided(study: Study, counts: Mapping[str, Tally]) -> int:
    """Runs that may come beyond those that are planned so far: at later looks, at later steps of a path."""
    planned = Counter[str]()
    for tally in counts.values():
        planned.update(tally.planned)
    if study.design.path:
        own = counts[study.reference].planned["rerank"]
        folds, confirm = ablation_path.num_fold_runs(study) + own, study.budget.seeds * (len(study.design.factors) + 1)
        return folds - planned["rerank"] + confirm - planned["confirm"]
    more = study.budget.seeds * len(counts) - planned["confirm"]
    return more + (study.budget.seeds * (len(counts) - 1) - planned["frozen"] if study.budget.frozen and more else 0)


def parts_of(study: Study) -> tuple[str, ...]:
    """The parts of a study, in order: its phases, and frozen, the confirm runs with the reference's hyperparameters."""
    among = {"rerank": study.budget.rerank or study.design.path, "frozen": study.budget.frozen}
    return tuple(part for part in ("search", "rerank", "confirm", "frozen") if among.get(part, True))


def unconfirmed(study: Study, history: History) -> dict[str, str]:
    """By arm: how far it is not confirmed though its search is over, and why; asking more would give it no runs."""
    lost: dict[str, list[int]] = {}
    for (arm, search), choice in history.chosen.items():
        if choice.suggested is None and study.runs_arm(arm):
            lost.setdefault(arm, []).append(search)
    return {arm: _unconfirmed(study, history, arm, searches) for arm, searches in lost.items()}


def _unconfirmed(study: Study, history: History, arm: str, searches: Sequence[int]) -> str:
    whose = arm if study.is_searched(arm) else study.reference
    known = Counter(s.status for search in searches for s in history.suggestions((whose, search)))
    became = ", ".join(f"{number} {status}" for status, number in sorted(known.items()))
    if len(searches) == study.budget.searches:
        return f"not confirmed: none of the search runs of {whose} completed ({became})"
    numbers = " and ".join(str(search + 1) for search in searches)
    return f"confirmed in part: none of the runs of search {numbers} of {study.budget.searches} completed ({became})"
