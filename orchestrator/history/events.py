"""What happened in a study, as facts. The plan is a fold over them; the journal is their only home.

Every event is a frozen value with a JSON form. Decisions (who is asked, pruned, chosen) are facts like the rest:
they are replayed, never computed again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from orchestrator.study.params import ParamValue
from orchestrator.study.runs import RunIdentity


@dataclass(frozen=True, kw_only=True)
class AskedRun(RunIdentity):
    """A run as it was asked: everything but what defaults and the arm's pins say."""

    suggested: Mapping[str, ParamValue]  # the searched hyperparameters that are active
    number: int | None  # of the suggestion, in its search; None: not a search run


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A pack was composed.

    A run that is known already moves to this pack (a pack too big for its device was divided), unless it stands here
    for a new suggestion: then the search has repeated itself, and that run tells both suggestions.
    """

    pack_id: str
    runs: tuple[AskedRun, ...]


@dataclass(frozen=True, kw_only=True)
class Began:
    """A pack was handed to a worker."""

    pack_id: str
    attempt: int
    at: str


@dataclass(frozen=True, kw_only=True)
class Reported:
    """Search runs of a pack finished an epoch."""

    pack_id: str
    attempt: int
    epoch: int
    values: Mapping[str, float]  # by run: the best of the search metric so far
    pruned: tuple[str, ...] = ()  # runs that were given up because of it
    attrs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # by run: the pruner's rungs, where new


@dataclass(frozen=True, kw_only=True)
class Ended:
    """An attempt ended: with kind "done", or with what went wrong."""

    pack_id: str
    attempt: int
    kind: str
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Told:
    """A run is over. Its row goes with the event into the journal."""

    run_id: str
    status: str  # completed, pruned or failed
    # Of a completed run, what is decided by: a confirm run's primary metric, any other's search metric.
    value: float | None = None


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """One of an arm's searches is over, and this configuration goes on to confirm; none, if no run completed."""

    arm: str
    search: int
    basis: str  # a hash of the finished suggestions and fold runs it was chosen from
    config_id: str
    suggested: Mapping[str, ParamValue] | None


@dataclass(frozen=True, kw_only=True)
class Looked:
    """All confirm runs up to a look are over, and these arms go on to the next."""

    look: int
    going: tuple[str, ...]
    basis: str = ""  # a hash of what was looked at: arms, their chosen configurations, epochs


@dataclass(frozen=True, kw_only=True)
class Stepped:
    """A step of an ablation path is decided: this component goes."""

    step: int  # from 0
    removed: str
    basis: str  # a hash of the runs it was decided by


Event = Asked | Began | Reported | Ended | Told | Chosen | Looked | Stepped
KINDS: Mapping[str, type[Event]] = {
    kind.__name__.lower(): kind for kind in (Asked, Began, Reported, Ended, Told, Chosen, Looked, Stepped)
}
_FIELDS = {kind: frozenset(f.name for f in fields(cls)) for kind, cls in KINDS.items()}


def kind_of(event: Event) -> str:
    """The event's name in the journal."""
    return type(event).__name__.lower()


def to_json(event: Event) -> dict[str, Any]:
    """The event's fields as plain values."""
    return asdict(event)


def from_json(kind: str, values: Mapping[str, Any]) -> Event:
    """The inverse of `kind_of` and `to_json`.

    Raises:
        ValueError: the kind is not known; the journal is of a newer version.
    """
    if kind not in KINDS:
        raise ValueError(f"events are of the kinds {sorted(KINDS)}; got {kind!r}: a newer version wrote this journal")
    cls: type[Any] = KINDS[kind]
    known = _FIELDS[kind]
    plain: dict[str, Any] = {
        name: tuple(v) if isinstance(v, list) else v for name, v in values.items() if name in known
    }
    if cls is Asked:
        plain["runs"] = tuple(AskedRun(**run) for run in values["runs"])
    return cls(**plain)
