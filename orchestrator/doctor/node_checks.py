"""What every machine of a cluster needs by itself."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from orchestrator.doctor.findings import Cluster, Finding, Look, problem, well
from orchestrator.doctor.node_access import Answer, Node

GB = 1e9
CLOCK_SECONDS = 2.0
OPEN_FILES = 4096  # of the head of a small cluster; Ray advises 65,536 for large ones
SHARE_OF_MEMORY = 0.3  # Ray's object store
FULLEST = 0.95  # Ray puts no objects on a disk that is fuller
NEEDED_GB = {"to make the environment": 10, "to work": 1}
OFF = "switch it on, and see that it runs sshd, that firewalls let port 22 through, and that the address is right"
ASTRAY = (
    "see whether its token and its packages are the head's, or give FILE to this command where `ray up FILE` was given"
)


def reached(cluster: Cluster, node: Node) -> Finding:
    """Whether a node answers at all."""
    answer = cluster.answers[node]
    if answer.value is not None:
        told = f"{answer.value['hostname']} answers after {answer.received - answer.sent:.1f} s"
        return well(node, "reached", told)
    remedy = OFF if cluster.file else ASTRAY
    if "denied" in answer.error:
        remedy = f"let the key in: ssh-copy-id -i {cluster.key} {cluster.login}@{node.address}"
    return problem(node, "reached", f"no way to it: {answer.error}", remedy)


def _programs(cluster: Cluster, node: Node, look: Look) -> Iterator[Finding]:
    missing = [name for name in ("bash", "make", "rsync") if name not in look.programs]
    if cluster.file and missing:
        yield problem(node, "programs", f"no {', '.join(missing)}", f"on it: apt-get install {' '.join(missing)}")
    elif cluster.file:
        yield well(node, "programs", ", ".join(look.programs))


def _route(cluster: Cluster, node: Node, look: Look) -> Iterator[Finding]:
    if not cluster.is_many:
        return
    if look.has_default_route:
        yield well(node, "default route", "there is one")
    elif look.has_default_route is not None:
        yield problem(
            node,
            "default route",
            "there is none: Ray takes 127.0.0.1 for its address, and it never joins",
            "on it: ip route add default via GATEWAY (any address of its network will do), and in its settings",
        )


def _clock(cluster: Cluster, node: Node, look: Look) -> Iterator[Finding]:
    if not cluster.is_many:
        return
    ahead = clock_ahead(cluster.answers[node], look)
    if abs(ahead) > CLOCK_SECONDS:
        text = f"at least {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
        yield problem(node, "clock", text, "on the one that is wrong: timedatectl set-ntp true")
    else:
        yield well(node, "clock", f"within {CLOCK_SECONDS:.0f} s of this machine's, as far as can be seen")


def clock_ahead(answer: Answer, look: Look) -> float:
    """Seconds by which a node's clock is ahead of ours, less what the time of travel may explain."""
    most, least = look.started - answer.sent, look.ended - answer.received
    return least if least > 0 else min(most, 0.0)


def _disks(_: Cluster, node: Node, look: Look) -> Iterator[Finding]:
    why = "to make the environment" if look.environment is None else "to work"
    for place, (total, used, free) in look.disks.items():
        if free < NEEDED_GB[why] * GB and place == "~":
            text = f"{free / GB:.1f} GB are free in {place}, and {NEEDED_GB[why]} are needed {why}"
            yield problem(node, "disk", text, f"make room on the disk that holds {place}")
        elif used > FULLEST * total:
            text = f"the one that holds {place} is {used / total:.0%} full: Ray writes nothing there beyond 95 %"
            yield problem(node, "disk", text, f"make room on the disk that holds {place}")
        else:
            yield well(node, "disk", f"{free / GB:.0f} GB are free for {place}")


def _memory(_: Cluster, node: Node, look: Look) -> Iterator[Finding]:
    if look.memory is None or look.shared_memory is None:
        return
    needed = SHARE_OF_MEMORY * look.memory
    sizes = f"/dev/shm has {look.shared_memory / GB:.1f} GB of {look.memory / GB:.1f} GB of memory"  # noqa: S108 - words
    if look.shared_memory < needed:
        text = f"{sizes}, less than 30 %: Ray keeps its objects in /tmp/ray, on disk"
        remedy = f"on it: mount -o remount,size={needed / GB + 0.1:.1f}G /dev/shm (a container: --shm-size)"
        yield problem(node, "memory", text, remedy)
    else:
        yield well(node, "memory", sizes)


def _open_files(_: Cluster, node: Node, look: Look) -> Iterator[Finding]:
    if 0 <= look.open_files < OPEN_FILES:
        text = f"{look.open_files} at the most, and Ray needs {OPEN_FILES}"
        yield problem(
            node, "open files", text, "raise the hard limit of nofile in /etc/security/limits.conf; log in anew"
        )
    else:
        yield well(node, "open files", f"{look.open_files if look.open_files >= 0 else 'any number'} at the most")


def _gpus(_: Cluster, node: Node, look: Look) -> Iterator[Finding]:
    driver, torch = look.gpus["driver"], look.gpus["torch"] or {}
    if not driver:
        yield well(node, "GPUs", "none that a driver knows")
    elif look.environment is None:
        yield well(node, "GPUs", f"{driver}; torch is not there yet")
    elif torch.get("value") != driver:
        told = torch.get("error") or f"torch finds {torch['value']}"
        remedy = "a build of torch for this driver, or a newer driver; nvidia-smi says which CUDA it can do"
        yield problem(node, "GPUs", f"the driver has {driver}, but {told}: studies do without", remedy)
    else:
        yield well(node, "GPUs", f"{driver}, for the driver and for torch")


def _dashboard(cluster: Cluster, node: Node, look: Look) -> Iterator[Finding]:
    beyond = [address for address in look.listening[1] if not _is_loopback(address)]
    if beyond:
        text = f"port {cluster.ports[1]} listens on {', '.join(beyond)}: whoever reaches it may look in, and send jobs"
        remedy = "--dashboard-host=127.0.0.1 in head_start_ray_commands; then start Ray anew"
        yield problem(node, "dashboard", text, remedy)
    elif look.listening[1]:
        yield well(node, "dashboard", "on loopback alone")


def _is_loopback(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_loopback


CHECKS = (_programs, _route, _clock, _disks, _memory, _open_files, _gpus, _dashboard)
