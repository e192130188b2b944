"""A cluster on which nothing can be trained is told apart from one that will grow."""

from __future__ import annotations

import pytest

from orchestrator.cluster.capacity_check import Health, Machine, absent, require_room

HEAD = Machine(address="10.0.0.1", resources={"CPU": 0.0})
WORKER = Machine(address="10.0.0.2", resources={"CPU": 4.0})
WITH_GPU = Machine(address="10.0.0.3", resources={"GPU": 1.0})


def test_one_node_with_room_is_enough() -> None:
    require_room(Health(machines=[HEAD, WORKER], grows=False), {"CPU": 1.0})


def test_a_cluster_without_a_cpu_is_refused_with_what_there_is() -> None:
    with pytest.raises(ValueError, match=r"must have 1 CPU for a pack; 10.0.0.1 has 0 CPU\. Start Ray"):
        require_room(Health(machines=[HEAD], grows=False), {"CPU": 1.0})


def test_a_cpu_on_one_node_and_a_gpu_on_another_hold_no_pack_of_both() -> None:
    with pytest.raises(ValueError, match=r"10.0.0.2 has 4 CPU, 0 GPU; 10.0.0.3 has 0 CPU, 1 GPU"):
        require_room(Health(machines=[WORKER, WITH_GPU], grows=False), {"CPU": 1.0, "GPU": 1.0})


def test_a_cluster_that_grows_is_given_time() -> None:
    require_room(Health(machines=[HEAD], grows=True), {"CPU": 1.0})


def test_machines_that_are_on_their_way_are_waited_for_and_named() -> None:
    health = Health(machines=[HEAD], grows=False, coming={"10.0.0.2": "setting-up"})
    require_room(health, {"CPU": 1.0})
    assert "1 of 2 nodes have joined the cluster; not yet: 10.0.0.2 (setting-up)" in absent(health)
    assert "doctor" in absent(health)


def test_nobody_is_missed_where_all_are_there() -> None:
    assert absent(Health(machines=[HEAD, WORKER], grows=False)) == ""
