"""What is measured, which side of it is better, and what decides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from orchestrator.study.params import require_known

Mode = Literal["min", "max"]


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """The metrics of a study.

    >>> modes = {"valid_loss": "min", "test_loss": "min", "test_accuracy": "max"}
    >>> Metrics(modes=modes, epoch=("valid_loss",), search="valid_loss", primary="test_loss").primary
    'test_loss'

    Args:
        modes: every metric that an objective reports, valid_* and test_*, with the side that is better.
        epoch: those reported at every epoch.
        search: what a search looks at; one of `epoch`, and not of the test items.
        primary: what the claims are about, of the test items; declared before the run.

    Raises:
        ValueError: a metric or mode is unknown, or of the wrong items.
    """

    modes: Mapping[str, Mode]
    epoch: tuple[str, ...]
    search: str
    primary: str

    def __post_init__(self) -> None:
        for metric in (self.search, self.primary, *self.epoch):
            require_known("metric", metric, self.modes)
        for metric, mode in self.modes.items():
            if mode not in ("min", "max"):
                raise ValueError(f"the mode of metric {metric!r} must be 'min' or 'max'; got {mode!r}")
        if not self.primary.startswith("test_"):
            raise ValueError(f"the primary metric must be of the test items (test_...); got {self.primary!r}")
        if self.search not in self.epoch or self.search.startswith("test_"):
            raise ValueError(
                f"the search looks at a metric of every epoch that is not of the test items; got {self.search!r}"
            )

    @classmethod
    def pair(cls, search: str, primary: str, mode: Mode) -> Metrics:
        """Two metrics with one better side: of every epoch, for the search, and of the test items, for the claims."""
        return cls(modes={search: mode, primary: mode}, epoch=(search,), search=search, primary=primary)

    def best(self, values: Iterable[float]) -> float | None:
        """The best of some values of the search's metric; None of none."""
        return (min if self.sign > 0 else max)(values, default=None)

    @property
    def sign(self) -> int:
        """What makes a small value of the search's metric the better one: 1 or -1, to multiply by."""
        return 1 if self.modes[self.search] == "min" else -1
