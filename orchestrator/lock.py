"""One writer per results folder: a lock that the kernel frees at its holder's death, and a file with its name."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from datetime import UTC, datetime

from orchestrator.folder import Folder


class BusyError(ValueError):
    """Another driver writes to the results folder."""


class Lock:
    """The lock of a results folder, held until `release` or the process's death.

    Raises:
        BusyError: it is held; the message says by whom.
        OSError: the folder cannot be written.
    """

    def __init__(self, folder: Folder) -> None:
        folder.journal.mkdir(parents=True, exist_ok=True)
        self._handle = os.open(folder.journal / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            folder.write(folder.owner, json.dumps(_me()).encode())
        except BlockingIOError as error:
            os.close(self._handle)
            raise BusyError(_busy(folder)) from error
        except BaseException:
            os.close(self._handle)
            raise

    def release(self) -> None:
        """Gives the folder back."""
        os.close(self._handle)


def _me() -> dict[str, str | int]:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return {"host": socket.gethostname(), "pid": os.getpid(), "since": since}


def _busy(folder: Folder) -> str:
    try:
        owner = json.loads(folder.owner.read_bytes())
        who = f"host {owner['host']}, pid {owner['pid']}, since {owner['since']}"
    except (OSError, ValueError, KeyError):
        who = "a driver that has not written its name yet"
    return (
        f"{folder.root} has one writer at a time, and another is at work: {who}. "
        "Wait for it, stop it, or give another folder with --results"
    )
