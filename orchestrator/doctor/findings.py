"""Values of a check-up: what nodes say of themselves, and what is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from orchestrator.doctor.node_access import Answer, Node


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at, on one node."""

    node: str
    check: str
    text: str  # what is there; for a problem, and what comes of it
    remedy: str = ""  # none: all is well

    @property
    def is_problem(self) -> bool:
        """Whether something has to be done."""
        return bool(self.remedy)


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a node says of itself; see probe.look. None: it cannot say, or there is none."""

    hostname: str
    address: str | None
    python: str
    makes_environments: bool
    programs: Sequence[str]
    has_default_route: bool | None
    environment: Mapping[str, Any] | None  # value: python and packages; or error
    code: str | None  # a hash
    token: Mapping[str, Any] | None  # hash and mode
    disks: Mapping[str, Sequence[int]]  # total, used, free: in bytes, as all sizes
    memory: int | None
    shared_memory: int | None
    open_files: int
    gpus: Mapping[str, Any]  # driver: how many it has; torch: value, or error
    listening: Sequence[Sequence[str]]  # addresses: at the port of Ray, at that of its dashboard
    joined: Mapping[str, Any] | None  # value: addresses that are alive, and pending ones; or error
    results: Mapping[str, Any] | None  # error, or None; the folders that were made for the check
    started: float
    ended: float


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """What findings are told against."""

    file: str | None  # for `ray up`; None: a cluster that runs, or one machine
    nodes: Sequence[Node]  # the head first
    answers: Mapping[Node, Answer]
    meetings: Mapping[Node, Answer] = field(default_factory=dict)  # what nodes say of each other; see probe.meet
    names: Mapping[Node, str] = field(default_factory=dict)  # of the files that they have left in the results
    ports: tuple[int, int] = (6379, 8265)  # of Ray and its dashboard
    login: str = "USER"
    key: str = "KEY"
    results: str | None = None

    @cached_property
    def looks(self) -> dict[Node, Look]:
        """What the nodes say that have answered."""
        return {node: Look(**a.value) for node in self.nodes if (a := self.answers[node]).value is not None}

    @property
    def head(self) -> Look | None:
        """What the head says."""
        return next((look for node, look in self.looks.items() if node.is_head), None)

    @property
    def is_up(self) -> bool:
        """Whether Ray runs on the head."""
        return self.head is not None and bool(self.head.listening[0])

    @property
    def is_many(self) -> bool:
        """Whether there are others beside the head, now or after `ray up`."""
        return self.file is not None or len(self.nodes) > 1

    @property
    def up(self) -> str:
        """The command that makes the cluster what its file says."""
        return f"`ray up {self.file}`" if self.file else "start Ray on all nodes"

    @property
    def anew(self) -> str:
        """The commands that make all nodes alike; a study goes on afterwards."""
        return f"`ray down {self.file}`, then {self.up}" if self.file else "`ray stop` everywhere, then `ray start`"


def well(node: Node, check: str, text: str) -> Finding:
    """All is well."""
    return Finding(node=node.name, check=check, text=text)


def problem(node: Node, check: str, text: str, remedy: str) -> Finding:
    """Something has to be done."""
    return Finding(node=node.name, check=check, text=text, remedy=remedy)
