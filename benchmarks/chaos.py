"""Kills a real study, again and again, and checks what its ledger says in the end.

    python benchmarks/chaos.py --kills 100 [--seed 0] [--folder DIR]

A small study on a local Ray is started by its own command and killed (`kill -9`) at random: the driver, a worker, the
raylet, or all of it at once, as when a machine goes down. The moment is drawn too: some time after the start; right
after a line of the journal of some kind (a pack asked, begun, reported, a run told, a part about to be written, a
configuration chosen); or while the report is drawn. Meanwhile reading.py reads the folder with every common reader.
When a study is over its ledger is checked by ledger_check.py, and the next one begins, until all kills are spent.
With --fixed nothing is searched, and the table must be that of a study that nobody disturbed, bit for bit.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ledger_check import WrongError, check, finished, journal, must, table

ROOT = Path(__file__).parent.parent
STUDY = ("studies/mosi_ablation.py", "--epochs", "10", "--address", "local", "--workers", "2")
# Its size, and that of a small one; with --fixed nothing is searched.
LARGE = ("--arms", "no_generative_loss,no_prior,without_language", "--seeds", "8")
SMALL = ("--arms", "without_language", "--seeds", "4")
TRIALS, FEW_TRIALS = 12, 4
VICTIMS = ("driver", "worker", "raylet", "machine")
MOMENTS = ("starting", "asked", "began", "reported", "told", "part", "chosen", "drawing")
CALL = "=== call"
AGENTS = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")  # Ray's own; they miss their raylet after half a minute
LONGEST = 900.0  # seconds that one call may take


@dataclass(kw_only=True)
class Blow:
    """A kill that is planned."""

    victim: str
    moment: str
    has_come: Callable[[], bool]  # whether it is to be struck


@dataclass(kw_only=True)
class Tally:
    """What was done, and what was found."""

    kills: Counter[tuple[str, str]] = field(default_factory=Counter)
    calls: int = 0
    runs: Counter[str] = field(default_factory=Counter)
    studies: int = 0
    reads: int = 0

    @property
    def num_kills(self) -> int:
        """All kills so far."""
        return sum(self.kills.values())


class Call:
    """The study's command, running."""

    def __init__(self, results: Path, seed: int, *, size: Sequence[str]) -> None:
        self.results, self._began = results, time.time()
        self._lengths = {path: path.stat().st_size for path in self._segments()}
        self.log = results.parent / f"{results.name}.log"
        with self.log.open("a") as log:
            log.write(f"{CALL} {time.strftime('%H:%M:%S')}\n")
            log.flush()
            command = [sys.executable, *STUDY, *size, "--seed", str(seed), "--results", str(results)]
            self.mark = f"CHAOS_CALL={os.getpid()}-{time.time_ns()}"  # all its processes bear it, orphans too
            name, _, value = self.mark.partition("=")
            self.process = subprocess.Popen(
                command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True, env={**os.environ, name: value}
            )

    @property
    def seconds(self) -> float:
        """Since its start."""
        return time.time() - self._began

    def lines(self, kind: str) -> int:
        """Lines of one kind that it has written to the journal."""
        pattern = re.compile(rb"^[0-9a-f]{8} %s " % kind.encode(), re.MULTILINE)
        return sum(len(pattern.findall(path.read_bytes()[self._lengths.get(path, 0) :])) for path in self._segments())

    def is_drawing(self) -> bool:
        """Whether it has begun to write its report."""
        figures = self.results / "report" / "figures"
        return figures.exists() and any(path.stat().st_mtime > self._began for path in figures.iterdir())

    def kill(self, victim: str) -> bool:
        """Kills; whether there was what was to be killed."""
        if victim == "machine":
            for pid in self.processes():
                _kill(pid)
            return True
        if victim == "driver":
            return _kill(self.process.pid)
        pids = [pid for pid in self.processes() if _is(victim, _command(pid))]
        return bool(pids) and _kill(random.choice(pids))

    def processes(self) -> list[int]:
        """All of them: the driver, and Ray's, which start sessions of their own."""
        return [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/environ") if self._bears_mark(path)]

    def _bears_mark(self, environment: Path) -> bool:
        try:
            return self.mark.encode() in environment.read_bytes().split(b"\0")
        except OSError:
            return False

    def _segments(self) -> list[Path]:
        return list((self.results / "journal").glob("*.jsonl"))


class Reader:
    """A process that reads the results all the while."""

    def __init__(self, results: Path) -> None:
        self._stop = results.with_name(f"{results.name}.stop")
        command = [sys.executable, str(ROOT / "benchmarks" / "reading.py"), str(results), str(self._stop)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def end(self) -> int:
        """How often it read, all readers together."""
        self._stop.touch()
        output, _ = self._process.communicate()
        must(self._process.returncode == 0, f"a reader failed:\n{output}")
        return sum(int(count) for count in re.findall(r"\d+", output))


def main() -> None:
    """Kills, and says what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fixed", action="store_true", help="fixed configurations, compared with an undisturbed study")
    parser.add_argument("--small", action="store_true", help="two arms, 4 trials and 4 seeds")
    parser.add_argument("--folder", type=Path, help="where results and logs go (default: a temporary folder)")
    arguments = parser.parse_args()
    rng, tally = random.Random(arguments.seed), Tally()
    random.seed(arguments.seed)
    with tempfile.TemporaryDirectory(prefix="chaos-") as scratch:
        folder = arguments.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        while tally.num_kills < arguments.kills:
            torment(folder / f"study-{tally.studies}", rng, tally, arguments)
    say(tally)


def torment(results: Path, rng: random.Random, tally: Tally, arguments: argparse.Namespace) -> None:
    """One study from its beginning to its end, killed until it is over or all kills are spent."""
    seed = tally.studies
    trials = 0 if arguments.fixed else FEW_TRIALS if arguments.small else TRIALS
    size = [*(SMALL if arguments.small else LARGE), "--trials", str(trials)]
    tally.studies += 1
    known: dict[str, str] = {}
    is_over = False
    reader, calls = Reader(results), list[Call]()
    while not is_over:
        call = Call(results, seed, size=size)
        tally.calls += 1
        is_over = follow(call, rng, tally, most=arguments.kills)
        calls.append(call)
        wait_until_gone([call], but=AGENTS)
        now = finished(list(journal(results)))
        must(known.keys() <= now.keys(), f"finished runs are gone: {sorted(known.keys() - now.keys())}")
        must(all(now[run_id] == stored for run_id, stored in known.items()), "a finished run was stored anew")
        known = now
    tally.reads += reader.end()
    wait_until_gone(calls)
    tally.runs += check(results)
    if arguments.fixed:
        compare_with_calm(results, seed, size)
    print(f"{time.strftime('%H:%M:%S')}  study {seed}: whole after {tally.num_kills} kills", flush=True)


def compare_with_calm(results: Path, seed: int, size: Sequence[str]) -> None:
    """The same study, left alone, must have given the same numbers."""
    calm = Call(results.with_name(f"{results.name}-calm"), seed, size=size)
    must(calm.process.wait() == 0, f"the undisturbed study failed; see {calm.log}")
    tables = [{row["run_id"]: _numbers(row) for row in table(folder, "runs")} for folder in (results, calm.results)]
    must(tables[0] == tables[1], "kills have changed the table")


def _numbers(row: Mapping[str, object]) -> dict[str, object]:
    return {
        name: value for name, value in row.items() if name.startswith(("metric:", "param:")) or name == "best_epoch"
    }


def follow(call: Call, rng: random.Random, tally: Tally, *, most: int) -> bool:
    """Watches a call, and strikes when the moment has come. Returns whether the study came to its end.

    A study whose worker was killed goes on, and is struck again.
    """
    blow, is_fatal = draw(call, rng), False
    while call.process.poll() is None:
        if call.seconds > LONGEST:
            call.kill("machine")
            raise WrongError(f"no end after {LONGEST:.0f} s; see {call.log}")
        if tally.num_kills < most and not is_fatal and blow.has_come():
            time.sleep(rng.uniform(0, 0.1))
            if call.kill(blow.victim):
                tally.kills[blow.victim, blow.moment] += 1
                is_fatal = blow.victim != "worker"
            blow = draw(call, rng)
        time.sleep(0.005)
    code = call.process.returncode
    must(code == 0 or is_fatal, f"the study ended with {code}; see {call.log}")
    return code == 0 and "Page: " in call.log.read_text().rpartition(CALL)[2]


def draw(call: Call, rng: random.Random) -> Blow:
    """The next blow."""
    victim, moment = rng.choice(VICTIMS), rng.choice(MOMENTS)
    return Blow(victim=victim, moment=moment, has_come=moment_of(call, moment, rng))


def moment_of(call: Call, moment: str, rng: random.Random) -> Callable[[], bool]:
    """Whether a moment has come."""
    if moment == "starting":
        at = call.seconds + rng.uniform(0.2, 15)
        return lambda: call.seconds >= at
    if moment == "drawing":
        return call.is_drawing
    number = call.lines(moment) + rng.randint(1, 2 if moment in ("part", "chosen") else 4)
    return lambda: call.lines(moment) >= number


def wait_until_gone(calls: list[Call], *, but: Collection[str] = (), seconds: float = 120) -> None:
    """Nothing of these calls, and of their Ray, may be left on the machine."""
    left: list[str] = []
    for _ in range(int(10 * seconds)):
        commands = [_command(pid).strip() for call in calls for pid in call.processes()]
        left = [command for command in commands if command not in but]
        if not left:
            return
        time.sleep(0.1)
    raise WrongError(f"processes are left after {seconds:.0f} s: {left}; see {calls[-1].log}")


def say(tally: Tally) -> None:
    """The figures."""
    print(
        f"{tally.num_kills} kills in {tally.calls} calls of {tally.studies} studies; {tally.runs.total()} runs: "
        + ", ".join(f"{count} {status}" for status, count in sorted(tally.runs.items()))
    )
    print(f"{tally.reads} reads meanwhile, none failed")
    for victim in VICTIMS:
        by_moment = {m: tally.kills[victim, m] for m in MOMENTS if tally.kills[victim, m]}
        print(f"  {victim}: " + ", ".join(f"{count} {moment}" for moment, count in by_moment.items()))
    print("no finished run lost, none twice, every arm complete, nothing left running")


def _is(victim: str, command: str) -> bool:
    if victim == "worker":
        return command.startswith("ray::PackTrainable")
    return "raylet/raylet" in command.partition(" ")[0]


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


if __name__ == "__main__":
    main()
