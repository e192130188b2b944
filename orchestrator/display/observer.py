"""Who hears of a study while it runs: the progress display, for one."""

from __future__ import annotations

from orchestrator.study.runs import Pack, Run


class Observer:
    """What the coordinator tells; this one keeps nothing of it."""

    def began(self, pack: Pack) -> None:
        """A pack was handed to a worker."""

    def reported(self, pack: Pack, epoch: int) -> None:
        """A pack finished an epoch."""

    def told(self, run: Run, status: str, value: float | None, error: str) -> None:
        """A run is over; `value` is the search metric's best."""

    def ended(self, pack: Pack, kind: str) -> None:
        """An attempt at a pack is over."""
