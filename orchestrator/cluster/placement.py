"""Which resources a pack is to take, by what the cluster has at the moment. It knows nothing of Ray.

On a node without GPUs a pack takes one core. On a GPU it takes a share by memory: the first pack of a structure has a
GPU for itself and says how much of its memory it needed; later packs of that structure share. Shares are of few sizes,
because Ray gives the next pack to a living worker only if it wants the very same resources.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

SHARES = (0.125, 0.25, 0.5, 1.0)
# What a pack may need beyond its measured peak: a fuller batch, fragmentation.
MARGIN = 1.2
REFRESH_SECONDS = 5.0

Resources = Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Room:
    """What nodes can hold."""

    cores: int = 0  # of nodes without GPUs
    gpus: int = 0

    @classmethod
    def of(cls, nodes: Iterable[Resources]) -> Room:
        """The room of nodes with these resources. A GPU without a core for its worker counts for nothing."""
        kept = list(nodes)
        return cls(
            cores=sum(int(node.get("CPU", 0)) for node in kept if not node.get("GPU")),
            gpus=sum(int(min(node["GPU"], node.get("CPU", 0))) for node in kept if node.get("GPU")),
        )

    @property
    def packs(self) -> int:
        """Packs that surely run at a time."""
        return self.cores + self.gpus


class Placement:
    """Deals out resources. As many packs as run are prepared ahead, so that no worker waits for a sampler.

    Args:
        now: the room of the nodes that are there; they may come and go.
        later: the room of all nodes that an autoscaler may add: it adds them for packs that wait.
        most: packs at a time; None: as many as fit.
    """

    def __init__(
        self,
        now: Callable[[], Room],
        *,
        later: Room | None = None,
        most: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._now, self._later, self._most, self._clock = now, later or Room(), most, clock
        self._room, self._looked_at = now(), clock()
        self._shares: dict[str, float] = {}  # by structure
        self._dealt = {"CPU": 0.0, "GPU": 0.0}  # "CPU": packs on cores, "GPU": shares of GPUs
        self._packs = 0

    def has_room(self) -> bool:
        """Whether another pack may be asked for."""
        self._look()
        limits = self._limits()
        if self._most is not None and self._packs >= 2 * self._most:
            return False
        return any(self._dealt[kind] < limit for kind, limit in limits.items())

    def place(self, structure: str) -> dict[str, float]:
        """What a pack of this structure is to take: of the kind that is used least."""
        share = self._shares.get(structure, 1.0)
        wants = {"GPU": share, "CPU": 1.0}
        load = {kind: (self._dealt[kind] + wants[kind]) / limit for kind, limit in self._limits().items() if limit}
        kind = min(load, key=lambda k: load[k], default="CPU")
        self._dealt[kind] += wants[kind]
        self._packs += 1
        return {"CPU": 1.0, "GPU": share} if kind == "GPU" else {"CPU": 1.0}

    @property
    def num_workers(self) -> int:
        """Workers that there are, or may come."""
        return min(max(self._room.packs, self._later.packs), self._most or sys.maxsize)

    @property
    def num_cores(self) -> int:
        """The same, where all of them train on cores; else 0."""
        return 0 if self._room.gpus or self._later.gpus else self.num_workers

    def free(self, resources: Resources) -> None:
        """A pack is over."""
        self._packs -= 1
        if resources.get("GPU"):
            self._dealt["GPU"] -= resources["GPU"]
        else:
            self._dealt["CPU"] -= 1

    def measured(self, structure: str, memory: float) -> None:
        """How much of a GPU's memory a pack of this structure needed, from 0 to 1, when it had the GPU for itself."""
        self._shares[structure] = next((share for share in SHARES if share >= MARGIN * memory), 1.0)

    def _limits(self) -> dict[str, float]:
        """Packs of each kind that may run or wait: twice what fits now, or what could fit later."""
        gpus, cores = max(2 * self._room.gpus, self._later.gpus), max(2 * self._room.cores, self._later.cores)
        if self._most is not None and gpus + cores < self._most:
            gpus, cores = (self._most, cores) if gpus else (gpus, self._most)
        return {"GPU": gpus, "CPU": cores}

    def _look(self) -> None:
        if self._clock() - self._looked_at >= REFRESH_SECONDS:
            self._room, self._looked_at = self._now(), self._clock()


def later(config: Mapping[str, object]) -> Room:
    """The room of all workers that a cluster file allows, as Ray's launcher leaves it on the head.

    Args:
        config: the file's contents, with `available_node_types` that name their resources.
    """
    types, head = config.get("available_node_types"), config.get("head_node_type")
    most = config.get("max_workers")
    if not isinstance(types, Mapping) or not isinstance(most, int):
        return Room()
    nodes: list[Resources] = []
    for name, kind in types.items():
        if name != head and isinstance(kind, Mapping) and kind.get("resources"):
            nodes += [kind["resources"]] * min(most, int(kind.get("max_workers", most)))
    return Room.of(nodes[:most])
