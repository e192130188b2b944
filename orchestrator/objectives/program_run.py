"""One run of a program: a process group, what it says, and what it leaves behind."""

from __future__ import annotations

import collections
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from orchestrator.process import group_guard

KEPT = 1 << 20  # bytes of each of its two outputs that are kept: so many from the beginning
LAST = 200  # lines of each that are kept from the end
TOLD = 20  # of these, lines in an error
LOOK_SECONDS = 0.2  # between looks at a file that it writes
NO_MEMORY = ("out of memory", "outofmemoryerror", "memoryerror")


class ProgramError(RuntimeError):
    """A program ended with an exit code that says that it failed."""


class ProgramKilledError(RuntimeError):
    """A program was ended by a signal that did not come from here."""


class TimeLimitError(RuntimeError):
    """A program took longer than its time limit."""


class Output:
    """What a program writes to one of its outputs: its beginning and its end, in a file."""

    def __init__(self, path: Path) -> None:
        self._file, self._size, self.last = path.open("wb"), 0, collections.deque[bytes](maxlen=LAST)

    def add(self, line: bytes) -> None:
        """Takes a line."""
        self.last.append(line)
        if self._size <= KEPT:
            self._file.write(line)
            self._file.flush()
        self._size += len(line)

    def close(self) -> None:
        """Writes what was held back."""
        if self._size > KEPT:
            self._file.write(b"\n[...]\n" + b"".join(self.last))
        self._file.close()
        if not self._size:
            Path(self._file.name).unlink(missing_ok=True)


class ProgramRun:
    """A program that runs.

    Args:
        command: its words.
        folder: in which it runs, and which has its output.
        environment: of the program.
        seconds: after which it is ended; None: never.
    """

    def __init__(
        self, command: Sequence[str], *, folder: Path, environment: Mapping[str, str], seconds: float | None
    ) -> None:
        self.command, self._seconds, self._is_late = command, seconds, False
        self._outputs = Output(folder / "output.txt"), Output(folder / "errors.txt")
        self._process = subprocess.Popen(  # noqa: S603  # the user's own command, read by no shell
            command, cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        group_guard.watch(self._process.pid)
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._stdout: IO[bytes] = self._process.stdout
        self._beside = threading.Thread(target=self._drain, args=(self._process.stderr,), daemon=True)
        self._beside.start()
        self._timer = None if seconds is None else threading.Timer(seconds, self._end_late)
        if self._timer is not None:
            self._timer.daemon = True
            self._timer.start()

    def lines(self) -> Iterator[str]:
        """The lines of its standard output, as they come."""
        for line in self._stdout:
            self._outputs[0].add(line)
            yield line.decode(errors="replace")

    def looks(self) -> Iterator[bool]:
        """False now and then while it runs, and True after its end."""
        drained = threading.Thread(target=lambda: collections.deque(self.lines(), maxlen=0), daemon=True)
        drained.start()
        while self._process.poll() is None:
            yield False
            time.sleep(LOOK_SECONDS)
        drained.join()
        yield True

    def finish(self) -> None:
        """Waits for its end.

        Raises:
            ProgramError: its exit code is not 0.
            MemoryError: likewise, and it says that there was no memory.
            ProgramKilledError: a signal ended it.
            TimeLimitError: it took too long.
        """
        code = self._process.wait()
        self._beside.join(5)
        if code == 0:
            return
        said = self._said()
        if self._is_late:
            raise TimeLimitError(f"the program took longer than its time limit of {self._seconds:g} s{said}")
        if any(words in said.lower() for words in NO_MEMORY):
            raise MemoryError(f"the program had no memory left{said}")
        if code < 0:
            raise ProgramKilledError(f"the program was ended by {signal.Signals(-code).name}{said}")
        raise ProgramError(f"the program ended with exit code {code}{said}")

    def close(self) -> None:
        """Ends it and all that it has started, if it still runs."""
        if self._timer is not None:
            self._timer.cancel()
        group_guard.end(self._process.pid, self._process)
        self._beside.join(5)
        self._stdout.close()
        for output in self._outputs:
            output.close()

    def _drain(self, stderr: IO[bytes]) -> None:
        with stderr:
            for line in stderr:
                self._outputs[1].add(line)

    def _end_late(self) -> None:
        self._is_late = True
        group_guard.end(self._process.pid, self._process)

    def _said(self) -> str:
        """Its last lines: its errors, or where there are none, its output."""
        lines = [*self._outputs[1].last] or [*self._outputs[0].last]
        text = b"".join(lines[-TOLD:]).decode(errors="replace").strip()
        return f"; its last lines:\n{text}" if text else ", without a word"


def environment() -> dict[str, str]:
    """Of this process, GPUs included; lines of Python's come at once."""
    return os.environ | {"PYTHONUNBUFFERED": "1"}
