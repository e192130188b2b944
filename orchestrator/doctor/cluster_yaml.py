"""What a file for `ray up` says of a cluster: who its nodes are, and how one logs in there."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from orchestrator.doctor.node_access import Node, Ssh

# Addresses that belong to nobody (RFC 5737): they stand where a user's own have to stand.
NOBODY = [ipaddress.ip_network(net) for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")]


@dataclass(frozen=True, kw_only=True)
class ClusterFile:
    """A cluster as its file has it."""

    path: str
    config: Mapping[str, Any]

    @classmethod
    def read(cls, path: str) -> ClusterFile:
        """Reads it.

        Raises:
            ValueError: it is not there, or not a mapping in YAML.
        """
        try:
            config = yaml.safe_load(Path(path).expanduser().read_text())
        except (OSError, yaml.YAMLError) as error:
            raise ValueError(f"the file for `ray up` must be there and be YAML: {error}") from error
        if not isinstance(config, Mapping) or not isinstance(config.get("provider"), Mapping):
            raise ValueError(f"{path} must be a file for `ray up`, with a provider; see cluster-owned.yaml")
        return cls(path=path, config=config)

    @property
    def is_local(self) -> bool:
        """Whether the file itself names the machines."""
        return self.config["provider"].get("type") == "local" and "head_ip" in self.config["provider"]

    def nodes(self) -> list[Node]:
        """The machines that a file with provider `local` names, the head first."""
        provider = self.config["provider"]
        head, workers = str(provider["head_ip"]), [str(address) for address in provider.get("worker_ips") or ()]
        outside = str(provider.get("external_head_ip") or head)
        return [
            Node(name=f"head {head}", address=outside, inside=head, is_head=True),
            *(Node(name=f"worker {address}", address=address, inside=address) for address in workers),
        ]

    @property
    def ssh(self) -> Ssh:
        """The way to the nodes."""
        auth = self.config.get("auth") or {}
        key = auth.get("ssh_private_key") or self._key_of_ray()
        return Ssh(user=auth.get("ssh_user", "root"), key=key, proxy=auth.get("ssh_proxy_command"))

    def _key_of_ray(self) -> str | None:
        """The key that `ray up` makes on a cloud when a file names none."""
        region = self.config["provider"].get("region", "")
        keys = sorted(Path("~/.ssh").expanduser().glob(f"ray-autoscaler*{region}*.pem"))
        return str(keys[-1]) if keys else None

    @property
    def ports(self) -> tuple[int, int]:
        """Where the head of Ray and its dashboard listen."""
        commands = " ".join(map(str, self.config.get("head_start_ray_commands") or ()))
        return _option(commands, "--port", 6379), _option(commands, "--dashboard-port", 8265)

    def unfilled(self) -> list[str]:
        """Values that are still examples."""
        return [value for value in _texts(self.config["provider"]) if _is_nobody(value)]

    @property
    def too_few(self) -> str:
        """What keeps a named machine out of the cluster; nothing: empty."""
        provider = self.config["provider"]
        named = [provider.get("head_ip"), *(provider.get("worker_ips") or ())] if self.is_local else []
        most, workers = self.config.get("max_workers", len(named) - 1), len(named) - 1
        if len(set(named)) < len(named):
            return "an address stands there twice"
        return f"max_workers is {most} for {workers} worker_ips" if self.is_local and most < workers else ""


def _option(commands: str, name: str, default: int) -> int:
    found = re.search(rf"{name}[= ](\d+)", commands)
    return int(found[1]) if found else default


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)
    elif isinstance(value, str):
        yield value


def _is_nobody(text: str) -> bool:
    try:
        return any(ipaddress.ip_address(text) in network for network in NOBODY)
    except ValueError:
        return False
