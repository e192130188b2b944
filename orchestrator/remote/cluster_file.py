"""The file that `ray up` was given: where the head of its cluster is, and who logs in there."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.remote.head_node import Head


def head_of(file: Path) -> Head:
    """The head of the cluster that a file describes.

    Raises:
        ValueError: it is no cluster's file, the cluster is not there, or this machine lacks a program.
    """
    config = _read(file)
    for program in ("ssh", "rsync"):
        if shutil.which(program) is None:
            raise ValueError(f"--cluster needs {program} on this machine; install it and try again")
    address, auth = _address(file, config), config["auth"]
    if config["provider"]["type"] != "local" and "ssh_private_key" not in auth:
        from orchestrator.remote.ray_jobs import auth_of  # Ray is imported where it is used

        auth = auth_of(config)
    return Head(address=address, user=auth["ssh_user"], options=_options(auth))


def _read(file: Path) -> dict[str, Any]:
    import yaml  # needed with --cluster alone

    try:
        config = yaml.safe_load(file.read_text())
        known = config["cluster_name"], config["provider"]["type"], config["auth"]["ssh_user"]
    except FileNotFoundError:
        raise ValueError(f"--cluster {file}: no such file; the project's is cluster-owned.yaml") from None
    except (OSError, yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise ValueError(
            f"--cluster {file} must be what `ray up` reads, with cluster_name, provider and auth: ssh_user; got "
            f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        ) from error
    if not all(known):
        raise ValueError(f"--cluster {file} must name its cluster, its provider's type and its ssh_user; got {known}")
    return config


def _address(file: Path, config: Mapping[str, Any]) -> str:
    """Of owned machines it stands in the file; of others, Ray asks the provider.

    Ray's word on owned machines would be a file under /tmp, which a laptop's restart takes with it.
    """
    if config["provider"]["type"] == "local" and config["provider"].get("head_ip"):
        return str(config["provider"]["head_ip"])
    from orchestrator.remote.ray_jobs import address_of

    return address_of(file)


def _options(auth: Mapping[str, Any]) -> tuple[str, ...]:
    """For ssh: the cluster's key alone, no questions, and an end within a minute when the line is dead."""
    options = {
        "BatchMode": "yes",
        "ConnectTimeout": "15",
        "LogLevel": "ERROR",
        "ServerAliveCountMax": "3",
        "ServerAliveInterval": "10",
        "StrictHostKeyChecking": "accept-new",
    }
    if auth.get("ssh_proxy_command"):
        options["ProxyCommand"] = str(auth["ssh_proxy_command"])
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    if auth.get("ssh_private_key"):
        words += ["-o", "IdentitiesOnly=yes", "-i", str(Path(auth["ssh_private_key"]).expanduser())]
    return tuple(words)
