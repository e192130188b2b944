"""One writer per results folder: a lock that the kernel frees at its holder's death, and a file with its name.

On object storage there is a lease besides.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Self

from orchestrator.storage.results_folder import Folder
from orchestrator.storage.writer_lease import Lease, holder_of_lease

GLANCES, GLANCE_SECONDS = 5, 0.02  # while somebody asks who holds the lock


class BusyError(ValueError):
    """Another driver writes to the results folder.

    >>> try:
    ...     result = run(study, train, serial=True, results="results/first")
    ... except BusyError as error:
    ...     print(error)  # host, process and since when
    """


class Lock:
    """The lock of a results folder, held until `release` or the process's death.

    Raises:
        BusyError: it is held; the message says by whom.
        OSError: the folder cannot be written.
    """

    def __init__(self, folder: Folder) -> None:
        self._handle = _open(folder)
        try:
            _take(self._handle)
            while not _is_at(self._handle, folder):  # it was moved aside meanwhile
                os.close(self._handle)
                self._handle = _open(folder)
                _take(self._handle)
            Folder(folder.root).write(folder.owner, json.dumps(_me()).encode())
            self.lease = Lease(folder.bucket, _me()) if folder.bucket else None
        except BlockingIOError as error:
            os.close(self._handle)
            raise BusyError(_busy(folder, _owner(folder))) from error
        except FileExistsError as error:
            os.close(self._handle)
            raise BusyError(_busy(folder, str(error))) from error
        except BaseException:
            os.close(self._handle)
            raise

    def __enter__(self) -> Self:
        """Held already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Gives the folder back."""
        self.release()

    def release(self) -> None:
        """Gives the folder back."""
        if self.lease is not None:
            self.lease.release()
        os.close(self._handle)

    def check(self) -> None:
        """Raises an OSError where the folder may be another's by now."""
        if self.lease is not None:
            self.lease.check()


def _open(folder: Folder) -> int:
    folder.journal.mkdir(parents=True, exist_ok=True)
    return os.open(folder.journal / "lock", os.O_RDWR | os.O_CREAT, 0o644)


def _is_at(handle: int, folder: Folder) -> bool:
    """Whether the file that was opened is the folder's."""
    try:
        return os.path.samestat(os.fstat(handle), (folder.journal / "lock").stat())
    except FileNotFoundError:
        return False


def _take(handle: int) -> None:
    """Takes the kernel's lock; `holder` may have it for a moment.

    Raises:
        BlockingIOError: another driver has it.
    """
    for _ in range(GLANCES):
        with suppress(BlockingIOError):
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        time.sleep(GLANCE_SECONDS)
    return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def holder(folder: Folder) -> Mapping[str, Any] | None:
    """Who writes to a results folder now (host, pid, since); None: nobody. It takes no lock, and writes nothing."""
    if folder.bucket:
        return holder_of_lease(folder.bucket)
    try:
        with (folder.journal / "lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return json.loads(_owner(folder) or "{}")
    except FileNotFoundError:
        return None
    return None


def _me() -> dict[str, str | int]:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return {"host": socket.gethostname(), "pid": os.getpid(), "since": since}


def _owner(folder: Folder) -> str:
    try:
        return folder.owner.read_text()
    except OSError:
        return ""


def _busy(folder: Folder, written: str) -> str:
    try:
        owner = json.loads(written)
        who = f"host {owner['host']}, pid {owner['pid']}, since {owner['since']}"
    except (ValueError, KeyError, TypeError):
        who = "a driver that has not written its name yet"
    return (
        f"{folder.address} has one writer at a time, and another is at work: {who}. "
        "Wait for it, stop it, or give another folder with --results"
    )
