"""Parts of the data that what trains must be able to tell apart."""

from __future__ import annotations

from collections.abc import Collection

from orchestrator.study.study import Study


def require_told(study: Study, names: Collection[str], what: str) -> None:
    """Raises a ValueError unless what trains is told the split and the fold, where the study has several.

    Args:
        study: what is asked.
        names: what it is told.
        what: it, in a sentence: "the function needs the argument".
    """
    for name, needed, why in (
        ("split", study.splits > 1, f"the study has {study.splits} splits of the data"),
        ("fold", study.budget.rerank > 0, "the best of every search are ranked again, once per fold"),
        ("fold", study.design.path, "the steps of a path are decided by the mean over folds"),
    ):
        if needed and name not in names:
            raise ValueError(f"{why}, so {what} {name}; it has {', '.join(sorted(names))}")
