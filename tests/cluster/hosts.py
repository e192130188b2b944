"""Hosts that really are separate, on one machine: each has its own network, processes, mounts, home and ssh daemon.

A switch (a bridge in a network namespace of its own) joins them; nothing leads out of it. What hosts share is what
they would share in a room: nothing, but the storage that is mounted on all of them under /mnt/shared, and the
operating system's own files. Needs root, iproute2, openssh-server and rsync.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import guardian

HOME = Path("/home/researcher")
SHARED = Path("/mnt/shared")
PACKAGES = {"sshd": "openssh-server", "rsync": "rsync", "ip": "iproute2", "make": "make"}
NETWORK = "10.77.0"


def require() -> None:
    """Installs what is missing.

    Raises:
        RuntimeError: hosts cannot be made here.
    """
    if os.geteuid() != 0:
        raise RuntimeError("hosts of their own need root (network, process and mount namespaces); run as root")
    missing = [package for program, package in PACKAGES.items() if shutil.which(program) is None]
    if missing:
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing], check=True)


@dataclass(kw_only=True)
class Switch:
    """The network that joins the hosts, under a name of its own: several may be there at a time."""

    name: str = field(default_factory=lambda: f"{guardian.NETWORK}{os.getpid()}")

    def __enter__(self) -> Switch:
        """Makes it; what an earlier run left is removed."""
        guardian.remove_networks_of_the_dead()
        self._remove()
        for command in (
            f"ip netns add {self.name}",
            f"ip -n {self.name} link set lo up",
            f"ip -n {self.name} link add br0 type bridge",
            f"ip -n {self.name} addr add {NETWORK}.1/24 dev br0",
            f"ip -n {self.name} link set br0 up",
        ):
            _do(command)
        return self

    def __exit__(self, *exception: object) -> None:
        """Removes it."""
        self._remove()

    def _remove(self) -> None:
        subprocess.run(["ip", "netns", "delete", self.name], capture_output=True)


@dataclass(kw_only=True)
class Host:
    """One host. Its disk (home) outlives its death.

    Args:
        folder: where its disk lies.
        image: a home that it starts from, copied when written to; None: an empty one.
    """

    name: str
    number: int  # the last part of its address
    switch: Switch
    folder: Path
    shared: Path
    image: Path | None = None
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def network(self) -> str:
        """Its network namespace."""
        return f"{self.switch.name}-{self.name}"

    @property
    def address(self) -> str:
        """Its address in the network."""
        return f"{NETWORK}.{self.number}"

    @property
    def home(self) -> Path:
        """Its home, seen from outside while it runs."""
        return self.folder / "home"

    def start(self) -> None:
        """Switches it on, and waits for its ssh daemon."""
        for name in ("home", "upper", "work"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self._plug()
        script = self.folder / "boot.sh"
        script.write_text(self._boot())
        command = ["ip", "netns", "exec", self.network, "unshare", "-p", "-m", "-u", "--mount-proc", "--fork"]
        log = (self.folder / "boot.log").open("ab")
        self._process = subprocess.Popen(
            [*command, "--kill-child", "bash", str(script)], stdout=log, stderr=log, start_new_session=True
        )
        log.close()
        self._wait()

    def kill(self) -> None:
        """Switches it off, as a plug is pulled: no process of it lives on."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None
        # Its card goes with its network, but not before the last who still looks into it from outside.
        subprocess.run(["ip", "-n", self.switch.name, "link", "delete", f"port{self.number}"], capture_output=True)
        subprocess.run(["ip", "netns", "delete", self.network], capture_output=True)

    def cut(self) -> None:
        """Takes it from the network."""
        _do(f"ip -n {self.network} link set eth0 down")

    def join(self) -> None:
        """Puts it back."""
        _do(f"ip -n {self.network} link set eth0 up")
        _do(f"ip -n {self.network} route replace default via {NETWORK}.1")

    def run(self, command: str, *, seconds: float = 600, check: bool = True) -> str:
        """What a user gets who types a command on it.

        Raises:
            AssertionError: it failed, and `check` is set.
        """
        done = subprocess.run(
            self.command(command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds
        )
        assert done.returncode == 0 or not check, f"{self.name}: {command}: {done.returncode}\n{done.stdout}"
        return done.stdout

    def begin(self, command: str, log: Path) -> subprocess.Popen[bytes]:
        """The same, without waiting for it."""
        with log.open("ab") as file:
            return subprocess.Popen(self.command(command), stdout=file, stderr=file, start_new_session=True)

    def command(self, command: str) -> list[str]:
        """What runs a command in a login shell of the host."""
        inside = ["nsenter", "-t", str(self._init()), "-n", "-p", "-m", "-u", "env", "-i", *self._environment()]
        return [*inside, "bash", "-c", f"cd; {command}"]

    def _plug(self) -> None:
        """Its network card, and the cable to the switch."""
        subprocess.run(["ip", "netns", "delete", self.network], capture_output=True)
        inside, port = f"ip -n {self.network}", f"port{self.number}"
        card = f"02:00:00:00:00:{self.number:02x}"  # the same after each start: the others remember it
        for command in (
            f"ip netns add {self.network}",
            f"{inside} link set lo up",
            f"ip -n {self.switch.name} link add {port} type veth peer name eth0 address {card} netns {self.network}",
            f"ip -n {self.switch.name} link set {port} master br0 up",
            f"{inside} addr add {self.address}/24 dev eth0",
            f"{inside} link set eth0 up",
            f"{inside} route add default via {NETWORK}.1",
        ):
            _do(command)

    def _boot(self) -> str:
        """What happens in its namespaces until the ssh daemon answers; the daemon is its first process."""
        home, overlay = shlex.quote(str(self.home)), ""
        if self.image is not None:
            layers = f"lowerdir={self.image},upperdir={self.folder / 'upper'},workdir={self.folder / 'work'}"
            overlay = f"mount -t overlay overlay -o {shlex.quote(layers)} {home}"
        environment = " ".join(shlex.quote(f"{pair}") for pair in self._environment())
        return f"""
            set -euo pipefail
            hostname {self.name}
            mount --make-rprivate /
            {overlay}
            mkdir -p {HOME} {SHARED}
            mount --bind {home} {HOME}
            mount --bind {shlex.quote(str(self.shared))} {SHARED}
            sed 's#^root:.*#root:x:0:0:root:{HOME}:/bin/bash#' /etc/passwd > {HOME}/.passwd
            mount --bind {HOME}/.passwd /etc/passwd
            mount -t tmpfs tmpfs /run
            mount -t tmpfs -o size=8g tmpfs /dev/shm
            cd {HOME}
            mount -t tmpfs tmpfs /tmp
            mkdir -p /run/sshd {HOME}/.ssh
            touch {HOME}/.bashrc
            test -e {HOME}/.ssh/host || ssh-keygen -q -t ed25519 -N '' -f {HOME}/.ssh/host
            exec "$(command -v sshd)" -D -e -f /dev/null -o HostKey={HOME}/.ssh/host -o PidFile=none -o UsePAM=no \\
                -o StrictModes=no -o PasswordAuthentication=no -o AuthorizedKeysFile={HOME}/.ssh/authorized_keys \\
                -o MaxStartups=100 -o SetEnv={shlex.quote(environment)}
        """

    def _environment(self) -> list[str]:
        """Of every shell: the Python that runs the tests comes first, and pip finds what it finds here."""
        path = f"{sys.base_prefix}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        pip = [f"{name}={value}" for name, value in os.environ.items() if name.startswith("PIP_")]
        return [f"PATH={path}", f"HOME={HOME}", "USER=root", "LANG=C.UTF-8", *pip]

    def _init(self) -> int:
        """Its first process, seen from outside."""
        assert self._process is not None, f"{self.name} is off"
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        return int(children[0])

    def _wait(self, *, seconds: float = 20) -> None:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            probe = ["ip", "netns", "exec", self.network, "bash", "-c", f"</dev/tcp/{self.address}/22"]
            if subprocess.run(probe, capture_output=True).returncode == 0:
                return
            time.sleep(0.1)
        raise AssertionError(f"{self.name} does not come up:\n{(self.folder / 'boot.log').read_text()}")


def introduce(laptop: Host, others: Sequence[Host]) -> None:
    """Gives the laptop a key that opens all others."""
    laptop.run("mkdir -p .ssh && test -e .ssh/id || ssh-keygen -q -t ed25519 -N '' -f .ssh/id")
    key = laptop.run("cat .ssh/id.pub")
    for host in others:
        host.run(f"mkdir -p .ssh && echo {shlex.quote(key.strip())} > .ssh/authorized_keys")


def _do(command: str) -> None:
    done = subprocess.run(command.split(), capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stderr}"
