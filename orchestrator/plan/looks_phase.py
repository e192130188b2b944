"""Looks: with adaptive seeds, a rule says which arms get more of them, whenever all that were asked are over."""

from __future__ import annotations

from orchestrator.history.events import Looked
from orchestrator.history.history import History
from orchestrator.plan.phase import Around, Phase, Values


class LooksPhase(Phase):
    """Decides which arms go on to the next look."""

    def __init__(self, around: Around) -> None:
        self._around = around

    def next(self, history: History) -> Looked | None:
        """A look, unless a run is missing or it was the last."""
        study = self._around.study
        looks = history.looks() if study.budget.looks else []
        look, is_last = len(looks), bool(looks) and not looks[-1].going
        if look + 1 >= study.budget.num_looks or is_last or any(True for _ in history.open_packs()):
            return None
        going = tuple(a for a in self._around.seed_rule(*self._values(history), look) if study.runs_arm(a))
        going = (study.reference, *going) if going else ()
        return Looked(look=look, going=going, basis=history.basis())

    def _values(self, history: History) -> tuple[Values, Values]:
        """With the hyperparameters of the arms' own searches, and with those of the reference's. A run may be both.

        Of the arms that run, and of those that an earlier call ran: the report corrects for their number too.
        """
        study = self._around.study
        known = {record.run.arm for record in history.runs.values() if record.run.epochs == study.budget.epochs}
        names = [arm.name for arm in study.arms if study.runs_arm(arm.name) or arm.name in known]
        own: dict[str, dict[int, float | None]] = {name: {} for name in names}
        frozen: dict[str, dict[int, float | None]] = {}
        chosen = {(c.arm, c.search): c.config_id for c in history.chosen.values()}
        for record in history.runs.values():
            run = record.run
            if run.phase != "confirm" or run.arm not in own or run.epochs != study.budget.epochs:
                continue
            if chosen.get((run.arm, run.search)) == run.config_id:
                own[run.arm][run.seed] = record.value
            if history.frozen_id((run.arm, run.search)) == run.config_id:
                frozen.setdefault(run.arm, {})[run.seed] = record.value
        return own, frozen
