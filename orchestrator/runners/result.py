"""What `run` returns: how the call ended, and what the results say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from orchestrator.ledger import manifest
from orchestrator.ledger.best_run import Best, best_runs
from orchestrator.process.installed import installed
from orchestrator.process.signals import Interruption
from orchestrator.storage.results_folder import Folder

if TYPE_CHECKING:
    import pandas as pd


class Report(Protocol):
    """A written report."""

    @property
    def page(self) -> Path:
        """The page, self-contained HTML; tables/ and figures/ lie beside it."""
        ...


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a call ended, and what the results say. The report is written when it is asked for.

    >>> result = run(study, train, serial=True, results="results/first")
    >>> result.complete
    True
    >>> list(result.verdicts.index)
    ['full', 'no_momentum']
    >>> result.page.name
    'index.html'
    >>> result.figure("forest").get_size_inches()[0]
    np.float64(3.4)

    Args:
        folder: of the results.
        complete: nothing that the study declares is missing, but for what `unconfirmed` names.
        interruption: the signal that ended it, if one did.
        reason: why it ended before it was complete.
        unconfirmed: arm -> why it has no confirm runs.
    """

    folder: Folder
    complete: bool
    interruption: Interruption
    reason: str
    unconfirmed: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def verdicts(self) -> pd.DataFrame:
        """A row an arm, by the primary metric: see `analysis.verdicts`."""
        return installed("verdicts")(self.folder.root)

    @cached_property
    def report(self) -> Report:
        """The written report: see `analysis.report`."""
        return installed("report")(self.folder.root)

    def figure(self, name: str = "forest", **settings: Any) -> Any:
        """A figure of the report, as Matplotlib has it: see `analysis.figure`."""
        return installed("figure")(self.folder.root, name, **settings)

    @property
    def best(self) -> dict[str, Best]:
        """Arm -> its confirm run that is best on validation, with its hyperparameters and weights: see `Best`."""
        study = manifest.load(self.folder)
        return {} if study is None else best_runs(self.folder, study)

    @property
    def page(self) -> Path:
        """The page of the report, self-contained HTML."""
        return self.report.page

    @property
    def tables(self) -> dict[str, Path]:
        """Table -> its CSV file."""
        return {path.stem: path for path in sorted((self.page.parent / "tables").glob("*.csv"))}

    @property
    def figures(self) -> dict[str, Path]:
        """Figure -> its SVG file."""
        return {path.stem: path for path in sorted((self.page.parent / "figures").glob("*.svg"))}
