"""One check-up: the nodes are asked, what they say is judged, and all of it is said in lines."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from rich.console import Console

from orchestrator.cluster import ray_token
from orchestrator.doctor import cluster_checks, laptop_checks, node_checks
from orchestrator.doctor.cluster_yaml import ClusterFile
from orchestrator.doctor.findings import Cluster, Finding
from orchestrator.doctor.node_access import Node, Reach, ask, here

ROOT = "~/studies"  # of the project on the nodes that a cluster file describes


def check(path: str | None, results: str | None, console: Console) -> int:
    """Checks the cluster of a file; without one, the Ray that runs here, or this machine alone.

    Returns:
        The exit code: 0 all is well, 1 something was found.

    Raises:
        ValueError: there is no such file.
    """
    findings = _of_file(ClusterFile.read(path), results) if path else _of_running(results)
    problems = []
    for finding in findings:
        console.print(_line(finding), markup=False)
        problems += [finding] if finding.is_problem else []
    console.print(f"\n{_count(len(problems))}", markup=False)
    for finding in problems:
        console.print(f"{finding.node}, {finding.check}: {finding.text}\n    remedy: {finding.remedy}", markup=False)
    return 1 if problems else 0


def _line(finding: Finding) -> str:
    return f"{'PROBLEM' if finding.is_problem else 'ok':9}{finding.node:24}{finding.check:15}{finding.text}"


def _count(number: int) -> str:
    return {0: "All is well.", 1: "1 problem:"}.get(number, f"{number} problems:")


def _of_file(file: ClusterFile, results: str | None) -> Iterator[Finding]:
    there = laptop_checks.Laptop.look(file)
    yield from laptop_checks.examine(file, there, _complaint(file) if there.has_ray else "")
    if file.unfilled() or "ssh" not in there.programs:
        return
    try:
        nodes = file.nodes() if file.is_local else _of_cloud(file)
    except OSError as error:
        remedy = "see to its credentials (AWS: ~/.aws/credentials), its library (pip install '.[aws]') and the network"
        yield Finding(node=laptop_checks.HERE, check="nodes", text=f"the cloud does not say: {error}", remedy=remedy)
        return
    if not nodes:
        yield Finding(node=laptop_checks.HERE, check="nodes", text=f"none yet; `ray up {file.path}` makes them")
        return
    ssh = file.ssh
    blank = Cluster(
        file=file.path,
        nodes=nodes,
        answers={},
        ports=file.ports,
        login=ssh.user,
        key=ssh.key or "KEY",
        results=results,
    )
    yield from examine(_visit(blank, ssh, root=ROOT))


def _complaint(file: ClusterFile) -> str:
    os.environ.setdefault("BOTO_MAX_RETRIES", "2")  # Ray reads it when it is imported, and tries for minutes without
    try:
        from orchestrator.doctor.nodes import complaint  # Ray is imported where it is used
    except ImportError as error:
        return str(error)
    return complaint(file.config)


def _of_cloud(file: ClusterFile) -> list[Node]:
    from orchestrator.doctor.nodes import of_cloud

    return of_cloud(file.path)


def _of_running(results: str | None) -> Iterator[Finding]:
    ray_token.use_if_there()
    from orchestrator.doctor.nodes import running

    with running() as found:
        if found is None:
            alone = Node(name=laptop_checks.HERE, address="localhost", is_head=True)
            yield Finding(
                node=laptop_checks.HERE, check="Ray", text="no cluster runs here; this machine alone is checked"
            )
            yield from examine(_visit(Cluster(file=None, nodes=[alone], answers={}, results=results), here, root=None))
            return
        cluster = Cluster(file=None, nodes=found.nodes, answers={}, ports=(found.port, 8265), results=results)
        yield from examine(_visit(cluster, found.reach, root=None))
        for address in found.lost:
            remedy = "see that it is on and on the network, then start Ray there again"
            yield Finding(
                node=f"worker {address}", check="Ray", text="it was part of the cluster, and is gone", remedy=remedy
            )


def _visit(cluster: Cluster, reach: Reach, *, root: str | None) -> Cluster:
    """The cluster with what its nodes say: of themselves, then of what they see of each other."""
    mark = secrets.token_hex(4)
    names = {node: f".doctor-{mark}-{number}" for number, node in enumerate(cluster.nodes)}
    common: Mapping[str, Any] = {"root": root, "results": cluster.results}
    look = common | {"request": "look", "salt": secrets.token_hex(16), "ports": cluster.ports}
    is_asked = cluster.file is not None
    requests = {n: look | {"name": names[n], "ask_ray": n.is_head and is_asked} for n in cluster.nodes}
    cluster = replace(cluster, names=names, answers=ask(reach, requests))
    doors = cluster_checks.doors(cluster)
    meet = common | {"request": "meet", "names": list(names.values())}
    cluster = replace(cluster, meetings=ask(reach, {node: meet | {"doors": doors[node]} for node in cluster.looks}))
    if cluster.results is not None:
        made = {node: look.results["made"] for node, look in cluster.looks.items() if look.results}
        ask(reach, {node: common | {"request": "leave", "name": names[node], "made": made[node]} for node in made})
    return cluster


def examine(cluster: Cluster) -> Iterator[Finding]:
    """What the nodes say, judged: one finding for each check and node."""
    looks = cluster.looks
    for node in cluster.nodes:
        yield node_checks.reached(cluster, node)
        if node in looks:
            for judge in (*node_checks.CHECKS, *cluster_checks.CHECKS):
                yield from judge(cluster, node, looks[node])
