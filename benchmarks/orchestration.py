"""What a run costs beyond its training, beside plain Ray Tune; and how soon a study begins.

    python benchmarks/orchestration.py [--runs 1000,10000] [--tune 40]

The objective does nothing (noop.py), 10 runs a pack, 10 reports a run. Each measurement has a process of its own. "ms a
run" is wall time of the whole study, with the start and end of workers and without those of Ray; "of cores" is the
processor time of all processes for it, which other work on the machine changes less. What the sampler takes is told
apart. Plain Tune (plain_tune.py) runs fewer trials, a trial a run, in the same minutes and with the same cores.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import noop
from processes import largest_memory, processor_seconds
from rich.console import Console

from orchestrator.cluster import ray_token
from orchestrator.plan import optuna_search
from orchestrator.runners.run import Options, run

ROOT = Path(__file__).parent.parent
STUDIES = {"fixed": noop.fixed, "searched": noop.searched}
CORES = 2
Values = dict[str, float]


def measured(runner: str, kind: str, num_runs: int) -> Values:
    """The cost of a study in this project, in this process."""
    sampler, start, stop, whole = Stopwatch(), Stopwatch(), Stopwatch(), Stopwatch()
    optuna_search.Search.suggest = sampler.timing(optuna_search.Search.suggest)
    options: dict[str, Any] = {"serial": True}
    if runner == "ray":
        from orchestrator.cluster import ray_connection  # Ray is imported where it is measured

        ray_connection._join = start.timing(ray_connection._join, then=whole.begin_tree)
        ray_connection.ray.shutdown = stop.timing(ray_connection.ray.shutdown, first=whole.end_tree)
        options = {"address": "local", "workers": CORES}
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as nowhere, whole.running():
        study, options = STUDIES[kind](num_runs), Options(results=Path(folder, "r"), **options)
        run(study, noop.NoOp(), options, console=Console(file=nowhere))
    whole.wall -= start.wall + stop.wall + sampler.wall
    whole.tree = (whole.tree or whole.driver) - sampler.driver
    return _per_run(num_runs, whole, sampler=sampler.wall)


def plain_tune(num_trials: int) -> Values:
    """The cost of the same in plain Ray Tune."""
    from plain_tune import run as run_plain

    from orchestrator.cluster.ray_connection import connect

    whole = Stopwatch()
    with tempfile.TemporaryDirectory() as folder, connect("local", workers=CORES), whole.running():
        run_plain(num_trials, Path(folder))
    whole.tree = float("nan")  # its workers have ended, and what they took is not to be had any more
    return _per_run(num_trials, whole, sampler=0.0)


def _per_run(num_runs: int, whole: Stopwatch, *, sampler: float) -> Values:
    seconds = {"wall": whole.wall, "cores": whole.tree, "sampler": sampler}
    return {**{name: 1e3 * value / num_runs for name, value in seconds.items()}, "memory": _memory()}


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Stopwatch:
    """Seconds of the clock, of this process's processor, and of that of all processes of the tree."""

    def __init__(self) -> None:
        self.wall = self.driver = self.tree = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Counts what happens within."""
        wall, driver = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self.wall += time.perf_counter() - wall
            self.driver += time.process_time() - driver

    def begin_tree(self) -> None:
        """From here on, processes count."""
        self.tree -= processor_seconds()

    def end_tree(self) -> None:
        """Up to here."""
        self.tree += processor_seconds()

    def timing(
        self,
        call: Callable[..., Any],
        *,
        first: Callable[[], None] = lambda: None,
        then: Callable[[], None] = lambda: None,
    ) -> Callable[..., Any]:
        """A function that does the same, timed, with something to do before and after it that is not."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            first()
            with self.running():
                result = call(*args, **kwargs)
            then()
            return result

        return timed


def first_epoch(began: float) -> Values:
    """Seconds from the start of the quick MOSI study's process, which was at `began`, to its first epoch."""
    from orchestrator.runners.coordinator import Coordinator
    from studies.mosi_ablation import SCRIPT

    times: list[float] = []
    memory: list[float] = []
    receive = Coordinator.receive

    def noted(self: Coordinator, *arguments: Any) -> set[str]:
        times.append(time.time())
        memory.append(largest_memory("ray::PackTrainable"))
        self.drain("that was all")
        return receive(self, *arguments)

    Coordinator.receive = noted
    with tempfile.TemporaryDirectory() as folder:
        SCRIPT.main(["--address", "local", "--workers", str(CORES), "--results", f"{folder}/r"])
    return {"seconds": times[0] - began, "worker": max(memory), "driver": _memory()}


def floor(began: float) -> Values:
    """Seconds of what cannot be left out: Ray, started and with a worker that answers, and torch."""
    import torch  # noqa: F401

    from orchestrator.cluster.ray_connection import connect

    with connect("local", workers=CORES):
        return {"seconds": time.time() - began}


def in_a_process(*arguments: str) -> Values:
    """What a measurement in a process of its own gives."""
    return json.loads(_output(sys.executable, __file__, "--one", *arguments).splitlines()[-1])


def _output(*command: str) -> str:
    paths = os.pathsep.join([str(ROOT), str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
    return done.stdout


def one(what: str, *rest: str) -> Values:
    """A measurement, in this process."""
    match what:
        case "tune":
            return plain_tune(int(rest[0]))
        case "first":
            return first_epoch(float(rest[0]))
        case "floor":
            return floor(float(rest[0]))
        case _:
            return measured(what, rest[0], int(rest[1]))


def starts() -> None:
    """Prints how soon a study begins: the best of three."""
    firsts, floors = ([in_a_process(what, str(time.time())) for _ in range(3)] for what in ("first", "floor"))
    first, least = min(firsts, key=lambda values: values["seconds"]), min(values["seconds"] for values in floors)
    after = first["seconds"] - least
    print(
        f"first epoch after {first['seconds']:.1f} s, {after:.1f} s after Ray and torch by themselves ({least:.1f} s)"
    )
    print(f"a worker then holds {first['worker']:.0f} MB with its pack, the driver {first['driver']:.0f} MB")
    for option in ("--help", "--plan"):
        times = []
        for _ in range(3):
            began = time.perf_counter()
            _output(sys.executable, "studies/mosi_ablation.py", option)
            times.append(time.perf_counter() - began)
        print(f"{option} {min(times):.2f} s")


def main() -> None:
    """Measures, and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", default="1000,10000")
    parser.add_argument("--tune", type=int, default=40, help="trials of plain Tune; 0: without it")
    parser.add_argument("--one", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        ray_token.keep_private()  # before Ray is imported
        ray_token.use_if_there()
        print(json.dumps(one(*arguments.one)))
        return
    print(f"load: {os.getloadavg()[0]:.1f}")
    print(f"{'':32} {'runs':>6} {'ms a run':>9} {'of cores':>9} {'sampler':>8} {'driver, MB':>11}")
    sizes = [int(n) for n in arguments.runs.split(",")]
    rows = [(runner, "fixed", n) for runner in ("serial", "ray") for n in sizes]
    rows += [(runner, "searched", sizes[0]) for runner in ("serial", "ray")]
    ours: Mapping[str, float] = {}
    for runner, kind, n in rows:
        ours = _row(f"{runner}, {kind} list", n, in_a_process(runner, kind, str(n)))
    if arguments.tune:
        plain = _row("plain Ray Tune", arguments.tune, in_a_process("tune", str(arguments.tune)))
        print(f"plain Tune takes {plain['wall'] / ours['wall']:.0f} times as long a run as ours on Ray")
    starts()


def _row(name: str, num_runs: int, values: Values) -> Values:
    print(
        f"{name:32} {num_runs:6} {values['wall']:9.2f} {values['cores']:9.2f} {values['sampler']:8.2f} "
        f"{values['memory']:11.0f}",
        flush=True,
    )
    return values


if __name__ == "__main__":
    main()
