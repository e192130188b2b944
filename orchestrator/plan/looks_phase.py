"""Looks: with adaptive seeds, a rule says which arms get more of them, whenever all that were asked are over."""

from __future__ import annotations

from orchestrator.history.events import Looked
from orchestrator.history.history import History
from orchestrator.plan.phase import Around, Phase


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
        going = tuple(self._around.seed_rule(self._values(history), look))
        going = (study.reference, *going) if going else ()
        return Looked(look=look, going=going, basis=history.basis())

    def _values(self, history: History) -> dict[str, dict[int, float | None]]:
        """By arm and seed: the primary metric of the chosen configuration's confirm runs; None of a failed one."""
        study = self._around.study
        values: dict[str, dict[int, float | None]] = {arm.name: {} for arm in study.running}
        chosen = {(c.arm, c.search): c.config_id for c in history.chosen.values()}
        for record in history.runs.values():
            run = record.run
            counts = run.phase == "confirm" and chosen.get((run.arm, run.search)) == run.config_id
            if counts and run.arm in values and run.epochs == study.budget.epochs:
                values[run.arm][run.seed] = record.value
        return values
