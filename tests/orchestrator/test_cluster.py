"""Connecting to Ray: what is left of one of our own, and whether an actor has died or was cut off."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import ray
from conftest import RAY_WARNINGS
from rich.console import Console
from toy import Toy, toy_study

from orchestrator.cluster.ray_connection import SHORT, _found_here, _processes, connect, is_lost
from orchestrator.runners.run import Options, run

pytestmark = [pytest.mark.ray, *map(pytest.mark.filterwarnings, RAY_WARNINGS)]


def new_parent() -> Any:
    """An actor with children that nobody ends."""
    import ray

    class Parent:
        def bear(self) -> int:
            shell = "setsid sleep 600 > /dev/null & echo $!"  # the shell ends: Ray does not find the child below it
            return int(subprocess.run(["sh", "-c", shell], stdout=subprocess.PIPE, check=True).stdout)

        def die(self) -> None:
            os._exit(1)

    return ray.remote(Parent).options(num_cpus=0).remote()


def test_nothing_is_left_of_a_ray_of_our_own() -> None:
    with connect("local", workers=1):
        import ray

        actor = new_parent()
        child = ray.get(actor.bear.remote())
        assert Path(f"/proc/{child}").exists()
    ends = time.monotonic() + 10
    while _runs(child):
        assert time.monotonic() < ends, "it is still there"
        time.sleep(0.1)


STARTING = "from orchestrator.cluster.ray_connection import connect\nwith connect('local', workers=1): input()"


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("seconds", [0.0, 0.5, 1.0, 2.0])
def test_nothing_is_left_of_a_ray_that_is_interrupted_while_it_starts(seconds: float, times: int) -> None:
    before = set(Path(SHORT).glob("studies-*"))
    with subprocess.Popen([sys.executable, "-c", STARTING], stdin=subprocess.PIPE) as driver:
        ends = time.monotonic() + 30
        while not (new := set(Path(SHORT).glob("studies-*")) - before) or not _holding(new):
            assert time.monotonic() < ends, "no Ray"
            time.sleep(0.02)
        time.sleep(seconds)
        for _ in range(times):
            driver.send_signal(signal.SIGINT)
            time.sleep(0.05)
    assert _holding(new) == {}
    assert not any(folder.exists() for folder in new)


def test_a_part_of_ray_that_has_opened_nothing_yet_is_one_and_a_reader_is_none(tmp_path: Path) -> None:

    log = tmp_path / "log"
    log.touch()
    sleeping, part = "import time; time.sleep(60)", f"{Path(ray.__file__).parent}/part.py"
    starting = subprocess.Popen([sys.executable, "-c", sleeping, part, f"--logs-dir={tmp_path}/logs"])
    reading = subprocess.Popen(["tail", "-f", str(log)])
    try:
        ends = time.monotonic() + 10
        while (found := _processes(str(tmp_path))) != {starting.pid}:
            assert time.monotonic() < ends, found
    finally:
        for process in (starting, reading):
            process.kill()
            process.wait()


NOBODY = "127.0.0.1:6"


@pytest.mark.parametrize("said", ["--address", "RAY_ADDRESS"])
@pytest.mark.parametrize("who", ["nobody", "somebody else"])
def test_where_no_ray_answers_a_study_says_so_and_does_not_wait(
    said: str, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:  # it takes connections, and says nothing
        address = NOBODY if who == "nobody" else f"127.0.0.1:{other.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", address)
        refused = pytest.raises(ValueError, match=rf"^{said} {address}: no Ray cluster answers there within 5 s")
        with refused, connect(address if said == "--address" else None, workers=1):
            pass


def test_a_ray_that_a_study_has_started_for_itself_is_nobody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with connect("local", workers=1):
        import ray

        address = str(ray.get_runtime_context().gcs_address)
        ask = "from orchestrator.cluster.ray_connection import _found_here; print(_found_here())"
        asked = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
        join = f"from orchestrator.cluster.ray_connection import connect; connect({address!r}, workers=1).__enter__()"
        joined = subprocess.run([sys.executable, "-c", join], capture_output=True, text=True, check=False)
    assert asked.stdout.strip().rpartition(":")[2] != address.rpartition(":")[2]
    assert f"--address {address}: that Ray is another study's own, and ends with it" in joined.stderr


def test_one_that_was_started_with_ray_start_is_found(ray_address: str) -> None:
    found = _found_here()
    assert found is not None
    assert found.partition(":")[2] == ray_address.partition(":")[2]  # the same port, by another of its names


STUDY = """
import sys
from toy import Toy, toy_study
from orchestrator.runners.run import Options, run
ended = run(toy_study(trials=1, seeds=2), Toy(epoch_seconds=0.2), Options(results=sys.argv[1], workers=1))
sys.exit(0 if ended.complete else 1)
"""


def test_studies_that_start_at_once_on_one_machine_all_finish(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    environment["PYTHONPATH"] = str(Path(__file__).parent)
    studies = [
        subprocess.Popen(
            [sys.executable, "-c", STUDY, str(tmp_path / str(number))],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for number in range(3)
    ]  # fmt: skip
    for study in studies:
        output, _ = study.communicate(timeout=240)
        assert study.returncode == 0, output


def test_afterwards_signals_are_handled_as_the_caller_has_it(tmp_path: Path) -> None:
    handled = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1]
    script = f"""
import os, signal
from pathlib import Path
from toy import Toy, toy_study
from orchestrator.runners.run import Options, run
heard = []
for number in {[int(number) for number in handled]}:
    signal.signal(number, lambda number, frame: heard.append(number))
for how in ({{"serial": True}}, {{"address": "local", "workers": 1}}):
    run(toy_study(trials=0, seeds=1), Toy(), Options(results=Path({str(tmp_path)!r}) / str(len(how)), **how))
    for number in {[int(number) for number in handled]}:
        os.kill(os.getpid(), number)
print(heard)
"""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=False)
    assert done.stdout.splitlines()[-1:] == [str([int(number) for number in handled] * 2)], done.stderr


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_study_runs_in_a_thread_which_hears_no_signals(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        asked = Options(results=tmp_path / "results", serial=True)
        ended = pool.submit(run, toy_study(trials=0, seeds=1), Toy(), asked, console=Console(quiet=True)).result()
    assert ended.complete


def _holding(folders: set[Path]) -> dict[int, str]:
    """The processes that have a file of these folders open."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if any(str(path.readlink()).startswith(f"{folder}/") for folder in folders):
                found[int(path.parts[2])] = Path(f"/proc/{path.parts[2]}/comm").read_text().strip()
    return found


def _runs(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_an_actor_that_has_died_by_itself_is_not_lost_and_one_that_lives_or_was_ended_is() -> None:
    """A lively one, of which Ray says that it cannot be reached, was cut off; Tune lets go of it, which ends it."""
    with connect("local", workers=1):
        import ray

        died, killed, released = (new_parent() for _ in range(3))
        ids = [actor._actor_id.hex() for actor in (died, killed, released)]
        ray.get([actor.bear.remote() for actor in (died, killed, released)])
        assert [is_lost(actor_id) for actor_id in ids] == [True, True, True], "they live"
        with pytest.raises(ray.exceptions.RayActorError) as caught:
            ray.get(died.die.remote())
        assert caught.value.actor_id == ids[0]
        ray.kill(killed)
        del released
        wait_for_death(*ids)
        assert [is_lost(actor_id) for actor_id in ids] == [False, True, True]
        assert not is_lost(None)
        assert not is_lost("f" * 32)


def wait_for_death(*actor_ids: str) -> None:
    from ray._private import state

    ends = time.monotonic() + 20
    while {state.actors(actor_id)["State"] for actor_id in actor_ids} != {"DEAD"}:
        assert time.monotonic() < ends, "some live"
        time.sleep(0.1)
