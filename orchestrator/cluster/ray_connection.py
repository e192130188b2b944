"""Connecting to Ray: the cluster that runs, or a local one that ends with the study."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import shutil
import signal
import socket
import stat
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray import exceptions
from ray._private import ray_constants, services, state
from ray.experimental import internal_kv

from orchestrator.cluster import ray_token
from orchestrator.cluster.capacity_check import Health, Machine
from orchestrator.cluster.placement import Room, later
from orchestrator.process.cores import available_cores
from orchestrator.process.signals import undisturbed

logger = logging.getLogger(__name__)

# Why an actor is dead that was ended, and has not died by itself, in Ray's words.
ENDED = re.compile(r"reason: (NODE_DIED|OWNER_DIED|RAY_KILL|OUT_OF_SCOPE|REF_DELETED)|INTENDED_SYSTEM_EXIT")
ANSWER_SECONDS = 5.0  # that a node may take
SETTINGS = 4  # the type of HTTP/2's first frame (RFC 9113, section 6.5)
STARTS = 3  # of a Ray of our own, before it is given up
PREFIX = "studies-"  # of the folder of a Ray of our own
OWN = re.compile(rf"/{PREFIX}[^/]+/ray/")  # in the command lines of its processes
# What `ray up` leaves on the head for the autoscaler there, as JSON.
BOOTSTRAP = Path("~/ray_bootstrap_config.yaml")
# Ray's sockets lie below its folder, and their paths have room for about 100 characters.
SHORT = "/tmp"  # noqa: S108 - a folder with a name of its own is made in it


@dataclass(frozen=True, kw_only=True)
class Connection:
    """The Ray that a study runs on."""

    address: str  # "local" for one of our own

    def room(self) -> Room:
        """What the nodes that are there can hold."""
        return Room.of(node["Resources"] for node in ray.nodes() if node["Alive"])

    def later(self) -> Room:
        """What the workers could hold that the cluster's autoscaler may add."""
        try:
            config = json.loads(BOOTSTRAP.expanduser().read_text())
        except (OSError, ValueError):
            return Room()
        return Room() if self.address == "local" else later(config)


@contextmanager
def connect(address: str | None, *, workers: int | None) -> Iterator[Connection]:
    """Joins a cluster, or starts Ray on this machine and ends it afterwards. A cluster that ran before is left running.

    Args:
        address: of a running cluster, "auto" for the one on this machine, or "local"; None: RAY_ADDRESS, else the
            running one, else local.
        workers: cores that a Ray of our own may use; None: all that this process may.

    Raises:
        ValueError: no Ray answers at the address, within 5 seconds.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    joined = _join(address, workers)
    try:
        yield Connection(address=joined.address)
    finally:
        _end(joined.folder)


@dataclass(frozen=True, kw_only=True)
class _Joined:
    address: str
    folder: str | None = None  # of a Ray of our own, which goes with it


def _join(address: str | None, workers: int | None) -> _Joined:
    """Connects, and says to what."""
    options = {"logging_level": logging.ERROR, "log_to_driver": False}
    wanted, said = address or os.environ.get("RAY_ADDRESS") or "auto", "--address" if address else "RAY_ADDRESS"
    remedy = f"Start one with 'ray start --head', or leave {said} out to run on this machine alone"
    if wanted == "auto":
        wanted = _found_here() or "local"
        if wanted == "local" and address == "auto":
            raise ValueError(f"{said} auto: no Ray runs on this machine that is not a study's own. {remedy}")
        said, remedy = (
            "the Ray that runs here,",
            "End it with 'ray stop', or run on this machine alone: --address local",
        )
    if wanted == "local":
        return _start(workers, options)
    if "://" in wanted:
        raise ValueError(f"{said} must be a cluster's own address, host:port; got {wanted}. {remedy}")
    if _running_here().get(wanted):
        raise ValueError(f"{said} {wanted}: that Ray is another study's own, and ends with it. {remedy}")
    if not _answers_as_ray(wanted):
        raise ValueError(f"{said} {wanted}: no Ray cluster answers there within {ANSWER_SECONDS:.0f} s. {remedy}")
    try:
        ray.init(address=wanted, **options)
    except (ConnectionError, RuntimeError, exceptions.RayError) as error:  # of another version, or with another token
        why = " ".join(str(error).split())
        raise ValueError(f"{said} {wanted}: the Ray there does not take this process: {why}. {remedy}") from error
    return _Joined(address=str(ray.get_runtime_context().gcs_address))


def _found_here() -> str | None:
    """The address of a Ray that runs on this machine; of those that `ray start` has started, the latest.

    Not one that a study has started for itself: it is for that study alone, and goes with it.
    """
    found = [address for address, is_own in _running_here().items() if not is_own]
    latest = services.find_bootstrap_address(None)
    return latest if latest in found else next(iter(sorted(found)), None)


def _running_here() -> dict[str, bool]:
    """The addresses of the Rays that run on this machine, each with whether a study has started it for itself."""
    found: dict[str, bool] = {}
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = process.read_bytes().decode(errors="replace").split("\0")
            if Path(words[0]).name == "raylet" and _shares_network(process.parent):
                is_own = any(OWN.search(word) for word in words)
                found |= {word.partition("=")[2]: is_own for word in words if word.startswith("--gcs-address=")}
    return found


def _shares_network(process: Path) -> bool:
    """Whether a process has this one's network: a container's addresses mean something else here."""
    try:
        return (process / "ns" / "net").readlink() == Path("/proc/self/ns/net").readlink()
    except PermissionError:  # another user's, which may be meant
        return True


def _answers_as_ray(address: str) -> bool:
    """Whether somebody at an address speaks as Ray does, within 5 seconds, those of the name's resolution included."""
    heard = list[bool]()
    knock = threading.Thread(target=lambda: heard.append(_speaks_as_ray(address)), daemon=True)
    knock.start()
    knock.join(ANSWER_SECONDS)
    return any(heard)


def _speaks_as_ray(address: str) -> bool:
    """Whether it is gRPC that answers, which is HTTP/2: a server begins with SETTINGS."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_SECONDS) as line:
            line.settimeout(ANSWER_SECONDS)
            line.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, SETTINGS, 0, 0, 0, 0, 0]))
            return line.recv(4)[3:] == bytes([SETTINGS])
    except (OSError, ValueError):
        return False


def _start(workers: int | None, options: Mapping[str, Any]) -> _Joined:
    """A Ray of our own, for this user of this machine alone: with a token, its ports on loopback, its files closed.

    One study starts at a time: Ray gives its parts 30 seconds, which many that start at once would all use up.

    Raises:
        ValueError: it does not start, for the machine is too busy or Ray is broken.
    """
    ray_token.keep_private()
    failed: Exception | None = None
    for attempt in range(1, STARTS + 1):
        with _one_at_a_time():
            folder = tempfile.mkdtemp(prefix=PREFIX, dir=_short())
            try:
                _start_in(f"{folder}/ray", workers, options)  # Ray opens it to everybody; the way to it is closed
                return _Joined(address="local", folder=folder)
            except BaseException as error:  # Ctrl-C, too
                _end(folder)
                if not isinstance(error, Exception):
                    raise
                logger.warning("a Ray of our own did not start, attempt %d of %d: %s", attempt, STARTS, error)
                failed = error
    why = " ".join(str(failed).split())
    raise ValueError(
        f"a Ray for this study must start on this machine; {STARTS} times it did not: {why} Try again when the machine "
        "is less busy, or train in this process: --serial"
    ) from failed


def _start_in(inside: str, workers: int | None, options: Mapping[str, Any]) -> None:
    cores = workers or available_cores()
    able, ray_constants.ENABLE_RAY_CLUSTER = ray_constants.ENABLE_RAY_CLUSTER, False  # else it listens to the network
    try:
        ray.init(address="local", num_cpus=cores, include_dashboard=False, _temp_dir=inside, **options)
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = able


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Waits for other studies of this user that are starting a Ray; the kernel frees the lock of one that dies."""
    path = Path(_short() or tempfile.gettempdir()) / f".{PREFIX}{os.getuid()}.lock"
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _short() -> str | None:
    return SHORT if Path(SHORT).is_dir() else None


def _end(folder: str | None) -> None:
    """Leaves Ray. One of our own goes with its folder and all its processes, those that were just starting, too."""
    try:
        ray.shutdown()
    finally:  # a second Ctrl-C interrupts the first
        with undisturbed():
            _clear(folder)


def _clear(folder: str | None) -> None:
    if folder is None:
        return
    while processes := _processes(folder):
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)


def _processes(folder: str) -> set[int]:
    """Other processes of the Ray of our own that has a folder, and no other's.

    They write files below it, or are a part of Ray that was told to, and is just starting: it has opened nothing yet.
    """
    ray_itself, found = str(Path(ray.__file__).parent).encode(), set[int]()
    for told in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = told.read_bytes()
            if ray_itself in words and f"{folder}/".encode() in words:
                found.add(int(told.parts[2]))
    for opened in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):  # another user's, or gone
            if str(opened.readlink()).startswith(f"{folder}/") and opened.lstat().st_mode & stat.S_IWUSR:
                found.add(int(opened.parts[2]))
    return found - {os.getpid()}


def is_lost(actor_id: str | None) -> bool:
    """Whether an actor that Ray cannot reach has not died by itself.

    Its node does not answer: it is dead or cut off, which Ray itself takes longer to notice. Or the line to it broke:
    then it lives, or was ended by those who could not reach it.
    """
    actor = state.actors(actor_id) if actor_id else {}
    if not actor or actor["State"] != "DEAD":
        return bool(actor)
    if ENDED.search(str(actor["DeathCause"])):
        return True
    homes = [node for node in ray.nodes() if node["NodeID"] == actor["Address"]["NodeID"]]
    return any(not node["Alive"] or not _answers(node) for node in homes)


def _answers(node: Mapping[str, Any]) -> bool:
    try:
        socket.create_connection((node["NodeManagerAddress"], node["NodeManagerPort"]), timeout=ANSWER_SECONDS).close()
    except OSError:
        return False
    return True


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
