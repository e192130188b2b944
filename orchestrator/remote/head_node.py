"""The head of a cluster from a laptop: what ssh and rsync do with it."""

from __future__ import annotations

import shlex
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

DASHBOARD_PORT = 8265
# What a head says of itself to who logs in, and then nothing, until nobody listens any more.
GREETING = """
echo "$HOME"; test -x ~/studies/.venv/bin/python && echo yes || echo no
cat ~/.ray/auth_token 2> /dev/null; echo; exec cat > /dev/null
"""


class UnreachableError(ConnectionError):
    """The head does not answer, or not any more."""


@dataclass(frozen=True, kw_only=True)
class Tunnel:
    """A way to the dashboard of a head, which listens on the head's own loopback only."""

    url: str  # on this machine
    home: str  # of the user on the head
    is_set_up: bool  # whether `ray up` has made the environment
    token: str  # without it Ray answers nobody; empty: there is none


@dataclass(frozen=True, kw_only=True)
class Head:
    """Who logs in where, and how."""

    address: str
    user: str
    options: tuple[str, ...]  # of ssh

    def output(self, command: str) -> str:
        """What a command prints there.

        Raises:
            UnreachableError: ssh gave up, or the command failed.
        """
        return self._call(["ssh", *self.options, self._login, command])

    def send(self, local: Path, remote: str) -> None:
        """Copies a file, or what a folder holds, into a folder there; what is there already is not sent again."""
        source = f"{local}/" if local.is_dir() else f"{local}"
        self._call([*self._rsync, "--copy-links", source, f"{self._login}:{remote}/"])

    def bring(self, remote: str, local: Path, *, without: Sequence[str]) -> None:
        """Copies what a folder there holds."""
        local.mkdir(parents=True, exist_ok=True)
        excluded = [f"--exclude={pattern}" for pattern in without]
        self._call([*self._rsync, *excluded, f"{self._login}:{remote}/", f"{local}/"])

    @contextmanager
    def tunnel(self) -> Iterator[Tunnel]:
        """A way to the dashboard while it lasts.

        Its ssh ends with this process, however that ends: then nobody holds the other end of its input.
        """
        port = _free_port()
        forward = ["-o", "ExitOnForwardFailure=yes", "-L", f"127.0.0.1:{port}:127.0.0.1:{DASHBOARD_PORT}"]
        with tempfile.TemporaryFile("w+") as errors:
            process = subprocess.Popen(  # noqa: S603 - ours
                ["ssh", *self.options, *forward, self._login, GREETING],  # noqa: S607 - the user's own ssh
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,  # Ctrl-C is for us alone
            )
            try:
                assert process.stdout is not None
                home, is_set_up, token = (process.stdout.readline().strip() for _ in range(3))
                if not is_set_up:
                    process.wait()
                    errors.seek(0)
                    raise self._unreachable(errors.read().splitlines()[-1:])
                yield Tunnel(url=f"http://127.0.0.1:{port}", home=home, is_set_up=is_set_up == "yes", token=token)
            finally:
                process.kill()
                process.communicate()

    @property
    def _login(self) -> str:
        return f"{self.user}@{self.address}"

    @property
    def _rsync(self) -> list[str]:
        return ["rsync", "--archive", "--compress", "--partial", "--rsh", shlex.join(["ssh", *self.options])]

    def _call(self, command: Sequence[str]) -> str:
        done = subprocess.run(  # noqa: S603 - ours
            command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
        )
        if done.returncode:
            raise self._unreachable(done.stderr.splitlines()[:1])
        return done.stdout

    def _unreachable(self, said: Sequence[str]) -> UnreachableError:
        return UnreachableError(f"{self._login} must answer to ssh; it says: {' '.join(said) or 'nothing'}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
