"""Path: the components go one after another, each time the one that is missed least over the folds."""

from __future__ import annotations

from orchestrator.history import ablation_path
from orchestrator.history.events import Stepped
from orchestrator.history.history import History
from orchestrator.plan.phase import Around, Phase, Waiting


class PathPhase(Phase):
    """Asks the folds that the next step compares, and takes the step once all are over."""

    def __init__(self, around: Around) -> None:
        self._around = around

    def next(self, history: History) -> Waiting | Stepped | None:
        """Nothing before the reference has chosen."""
        study, key_of = self._around.study, ablation_path.key_of
        choice = self._around.choices.of(history, key_of(study.reference))
        if not study.design.path or choice is None or choice.suggested is None:
            return None
        off = ablation_path.removed(study, history)
        arms = ablation_path.candidates(study, off)
        groups = [
            self._around.maker.missing_folds(
                history, key_of(arm), choice.suggested, config_id=study.config_id(arm, choice.suggested)
            )
            for arm in (study.reference, *arms.values())
        ]
        if any(group.runs for group in groups):
            return Waiting(groups=groups)
        if not arms or not ablation_path.is_over(study, history, choice, off):
            return None
        folds = {name: ablation_path.folds_of(study, history, choice, arm) for name, arm in arms.items()}
        basis = ablation_path.basis(study, history, choice, off)
        return Stepped(step=len(off), removed=ablation_path.least_missed(study, folds), basis=basis)
