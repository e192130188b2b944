"""What the nodes of a cluster must have in common, and whether they find each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.doctor.findings import Cluster, Finding, Look, problem, well
from orchestrator.doctor.node_access import Node

TOOLS = ("pip", "setuptools", "wheel")  # they make environments, and change no result
PYTHONS = ((3, 11), (3, 13))
MOST_NAMED = 4
ALIKE = "make the environments of all nodes anew, from the same constraints.txt"


def _environment(cluster: Cluster, node: Node, look: Look) -> Iterator[Finding]:
    reference, told = _reference(cluster), look.environment
    again = f"`ray down {cluster.file}`; on it: rm -r ~/studies/.venv; then {cluster.up}" if cluster.file else ALIKE
    if told is None and not cluster.is_up:
        yield from _makes_environment(cluster, node, look)
    elif told is None:
        yield problem(node, "packages", "the environment is missing: no study runs there", again)
    elif "error" in told:
        yield problem(node, "packages", f"the environment does not work: {told['error']}", again)
    elif reference is None or node is reference[0]:
        num = len(told["value"]["packages"])
        yield well(node, "packages", f"Python {told['value']['python']}, {num} packages")
    elif different := _differences(told["value"], reference[1]):
        yield problem(node, "packages", f"not those of the {reference[0].name}: {different}", again)
    else:
        yield well(node, "packages", f"Python {told['value']['python']}, as on the {reference[0].name}")


def _makes_environment(cluster: Cluster, node: Node, look: Look) -> Iterator[Finding]:
    version = tuple(int(part) for part in look.python.split(".")[:2])
    if not PYTHONS[0] <= version <= PYTHONS[1]:
        text = f"python3 is {look.python}, and must be 3.11 to 3.13 for the environment to be made"
        yield problem(node, "packages", text, "install one of them, and put it first in the PATH of a login shell")
    elif not look.makes_environments:
        text = f"Python {look.python} lacks venv: the environment cannot be made"
        yield problem(node, "packages", text, "on it: apt-get install python3-venv")
    else:
        yield well(node, "packages", f"Python {look.python}; {cluster.up} makes the environment")


def _reference(cluster: Cluster) -> tuple[Node, Mapping[str, Any]] | None:
    """The environment that all others must be like: the head's, or that of the first node that has one."""
    for node, look in cluster.looks.items():
        if look.environment is not None and "value" in look.environment:
            return node, look.environment["value"]
    return None


def _differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """In words, what one has and the other has not."""
    versions = [{**side["packages"], "Python": side["python"]} for side in (one, other)]
    names = sorted(name for name in {*versions[0], *versions[1]} - {*TOOLS} if _differs(name, *versions))
    named = [f"{name} {versions[0].get(name, 'missing')} ({versions[1].get(name, 'none')} there)" for name in names]
    more = [f"and {len(named) - MOST_NAMED} more"] if len(named) > MOST_NAMED else []
    return ", ".join([*named[:MOST_NAMED], *more])


def _differs(name: str, one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    return one.get(name) != other.get(name)


def _code(cluster: Cluster, node: Node, look: Look) -> Iterator[Finding]:
    others = {n: other.code for n, other in cluster.looks.items() if other.code}
    first = next(iter(others), node)
    if not (cluster.is_up and cluster.is_many):
        return
    if look.code is None:
        yield problem(node, "code", "the project's packages are not there", f"{cluster.anew}, which brings them")
    elif look.code != others[first]:
        yield problem(node, "code", f"not that of the {first.name}: nodes train different things", cluster.anew)
    else:
        yield well(node, "code", f"{look.code[:12]}")


def _token(cluster: Cluster, node: Node, look: Look) -> Iterator[Finding]:
    head = cluster.head.token if cluster.head else None
    if look.token is not None and look.token["mode"] & 0o077:
        text = f"others on the machine may read it (mode {look.token['mode']:03o})"
        yield problem(node, "token", text, "on it: chmod 600 ~/.ray/auth_token")
    if not cluster.is_up:
        return
    if head is None and cluster.file and node.is_head:
        text = "there is none: whoever reaches the head may run what they like"
        yield problem(node, "token", text, f"the head_setup_commands of cluster-owned.yaml; then {cluster.anew}")
    elif head is not None and look.token is None:
        yield problem(node, "token", "there is none: Ray lets it do nothing", _token_again(cluster))
    elif head is not None and look.token is not None and look.token["hash"] != head["hash"]:
        yield problem(node, "token", "not the head's: Ray lets it do nothing", _token_again(cluster))
    elif look.token is not None:
        yield well(node, "token", "the head's, and nobody else may read it")


def _token_again(cluster: Cluster) -> str:
    return f"copy ~/.ray/auth_token of the head there (mode 600); or {cluster.anew}"


def _joined(cluster: Cluster, node: Node, look: Look) -> Iterator[Finding]:
    told = cluster.head.joined if cluster.head else None
    if cluster.file is None:
        return
    if not cluster.is_up:
        if node.is_head:
            yield well(node, "Ray", f"does not run yet; {cluster.up} starts it on all nodes")
    elif told is None or "error" in told:
        text = f"port {cluster.ports[0]} is taken, but no Ray answers: {(told or {}).get('error', 'not asked')}"
        if node.is_head:
            yield problem(node, "Ray", text, f"end what listens there (ss -ltnp); then {cluster.anew}")
    elif {node.inside, look.address} & {*told["value"]["alive"]}:
        yield well(node, "Ray", "the head runs" if node.is_head else "it has joined")
    else:
        yield _has_not_joined(cluster, node, told["value"]["pending"].get(node.inside or look.address))


def _has_not_joined(cluster: Cluster, node: Node, pending: str | None) -> Finding:
    log = f"`ray exec {cluster.file} 'tail -n 50 /tmp/ray/session_latest/logs/monitor.out'`"
    if pending is not None:
        return problem(node, "Ray", f"has not joined; the head is at it: {pending}", f"wait; {log} says how far it is")
    remedy = (
        f"wait two minutes: Ray starts it again by itself. If it stays away, {cluster.anew}; {log} says what failed"
    )
    return problem(node, "Ray", "is not part of the cluster: it has not joined, or has left", remedy)


def doors(cluster: Cluster) -> dict[Node, list[tuple[str, int]]]:
    """What each node must reach: workers the head's Ray, where it runs, and the head the workers' ssh."""
    inside = {node: node.inside or look.address for node, look in cluster.looks.items()}
    heads = [address for node, address in inside.items() if node.is_head and address and cluster.is_up]
    workers = [address for node, address in inside.items() if not node.is_head and address and cluster.file]
    to_heads, to_workers = [(address, cluster.ports[0]) for address in heads], [(address, 22) for address in workers]
    return {node: to_workers if node.is_head else to_heads for node in cluster.looks}


def _ports(cluster: Cluster, node: Node, _: Look) -> Iterator[Finding]:
    met = cluster.meetings.get(node)
    if met is None or met.value is None or not doors(cluster)[node]:
        return
    closed = [f"{host}:{port}" for host, port in met.value["closed"]]
    if closed:
        why = "it cannot set them up" if node.is_head else "it cannot join"
        remedy = "let the nodes through to each other on all ports (firewall, security group)"
        yield problem(node, "ports", f"{', '.join(closed)} do not answer from there: {why}", remedy)
    else:
        yield well(node, "ports", "reaches " + ", ".join(f"{host}:{port}" for host, port in doors(cluster)[node]))


def _results(cluster: Cluster, node: Node, look: Look) -> Iterator[Finding]:
    told, place = look.results, cluster.results
    if told is None:
        return
    if told["error"] and look.environment is None:
        yield well(node, "results", f"{place} can be tried after {cluster.up}")
    elif told["error"]:
        yield problem(node, "results", f"{place} cannot be written: {told['error']}", _shared(cluster))
    elif "://" in str(place):
        yield well(node, "results", f"an object was put to {place} and got back")
    elif unseen := _unseen(cluster, node):
        text = f"{place} is its own: what {', '.join(unseen)} writes is not there, so checkpoints cannot travel"
        yield problem(node, "results", text, _shared(cluster))
    else:
        yield well(node, "results", f"{place} is writable" + (", and the same as elsewhere" if cluster.is_many else ""))


def _shared(cluster: Cluster) -> str:
    if "://" in str(cluster.results):
        return "see that the bucket is there, and that the node has credentials for it (an instance profile, variables)"
    if not cluster.is_many:
        return "give a folder that can be written, or make this one so"
    place = cluster.results
    return f"mount one storage at {place} on all nodes, writable for {cluster.login}; or --results s3://BUCKET/NAME"


def _unseen(cluster: Cluster, node: Node) -> list[str]:
    """The head, or where nothing is known of it the first node, unless this one sees what it has written."""
    met = cluster.meetings.get(node)
    writers = [other for other, look in cluster.looks.items() if look.results and not look.results["error"]]
    seen = met.value["seen"] if met is not None and met.value is not None else []
    return [other.name for other in writers[:1] if cluster.names[other] not in seen]


CHECKS = (_environment, _code, _token, _joined, _ports, _results)
