"""Numbers, figures and the report, from Parquet alone. Needs neither Ray nor PyTorch.

from analysis import load, report, verdicts
report("results/momentum").page          # table, figures and page are written
load("results/momentum").confirm         # the runs that count, as a DataFrame
verdicts("runs.csv", reference="full", minimise="test_mae", smallest_effect=0.03)   # of runs made elsewhere
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.comparison.study_comparison import between as compare
    from analysis.imported.sources import read
    from analysis.judge.judge import Judge
    from analysis.reporting.report import Report, figure
    from analysis.reporting.report import write as report
    from analysis.reporting.verdict_table import verdicts
    from analysis.results.declaration import Study
    from analysis.results.load import Results, load

__all__ = ["Judge", "Report", "Results", "Study", "compare", "figure", "load", "read", "report", "verdicts"]
_HOMES = {
    "Judge": ("judge.judge", "Judge"),
    "Report": ("reporting.report", "Report"),
    "Results": ("results.load", "Results"),
    "Study": ("results.declaration", "Study"),
    "compare": ("comparison.study_comparison", "between"),
    "figure": ("reporting.report", "figure"),
    "load": ("results.load", "load"),
    "read": ("imported.sources", "read"),
    "report": ("reporting.report", "write"),
    "verdicts": ("reporting.verdict_table", "verdicts"),
}


def __getattr__(name: str) -> Any:
    """Imports a name when it is asked for, so that `import analysis` alone loads nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    home, original = _HOMES[name]
    return getattr(import_module(f"{__name__}.{home}"), original)


def __dir__() -> list[str]:
    return __all__
