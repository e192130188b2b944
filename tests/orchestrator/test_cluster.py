"""Connecting to Ray: what is left of one of our own, and whether an actor has died or was cut off."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from conftest import RAY_WARNINGS

from orchestrator.cluster import SHORT, connect, is_lost

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


STARTING = "from orchestrator.cluster import connect\nwith connect('local', workers=1): input()"


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
