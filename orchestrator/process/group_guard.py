"""Ends the programs that a process has started when that process is killed.

A killed process cannot clean up. So one small helper waits beside it, told of every process group; when the line to it
breaks, it kills those that were not reported as over.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
from contextlib import suppress

_CODE = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
groups = set()
for line in sys.stdin:
    (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        pass
"""
_helper: subprocess.Popen[str] | None = None


@atexit.register
def _let_go() -> None:
    """At an end in good order too: the helper kills what is left, and goes."""
    if _helper is not None and _helper.stdin is not None:
        _helper.stdin.close()
        _helper.wait(10)


def watch(group: int) -> None:
    """From here on, the process group is killed when this process dies."""
    global _helper  # noqa: PLW0603  # one beside each process, begun when it is first needed
    if _helper is None or _helper.poll() is not None:
        _helper = subprocess.Popen(  # noqa: S603
            [sys.executable, "-I", "-S", "-c", _CODE], stdin=subprocess.PIPE, text=True, start_new_session=True
        )
    _tell(f"+{group}\n")


def forget(group: int) -> None:
    """The process group is over."""
    _tell(f"-{group}\n")


def _tell(line: str) -> None:
    if _helper is not None and _helper.stdin is not None:
        with suppress(OSError):
            _helper.stdin.write(line)
            _helper.stdin.flush()


def end(group: int, process: subprocess.Popen[bytes], *, seconds: float = 5.0) -> None:
    """Asks all processes of a group to end, and kills them where they do not in time."""
    for signum in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signum)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            break
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)  # what the program has left behind
    forget(group)
