"""What Ray knows of the nodes of a cluster: the ones that a cloud has, and the ones that have joined."""

from __future__ import annotations

import copy
import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import Any

import ray
from ray import exceptions
from ray.autoscaler import sdk
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from orchestrator.doctor.node_access import PROBE, Node, Reach

TASK_SECONDS = 60  # a node where no task has begun by then is not well
UNEXPECTED = 2  # Ray's DeathReason of a node that went without a word


def complaint(config: Mapping[str, Any]) -> str:
    """Why `ray up` would refuse a file with these contents; nothing: empty."""
    try:
        with redirect_stdout(io.StringIO()):
            filled = prepare_config(copy.deepcopy(dict(config)))
        for kind in filled["available_node_types"].values():
            kind.setdefault("resources", {})  # a cloud is asked for them, later
        validate_config(filled)
    except Exception as error:  # of several libraries
        return getattr(error, "message", str(error)) or type(error).__name__
    return ""


def of_cloud(path: str) -> list[Node]:
    """The machines that a cloud has for a cluster, the head first; none before `ray up`.

    Raises:
        OSError: the cloud cannot be asked.
    """
    try:
        with redirect_stdout(io.StringIO()):  # Ray tells which of a cloud's services it asks
            head = sdk.get_head_node_ip(path)
            workers = sdk.get_worker_node_ips(path)
    except RuntimeError:
        return []
    except Exception as error:  # of the cloud's own library
        raise OSError(f"{type(error).__name__}: {error}") from error
    return [
        Node(name=f"head {head}", address=head, is_head=True),
        *(Node(name=f"worker {address}", address=address) for address in workers),
    ]


@dataclass(frozen=True, kw_only=True)
class Running:
    """The Ray cluster that runs here."""

    nodes: Sequence[Node]
    lost: Sequence[str]  # addresses of nodes that went without a word, and have not come back
    port: int
    reach: Reach


@contextmanager
def running() -> Iterator[Running | None]:
    """The Ray cluster that this machine is part of; None: there is none."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray.init(address="auto", logging_level=logging.CRITICAL, log_to_driver=False)
    except ConnectionError:
        yield None
        return
    try:
        yield _describe()
    finally:
        ray.shutdown()


def _describe() -> Running:
    told = ray.nodes()
    alive = {node["NodeID"]: _node(node) for node in told if node["Alive"]}
    addresses = {node.address for node in alive.values()}
    died = {n["NodeManagerAddress"] for n in told if not n["Alive"] and n["DeathReason"] == UNEXPECTED}
    ids = {node: name for name, node in alive.items()}
    return Running(
        nodes=sorted(ids, key=lambda node: (not node.is_head, node.name)),
        lost=sorted(died - addresses),
        port=int(str(ray.get_runtime_context().gcs_address).rpartition(":")[2]),
        reach=lambda node, request: _reach(ids[node], request),
    )


def _node(told: Mapping[str, Any]) -> Node:
    is_head = "node:__internal_head__" in told["Resources"]
    address = told["NodeManagerAddress"]
    name = f"{'head' if is_head else 'worker'} {address}"
    return Node(name=name, address=address, inside=address, is_head=is_head)


def _reach(node_id: str, request: Mapping[str, Any]) -> str:
    """Runs the probe on a node, by the Python that Ray's workers have there, and takes no resources for it."""

    def run(source: str, argument: str) -> str:  # in here, it travels by value: a node may have other code, or none
        command = [sys.executable, "-", argument]
        done = subprocess.run(command, input=source, check=False, capture_output=True, text=True)  # noqa: S603
        return done.stdout or done.stderr

    place: Any = NodeAffinitySchedulingStrategy(node_id, soft=False)  # Ray types fewer strategies
    task: Any = ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=place)(run)
    try:
        return ray.get(task.remote(PROBE.read_text(), json.dumps(request)), timeout=TASK_SECONDS)
    except exceptions.GetTimeoutError as error:
        raise OSError(f"it has joined, but begins no task within {TASK_SECONDS} s") from error
    except exceptions.RayError as error:
        raise OSError(f"no task runs there: {str(error).strip().splitlines()[0]}") from error
