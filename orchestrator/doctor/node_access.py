"""Reaching nodes: the same request to all at once, over ssh or on this machine, each with a limit in time."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROBE = Path(__file__).with_name("probe.py")
CONNECT_SECONDS = 10
ANSWER_SECONDS = 120  # longer than everything that a probe waits for
MOST_AT_A_TIME = 64
NO_TERMINAL = ("no job control in this shell", "cannot set terminal process group")  # what such a shell complains of


@dataclass(frozen=True, kw_only=True)
class Node:
    """One machine of a cluster."""

    name: str  # what a reader knows it by
    address: str  # by which it is reached from here
    inside: str | None = None  # its address among the nodes, where that is known beforehand
    is_head: bool = False


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back from a node."""

    value: Mapping[str, Any] | None  # None: nothing
    error: str = ""  # why
    sent: float = 0.0  # by this machine's clock, as is the next
    received: float = 0.0


# Runs the probe with a request on a node, and returns what it prints; an OSError says why it cannot.
Reach = Callable[[Node, Mapping[str, Any]], str]


def ask(reach: Reach, requests: Mapping[Node, Mapping[str, Any]]) -> dict[Node, Answer]:
    """Every node's answer to its request."""
    with ThreadPoolExecutor(MOST_AT_A_TIME) as pool:
        return dict(zip(requests, pool.map(lambda node: _answer(reach, node, requests[node]), requests), strict=True))


def _answer(reach: Reach, node: Node, request: Mapping[str, Any]) -> Answer:
    sent = time.time()
    try:
        value = json.loads(reach(node, request).strip().splitlines()[-1])
        return Answer(value=value, sent=sent, received=time.time())
    except (OSError, ValueError, IndexError) as error:
        return Answer(value=None, error=str(error) or "no answer")


@dataclass(frozen=True, kw_only=True)
class Ssh:
    """The way to nodes from outside, as `ray up` takes it."""

    user: str
    key: str | None
    proxy: str | None = None

    def __call__(self, node: Node, request: Mapping[str, Any]) -> str:
        """Runs the probe by the python3 that a login shell finds."""
        command = shlex.join(["python3", "-", json.dumps(request)])
        shell = shlex.join(["bash", "--login", "-i", "-c", command])
        return _run(["ssh", *self._options(), f"{self.user}@{node.address}", shell])

    def _options(self) -> Sequence[str]:
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": CONNECT_SECONDS,
            "ServerAliveInterval": 5,
            "StrictHostKeyChecking": "no",  # as Ray has it: addresses of clouds are used again and again
            "UserKnownHostsFile": "/dev/null",
            "LogLevel": "ERROR",
            **({"IdentitiesOnly": "yes"} if self.key else {}),
            **({"ProxyCommand": self.proxy} if self.proxy else {}),
        }
        key = ["-i", str(Path(self.key).expanduser())] if self.key else []
        return [*key, *(word for name, value in options.items() for word in ("-o", f"{name}={value}"))]


def here(_: Node, request: Mapping[str, Any]) -> str:
    """Runs the probe on this machine, by this Python."""
    return _run([sys.executable, "-", json.dumps(request)])


def _run(command: Sequence[str]) -> str:
    """What a command prints that reads the probe.

    Raises:
        OSError: it failed, or took too long.
    """
    options = {"input": PROBE.read_text(), "capture_output": True, "text": True, "timeout": ANSWER_SECONDS}
    try:
        done = subprocess.run(command, check=False, **options)  # noqa: S603 - ssh to the user's own nodes
    except subprocess.TimeoutExpired as error:
        raise OSError(f"no answer within {ANSWER_SECONDS} s") from error
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip() and not any(n in line for n in NO_TERMINAL)]
        raise OSError(said[-1] if said else f"exit code {done.returncode}")
    return done.stdout
