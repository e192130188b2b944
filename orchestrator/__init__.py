"""Plans studies, runs them in this process or on Ray Tune, and keeps the ledger. Knows no model.

What a study of one's own needs is imported from here; all else is private and may change.

    from orchestrator import Options, PlainEpoch, PlainOutcome, Study, run

Every name has an example in its docstring, which the tests run; `study` and `train` are those of docs/own_model.md.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.command.main import main
    from orchestrator.contracts.objective_contract import ContractError, check_objective
    from orchestrator.contracts.runner_contract import check_runner
    from orchestrator.contracts.store_contract import Store, check_store
    from orchestrator.ledger.best_run import Best
    from orchestrator.objectives.function_objective import FunctionObjective
    from orchestrator.objectives.program import Script
    from orchestrator.runners.coordinator import StudyError
    from orchestrator.runners.result import Result
    from orchestrator.runners.run import Options, run
    from orchestrator.storage.writer_lock import BusyError
    from orchestrator.study.budget import Budget
    from orchestrator.study.design import Arm, Design
    from orchestrator.study.factorial_designs import factorial, leave_two_out
    from orchestrator.study.metrics import Metrics
    from orchestrator.study.model import Cost, Model
    from orchestrator.study.objective import Epoch, Objective, Outcome, PlainEpoch, PlainOutcome, State
    from orchestrator.study.runs import Pack, Run
    from orchestrator.study.study import Study

__all__ = [
    "Arm",
    "Best",
    "Budget",
    "BusyError",
    "ContractError",
    "Cost",
    "Design",
    "Epoch",
    "FunctionObjective",
    "Metrics",
    "Model",
    "Objective",
    "Options",
    "Outcome",
    "Pack",
    "PlainEpoch",
    "PlainOutcome",
    "Result",
    "Run",
    "Script",
    "State",
    "Store",
    "Study",
    "StudyError",
    "check_objective",
    "check_runner",
    "check_store",
    "factorial",
    "leave_two_out",
    "main",
    "run",
]
_HOMES = {
    "command.main": ("main",),
    "ledger.best_run": ("Best",),
    "runners.coordinator": ("StudyError",),
    "objectives.function_objective": ("FunctionObjective",),
    "objectives.program": ("Script",),
    "contracts.objective_contract": ("ContractError", "check_objective"),
    "contracts.runner_contract": ("check_runner",),
    "contracts.store_contract": ("Store", "check_store"),
    "runners.result": ("Result",),
    "runners.run": ("Options", "run"),
    "storage.writer_lock": ("BusyError",),
    "study.budget": ("Budget",),
    "study.design": ("Arm", "Design"),
    "study.factorial_designs": ("factorial", "leave_two_out"),
    "study.metrics": ("Metrics",),
    "study.model": ("Cost", "Model"),
    "study.objective": ("Epoch", "Objective", "Outcome", "PlainEpoch", "PlainOutcome", "State"),
    "study.runs": ("Pack", "Run"),
    "study.study": ("Study",),
}


def __getattr__(name: str) -> Any:
    """Imports a name when it is asked for, so that `import orchestrator` alone loads nothing."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return __all__
