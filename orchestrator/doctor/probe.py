"""What a machine says of itself: a script of the standard library alone, for whatever python3 runs there.

The doctor sends it to every node by standard input. Its one argument is a request as JSON, and the last line that it
prints is the answer as JSON. Three requests make a check-up: `look`, then `meet` what the others have left, then
`leave` nothing behind.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import resource
import shutil
import socket
import subprocess
import sys
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PROJECT = ("mfm", "orchestrator", "analysis", "studies")
PROGRAMS = ("bash", "make", "rsync")
RAY_FILES = "/tmp/ray"
SECONDS = 45  # for a program that is asked
LISTENING = "0A"

INVENTORY = """
import json, platform
from importlib.metadata import distributions
packages = {d.metadata["Name"].lower().replace("_", "-"): d.version for d in distributions() if d.metadata["Name"]}
print(json.dumps({"python": platform.python_version(), "packages": packages}))
"""
ALIVE = """
import json, ray, ray.experimental.internal_kv
ray.init(address="auto", log_to_driver=False, logging_level="ERROR")
alive = [node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]]
status = ray.experimental.internal_kv._internal_kv_get("__autoscaling_status")
report = json.loads(status or "{}").get("autoscaler_report") or {}
print(json.dumps({"alive": alive, "pending": {address: what for address, _, what in report.get("pending_nodes", [])}}))
"""
NUM_GPUS = "import torch; print(torch.cuda.device_count())"
OBJECT = """
import sys
from orchestrator.storage.object_store import Bucket
bucket, name, data = Bucket(sys.argv[1]), sys.argv[2], sys.argv[2].encode()
bucket.put(name, data)
if bucket.get(name) != data:
    sys.exit("what comes back is not what was put there")
bucket.remove(name)
print("null")
"""


def look(request: dict[str, Any]) -> dict[str, Any]:
    """Everything that a node can say by itself.

    Args:
        request: the `root` of the project there, or null for the one that this Python belongs to; a `salt`; the
            `ports` of Ray and its dashboard; `ask_ray`: whether Ray is asked who has joined; the place of the
            `results` or null, and the `name` of a file to leave there.
    """
    started = time.time()
    root = _root(request)
    python = str(root / ".venv" / "bin" / "python") if request["root"] else sys.executable
    listening = [_listening(port) for port in request["ports"]]
    answer = {
        "hostname": socket.gethostname(),
        "address": _address(),
        "python": platform.python_version(),
        "makes_environments": find_spec("ensurepip") is not None,
        "programs": [name for name in PROGRAMS if shutil.which(name)],
        "has_default_route": _has_default_route(),
        "environment": _environment(python, root / ".venv" if request["root"] else None),
        "code": _code(root),
        "token": _token(request["salt"]),
        "disks": {place: list(shutil.disk_usage(_existing(place))) for place in ("~", RAY_FILES)},
        "memory": _memory(),
        "shared_memory": shutil.disk_usage("/dev/shm").total if Path("/dev/shm").is_dir() else None,
        "open_files": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        "gpus": _gpus(python),
        "listening": listening,
        "joined": _ask(python, ALIVE) if request["ask_ray"] and listening[0] else None,
        "results": _leave_file(request, python),
    }
    return {**answer, "started": started, "ended": time.time()}


def meet(request: dict[str, Any]) -> dict[str, Any]:
    """What a node can say of the others: the files that they left in the results, and doors of theirs that are open.

    Args:
        request: as before, with the `names` of the files, and the `doors`, pairs of a host and a port.
    """
    place = _place(request)
    seen = [name for name in request["names"] if place is not None and (place / name).exists()]
    return {"seen": seen, "closed": [door for door in request["doors"] if not _is_open(*door)]}


def leave(request: dict[str, Any]) -> dict[str, Any]:
    """Removes what the node has left in the results, and the folders `made` for it."""
    place = _place(request)
    if place is not None:
        (place / request["name"]).unlink(missing_ok=True)
    for folder in reversed(request["made"]):
        _remove_once_empty(Path(folder))
    return {}


def _remove_once_empty(folder: Path) -> None:
    """The others take their files away at the same time. A folder that somebody else has written to stays."""
    for _ in range(20):
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.1)


def _root(request: dict[str, Any]) -> Path:
    if request["root"]:
        return Path(request["root"]).expanduser()
    found = find_spec("orchestrator")
    return Path(found.origin).parent.parent if found and found.origin else Path.cwd()


def _ask(python: str, program: str, *arguments: str, cwd: Path | None = None) -> dict[str, Any]:
    """What a program of one of the project's environments prints, or why it cannot."""
    environment = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    if _token_path().exists():
        environment["RAY_AUTH_MODE"] = "token"
    options = {"capture_output": True, "text": True, "timeout": SECONDS, "env": environment, "cwd": cwd}
    try:
        done = subprocess.run([python, "-c", program, *arguments], check=False, stdin=subprocess.DEVNULL, **options)
        if done.returncode:
            return {"error": (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]}
        return {"value": _last_value(done.stdout)}
    except (OSError, ValueError) as error:
        return {"error": str(error)}
    except subprocess.TimeoutExpired:
        return {"error": f"no answer within {SECONDS} s"}


def _last_value(output: str) -> Any:
    """The last line that is JSON: Ray may have its say after it."""
    for line in reversed(output.splitlines()):
        with suppress(ValueError):
            return json.loads(line)
    raise ValueError(f"it prints no answer but {output[-200:]!r}")


def _environment(python: str, folder: Path | None) -> dict[str, Any] | None:
    """Python and packages of the environment in a folder, or of the one that this script runs in; none: null."""
    if folder is not None and not folder.is_dir():
        return None
    if folder is not None and not (folder / ".installed").exists():
        return {"error": "its making was not finished"}
    return _ask(python, INVENTORY)


def _code(root: Path) -> str | None:
    """A hash of the packages' files, or null where there are none."""
    digest, number = hashlib.sha256(), 0
    for package in PROJECT:
        for path in sorted((root / package).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(root)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
                number += 1
    return digest.hexdigest() if number else None


def _token_path() -> Path:
    return Path(os.environ.get("RAY_AUTH_TOKEN_PATH", Path.home() / ".ray" / "auth_token"))


def _token(salt: str) -> dict[str, Any] | None:
    """A hash that says whether two tokens are equal and nothing else of them, and the file's mode; no token: null."""
    path = _token_path()
    if not path.exists():
        return None
    digest = hashlib.sha256(salt.encode() + path.read_bytes().strip()).hexdigest()
    return {"hash": digest, "mode": path.stat().st_mode & 0o777}


def _address() -> str | None:
    """The one from which packets leave to other networks; none is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as card:
        try:
            card.connect(("192.0.2.1", 9))
            return card.getsockname()[0]
        except OSError:
            return None


def _has_default_route() -> bool | None:
    """Null where the system does not say."""
    table = Path("/proc/net/route")
    if not table.exists():
        return None
    routes = [line.split() for line in table.read_text().splitlines()[1:]]
    return any(route[1] == "00000000" and route[7] == "00000000" for route in routes)


def _listening(port: int) -> list[str]:
    """The addresses, as IPv4 or IPv6, on which something listens at a port."""
    found = set()
    for family, table in ((socket.AF_INET, "/proc/net/tcp"), (socket.AF_INET6, "/proc/net/tcp6")):
        rows = Path(table).read_text().splitlines()[1:] if Path(table).exists() else []
        for local, state in ((row.split()[1], row.split()[3]) for row in rows):
            address, _, number = local.partition(":")
            if state == LISTENING and int(number, 16) == port:
                words = [bytes.fromhex(address[i : i + 8])[::-1] for i in range(0, len(address), 8)]
                found.add(socket.inet_ntop(family, b"".join(words)))
    return sorted(found)


def _existing(place: str | Path) -> Path:
    """The place, or the nearest folder above it that is there."""
    path = Path(place).expanduser()
    return path if path.exists() else _existing(path.parent)


def _memory() -> int | None:
    """In bytes: of the machine, or of the container where that has less; null where the system does not say."""
    limits = []
    if Path("/proc/meminfo").exists():
        limits.append(1024 * int(Path("/proc/meminfo").read_text().split()[1]))
    group = Path("/sys/fs/cgroup/memory.max")
    if group.exists() and group.read_text().strip().isdigit():
        limits.append(int(group.read_text()))
    return min(limits, default=None)


def _gpus(python: str) -> dict[str, Any]:
    """How many the driver has, and, where it has some, how many torch finds."""
    try:
        asked = subprocess.run(["nvidia-smi", "-L"], check=False, capture_output=True, text=True, timeout=SECONDS)
        told = asked.stdout
    except (OSError, subprocess.TimeoutExpired):
        told = ""
    number = sum(line.startswith("GPU ") for line in told.splitlines())
    return {"driver": number, "torch": _ask(python, NUM_GPUS) if number else None}


def _leave_file(request: dict[str, Any], python: str) -> dict[str, Any] | None:
    """A file in the results, for others to find; in object storage, an object that is put and got back."""
    if request["results"] is None:
        return None
    if "://" in request["results"]:
        root = _root(request)
        asked = _ask(python, OBJECT, request["results"], request["name"], cwd=root) if root.is_dir() else {}
        return {"error": asked.get("error"), "made": []}
    place, made = _place(request), []
    assert place is not None
    try:
        for folder in [*reversed(place.parents), place]:
            is_new = not folder.exists()
            folder.mkdir(exist_ok=True)
            if is_new:
                made.append(str(folder))
        (place / request["name"]).write_text(request["name"])
    except OSError as error:
        return {"error": str(error), "made": made}
    return {"error": None, "made": made}


def _place(request: dict[str, Any]) -> Path | None:
    """The folder of the results; null on object storage. A path that begins nowhere begins in the project."""
    if request["results"] is None or "://" in request["results"]:
        return None
    return _root(request) / Path(request["results"]).expanduser()


def _is_open(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=5):
            return True
    except OSError:
        return False


if __name__ == "__main__":
    REQUEST = json.loads(sys.argv[1])
    ANSWER = {"look": look, "meet": meet, "leave": leave}[REQUEST["request"]](REQUEST)
    print("\n" + json.dumps(ANSWER))
