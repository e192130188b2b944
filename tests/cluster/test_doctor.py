"""The doctor, given on a laptop, names what is wrong with hosts that really are separate, before and after `ray up`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from room import Room

pytestmark = pytest.mark.cluster
RESULTS = "/mnt/shared/doctor/results"
METADATA = "studies/.venv/lib/python3.*/site-packages/numpy-*.dist-info/METADATA"


def doctor(room: Room, results: str = RESULTS) -> tuple[int, str]:
    """The exit code, and what is said."""
    command = f".venv/bin/python -m orchestrator doctor cluster-owned.yaml --results {results}"
    output = room["laptop"].run(f"cd studies && {command}; echo $?")
    text, _, code = output.rstrip().rpartition("\n")
    return int(code), text


def worker(room: Room, name: str) -> str:
    """What the doctor calls a worker."""
    return f"worker {room[name].address}"


@contextmanager
def change(room: Room, name: str, command: str, *, back: str) -> Iterator[None]:
    """Something is wrong on one host for a while."""
    room[name].run(command)
    try:
        yield
    finally:
        room[name].run(back)


def assert_only_problem(said: tuple[int, str], where: str, words: str, remedy: str) -> None:
    code, text = said
    summary = text.partition("\n1 problem:\n")[2]
    assert code == 1, text
    assert summary.startswith(f"{where}:"), text
    assert words in summary
    assert remedy in summary.partition("remedy: ")[2]


def test_before_ray_up_healthy_hosts_are_well(room: Room) -> None:
    code, text = doctor(room)
    assert code == 0, text
    assert "does not run yet; `ray up cluster-owned.yaml` starts it" in text
    assert not list(room.shared.iterdir()), "the doctor leaves nothing behind"


def test_a_host_that_is_off_is_named(room: Room) -> None:
    room["worker2"].kill()
    try:
        assert_only_problem(doctor(room), f"{worker(room, 'worker2')}, reached", "no way to it", "switch it on")
    finally:
        room["worker2"].start()


def test_a_worker_without_a_default_route_is_named(room: Room) -> None:
    with change(room, "worker1", "ip route del default", back="ip route add default via 10.77.0.1"):
        said = doctor(room)
    assert_only_problem(said, f"{worker(room, 'worker1')}, default route", "never joins", "ip route add default via")


def test_after_ray_up_all_is_well_seen_from_the_laptop_and_from_the_head(cluster: Room) -> None:
    code, text = doctor(cluster)
    assert code == 0, text
    assert text.count("it has joined") == 2
    head = cluster["head"].run(f"cd studies && .venv/bin/python -m orchestrator doctor --results {RESULTS}")
    assert worker(cluster, "worker2") in head
    assert "All is well." in head
    assert not list(cluster.shared.iterdir()), "the doctor leaves nothing behind"


def test_a_package_of_another_version_is_named(cluster: Room) -> None:
    edit = f"cp {METADATA} kept && sed -i 's/^Version: .*/Version: 1.0/' {METADATA}"
    with change(cluster, "worker1", edit, back=f"cp kept {METADATA}"):
        said = doctor(cluster)
    assert_only_problem(said, f"{worker(cluster, 'worker1')}, packages", "numpy 1.0 (", "rm -r ~/studies/.venv")


def test_another_token_is_named_and_no_token_is_shown(cluster: Room) -> None:
    token = cluster["head"].run("cat .ray/auth_token").strip()
    with change(
        cluster, "worker2", "cp .ray/auth_token kept; echo other > .ray/auth_token", back="cp kept .ray/auth_token"
    ):
        code, text = doctor(cluster)
    assert_only_problem(
        (code, text), f"{worker(cluster, 'worker2')}, token", "not the head's", "copy ~/.ray/auth_token"
    )
    assert token not in text


def test_storage_that_one_worker_cannot_write_is_named(cluster: Room) -> None:
    read_only = "mount -o remount,bind,ro /mnt/shared"
    with change(cluster, "worker1", read_only, back="mount -o remount,bind,rw /mnt/shared"):
        said = doctor(cluster)
    assert_only_problem(said, f"{worker(cluster, 'worker1')}, results", "Read-only", "mount one storage at")


def test_a_folder_that_each_host_has_for_itself_is_not_shared(cluster: Room) -> None:
    code, text = doctor(cluster, "/home/researcher/mine")
    assert code == 1
    for name in ("worker1", "worker2"):
        assert f"{worker(cluster, name)}, results: /home/researcher/mine is its own" in text


def test_a_worker_that_is_killed_after_joining_is_named_until_ray_has_it_back(cluster: Room) -> None:
    cluster["worker2"].run("kill -9 $(pgrep raylet)")
    where, ends = worker(cluster, "worker2"), time.monotonic() + 60
    while (said := doctor(cluster))[0] == 0 and time.monotonic() < ends:
        time.sleep(1)
    assert_only_problem(said, f"{where}, Ray", "has not joined", "wait")
    cluster.wait_for_nodes(3, seconds=180)
    assert doctor(cluster)[0] == 0
