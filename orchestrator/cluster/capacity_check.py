"""Whether a cluster that was joined can train anything, said before a study waits for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

DOCTOR = "`python -m orchestrator doctor FILE`, where `ray up FILE` was given, says why"


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A node that has joined."""

    address: str
    resources: Mapping[str, float]  # all it has, in use or not


@dataclass(frozen=True, kw_only=True)
class Health:
    """What a cluster has."""

    machines: Sequence[Machine]
    grows: bool  # by machines of a cloud, which come when they are asked for
    coming: Mapping[str, str] = field(default_factory=dict)  # addresses that have not joined, and how far they are


def require_room(health: Health, resources: Mapping[str, float]) -> None:
    """Refuses a cluster on which packs would wait for ever.

    Args:
        resources: of one pack.

    Raises:
        ValueError: no node can hold one, and none will come.
    """
    if health.grows or health.coming or any(_holds(machine, resources) for machine in health.machines):
        return
    there = "; ".join(f"{machine.address} has {_words(machine.resources, resources)}" for machine in health.machines)
    raise ValueError(
        f"one node of the cluster must have {_words(resources, resources)} for a pack; {there or 'none has joined'}. "
        "Start Ray there with more (ray start --num-cpus N --num-gpus N), or add a node that has it"
    )


def absent(health: Health) -> str:
    """Who should have joined and has not, in words; nobody: empty."""
    if not health.coming:
        return ""
    who = ", ".join(f"{address} ({state})" for address, state in sorted(health.coming.items()))
    joined = len(health.machines)
    return f"{joined} of {joined + len(health.coming)} nodes have joined the cluster; not yet: {who}. {DOCTOR}"


def _holds(machine: Machine, resources: Mapping[str, float]) -> bool:
    return all(machine.resources.get(name, 0.0) >= share for name, share in resources.items())


def _words(there: Mapping[str, float], names: Mapping[str, float]) -> str:
    return ", ".join(f"{there.get(name, 0.0):g} {name}" for name in names)
