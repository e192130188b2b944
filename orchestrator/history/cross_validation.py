"""The best of a search, ranked again by k-fold: one small validation set ranks good ones mostly by chance.

Each candidate is trained once per fold of the items that are not tested; groups (videos) stay together. The folds of a
candidate are one pack; on GPUs those of another candidate with the same structure join it. The plan asks and waits;
here stands who is a candidate, and who has won.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.history.history import RunRecord
from orchestrator.history.suggestions import Suggestion
from orchestrator.study.runs import RERANK_FOLDS
from orchestrator.study.study import Study

Folds = Mapping[int, RunRecord]  # fold -> the last try of its run


def candidates(study: Study, known: Sequence[Suggestion]) -> list[Suggestion]:
    """A search's completed suggestions, distinct and best first: as many as are ranked again, or the best alone."""
    completed = {s.run_id: s for s in reversed(known) if s.status == "completed" and s.reports}
    ranked = sorted(completed.values(), key=lambda s: (study.metrics.sign * s.value, s.number))
    return ranked[: max(1, study.budget.rerank)]


def best(study: Study, ranked: Sequence[Suggestion], folds: Sequence[Folds]) -> Suggestion | None:
    """The candidate with the best mean over its folds; where no candidate completed all of its, the best of the search.

    Args:
        ranked: the candidates, best first.
        folds: of each candidate.
    """
    scored = [
        (study.metrics.sign * mean, s.number, s)
        for s, f in zip(ranked, folds, strict=True)
        if (mean := score(f)) is not None
    ]
    return min(scored)[2] if scored else next(iter(ranked), None)


def score(folds: Folds) -> float | None:
    """The mean of the search metric over all folds; None, unless every one completed: a mean of fewer is another's."""
    values = [r.value for r in folds.values() if r.status == "completed" and r.value is not None]
    return sum(values) / RERANK_FOLDS if len(values) == RERANK_FOLDS else None
