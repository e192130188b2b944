"""A room of hosts: a laptop, a head, and workers, which have what `make` gives a user."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hosts import HOME, Host, Switch, introduce, require

ROOT = Path(__file__).parent.parent.parent
NAMES = ("laptop", "head", "worker1", "worker2", "worker3")  # addresses end in 2, 3, ...
NODES = """
import ray
ray.init(address="auto", logging_level="ERROR", log_to_driver=False)
print("alive", sum(node["Alive"] for node in ray.nodes()))
"""


@dataclass(frozen=True, kw_only=True)
class Room:
    """Hosts by name, and the storage that they share."""

    hosts: dict[str, Host]
    shared: Path

    def __getitem__(self, name: str) -> Host:
        """The host of that name."""
        return self.hosts[name]

    def wait_for_nodes(self, number: int, *, seconds: float = 120) -> None:
        """Until so many nodes have joined."""
        status, ends = "", time.monotonic() + seconds
        while time.monotonic() < ends:
            status = self["head"].run(f"cd studies && RAY_AUTH_MODE=token .venv/bin/python -c '{NODES}'", check=False)
            if f"alive {number}\n" in status:
                return
            time.sleep(1)
        raise AssertionError(f"not {number} nodes after {seconds:.0f} s:\n{status}")


def make_image(home: Path) -> None:
    """The home of somebody who has cloned the project and run make: hosts start from it.

    The environment is a copy of the one that runs these tests: that `make` builds one, every run of the gate shows.
    """
    require()
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(home / "studies")], check=True)
    changed = ["git", "-C", str(ROOT), "ls-files", "--modified", "--others", "--exclude-standard"]
    for name in subprocess.run(changed, check=True, capture_output=True, text=True).stdout.split():
        (home / "studies" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, home / "studies" / name)
    environment = home / "studies" / ".venv"
    shutil.copytree(sys.prefix, environment, symlinks=True)
    packages = next(environment.glob("lib/python3.*/site-packages"))
    _rewrite(environment.glob("bin/*"), re.escape(sys.prefix), f"{HOME}/studies/.venv")
    _rewrite([environment / "pyvenv.cfg"], re.escape(sys.prefix), f"{HOME}/studies/.venv")
    _rewrite(packages.glob("__editable__*finder.py"), r"'(\w+)': '[^']+'", rf"'\1': '{HOME}/studies/\1'")
    (environment / ".installed").touch()


def _rewrite(paths: Iterable[Path], pattern: str, new: str) -> None:
    """An environment names its own folder in its scripts; what is no text stays."""
    for path in paths:
        if path.is_file() and not path.is_symlink():
            old = path.read_bytes()
            if (text := re.sub(pattern.encode(), new.encode(), old)) != old:
                path.write_bytes(text)


@contextmanager
def make_room(image: Path, folder: Path) -> Iterator[Room]:
    """All hosts but worker3 are on; the laptop has a key to the others, and a cluster file with its three edits."""
    shared = folder / "shared"
    shared.mkdir()
    with Switch() as switch:
        hosts = {
            name: Host(name=name, number=number, switch=switch, folder=folder / name, shared=shared, image=image)
            for number, name in enumerate(NAMES, start=2)
        }
        try:
            for host in hosts.values():
                host.start()
            introduce(hosts["laptop"], [hosts[name] for name in NAMES[1:]])
            hosts["worker3"].kill()
            edit(hosts, ["worker1", "worker2"])
            yield Room(hosts=hosts, shared=shared)
        finally:
            for host in hosts.values():
                host.kill()


def edit(hosts: dict[str, Host], workers: list[str]) -> None:
    """What a user changes in cluster-owned.yaml."""
    edits = {
        "head_ip": hosts["head"].address,
        "worker_ips": f"[{', '.join(hosts[name].address for name in workers)}]",
        "max_workers": len(workers),
        "ssh_user": "root",
        "ssh_private_key": "~/.ssh/id",
    }
    commands = " ".join(f"-e 's#{key}: .*#{key}: {value}#'" for key, value in edits.items())
    hosts["laptop"].run(f"sed -i {commands} studies/cluster-owned.yaml")
