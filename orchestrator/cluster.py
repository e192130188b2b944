"""Connecting to Ray: the cluster that runs, or a local one that ends with the study."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import yaml
from ray.experimental import internal_kv

from orchestrator.health import Health, Machine
from orchestrator.placement import Room, later

logger = logging.getLogger(__name__)

# Where `ray up` leaves the cluster file on the head.
AUTOSCALING = Path("~/ray_bootstrap_config.yaml")


@dataclass(frozen=True, kw_only=True)
class Connection:
    """The Ray that a study runs on."""

    address: str  # "local" for one of our own

    def room(self) -> Room:
        """What the nodes that are there can hold."""
        return Room.of(node["Resources"] for node in ray.nodes() if node["Alive"])

    def later(self) -> Room:
        """What the workers could hold that the cluster's autoscaler may add."""
        if self.address == "local" or not AUTOSCALING.expanduser().exists():
            return Room()
        return later(yaml.safe_load(AUTOSCALING.expanduser().read_text()) or {})


@contextmanager
def connect(address: str | None, *, workers: int | None) -> Iterator[Connection]:
    """Joins a cluster, or starts Ray on this machine and ends it afterwards. A cluster that ran before is left running.

    Args:
        address: of a running cluster, "auto" for the one on this machine, or "local"; None: RAY_ADDRESS, else the
            running one, else local.
        workers: cores that a Ray of our own may use; None: all.

    Raises:
        ValueError: nothing answers at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    joined = _join(address, workers)
    try:
        yield Connection(address=joined.address)
    finally:
        ray.shutdown()
        if joined.session is not None:
            shutil.rmtree(joined.session, ignore_errors=True)


@dataclass(frozen=True, kw_only=True)
class _Joined:
    address: str
    session: str | None = None  # the folder of a Ray of our own, which goes with it


def _join(address: str | None, workers: int | None) -> _Joined:
    """Connects, and says to what."""
    wanted = address or os.environ.get("RAY_ADDRESS") or "auto"
    options = {"logging_level": logging.ERROR, "log_to_driver": False}
    if wanted != "local":
        try:
            ray.init(address=wanted, **options)
            return _Joined(address=str(ray.get_runtime_context().gcs_address))
        except ConnectionError as error:
            if address is not None:
                raise ValueError(
                    f"--address {address}: no Ray cluster answers there ({error}). Start one with "
                    "'ray start --head', or leave --address out to run on this machine alone"
                ) from error
    context: Any = ray.init(address="local", num_cpus=workers, include_dashboard=False, **options)
    return _Joined(address="local", session=context.address_info["session_dir"])


OWNED = "local.cluster.node"  # what Ray calls machines that a file names: there are no more of them


def health() -> Health:
    """What the connected cluster has, and what it still expects."""
    alive = [node for node in ray.nodes() if node["Alive"]]
    groups = {node["Labels"].get("ray.io/node-group", "") for node in alive}  # set by `ray up` alone
    status = json.loads(internal_kv._internal_kv_get("__autoscaling_status") or "{}")
    pending = (status.get("autoscaler_report") or {}).get("pending_nodes", [])
    return Health(
        machines=[Machine(address=node["NodeManagerAddress"], resources=node["Resources"]) for node in alive],
        grows=bool(groups - {"", OWNED}),
        coming={address: state for address, _, state in pending},
    )
