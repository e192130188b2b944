"""States of packs in training, as files without pickle: arrays in safetensors, plain values as JSON beside them.

A file's name holds its epoch and the start of its hash, so that a torn one is known. Each attempt writes into a
folder of its own: an attempt that was cut off and still writes disturbs no other.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from orchestrator.storage.results_folder import Folder

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What a pack needs to go on after an epoch."""

    epoch: int
    plain: Mapping[str, Any]  # JSON
    arrays: Mapping[str, np.ndarray]


class Checkpoints:
    """The checkpoints of one attempt of a pack."""

    def __init__(self, folder: Folder, pack_id: str, attempt: int) -> None:
        self._folder = folder
        self._pack = folder.checkpoints(pack_id)
        self._mine = folder.attempt(pack_id, attempt)

    def save(self, checkpoint: Checkpoint) -> None:
        """Writes a checkpoint; the attempt's earlier ones are then removed."""
        arrays = {name: np.asarray(value, order="C") for name, value in checkpoint.arrays.items()}
        data = safetensors.numpy.save(arrays, metadata={"plain": json.dumps(checkpoint.plain)})
        name = f"{checkpoint.epoch:06d}-{hashlib.sha256(data).hexdigest()[:16]}.safetensors"
        self._folder.write(self._mine / name, data)
        for path in self._mine.glob("*.safetensors"):
            if path.name != name:
                self._folder.remove(path)

    def latest(self, run_ids: Collection[str]) -> Checkpoint | None:
        """The one that reaches farthest among all attempts so far at these runs; damaged ones are passed over.

        A pack of another study may have had this pack's name, and its worker may still write.
        """
        self._folder.fetch(self._pack)
        for path in sorted(self._pack.glob("*/*.safetensors"), key=lambda p: (p.name[:6], p.parent.name), reverse=True):
            try:
                data = path.read_bytes()
            except FileNotFoundError:  # an attempt that was cut off still writes, and removes its earlier ones
                continue
            if hashlib.sha256(data).hexdigest()[:16] != path.stem.partition("-")[2]:
                logger.warning("%s is damaged (its hash does not fit); an earlier state is used", path)
                continue
            checkpoint = _load(int(path.name[:6]), data)
            if set(run_ids) <= set(checkpoint.plain["runs"]):
                return checkpoint
        return None


def remove(folder: Folder, pack_id: str) -> None:
    """Removes all checkpoints of a pack."""
    folder.remove(folder.checkpoints(pack_id))


def tidy(folder: Folder, keep: Collection[str]) -> None:
    """Removes the checkpoints of all other packs: a driver may die when a pack is over, and before they are gone."""
    for pack_id in folder.names_in(folder.checkpoints("")):
        if pack_id not in keep:
            remove(folder, pack_id)


def _load(epoch: int, data: bytes) -> Checkpoint:
    length = int.from_bytes(data[:8], "little")  # of the header, which is JSON (the format of safetensors)
    metadata = json.loads(data[8 : 8 + length])["__metadata__"]
    return Checkpoint(epoch=epoch, plain=json.loads(metadata["plain"]), arrays=safetensors.numpy.load(data))
