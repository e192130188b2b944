"""MFM in pure PyTorch: the model, its training, its data and its metrics. It knows no study.

    import mfm
    outcome = mfm.train(mfm.mosi("data/mosi"), {"encoder": "ef_lstm"}, epochs=20, seed=1)
    outcome.metrics["test_mae"]

What stands below is for users; all else is private and may change. Every name has an example that the tests run.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mfm.data.corpora.regression import mmmo, mosi, pom
    from mfm.data.dataset import Dataset, Modality, Task
    from mfm.data.folds import Folds
    from mfm.data.planted.sequences import Plan, planted
    from mfm.evaluation.metrics import score
    from mfm.objective import MFMObjective
    from mfm.pack_training import Outcome
    from mfm.params.config import Config, base
    from mfm.single_run import train

__all__ = [
    "Config",
    "Dataset",
    "Folds",
    "MFMObjective",
    "Modality",
    "Outcome",
    "Plan",
    "Task",
    "base",
    "mmmo",
    "mosi",
    "planted",
    "pom",
    "score",
    "train",
]
_HOMES = {
    "data.corpora.regression": ("mmmo", "mosi", "pom"),
    "data.dataset": ("Dataset", "Modality", "Task"),
    "data.folds": ("Folds",),
    "data.planted.sequences": ("Plan", "planted"),
    "evaluation.metrics": ("score",),
    "objective": ("MFMObjective",),
    "pack_training": ("Outcome",),
    "params.config": ("Config", "base"),
    "single_run": ("train",),
}


def __getattr__(name: str) -> Any:
    """Imports a name when it is asked for, so that `import mfm` alone loads nothing."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return __all__
