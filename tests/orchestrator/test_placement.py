"""Which resources packs take."""

from __future__ import annotations

import pytest

from orchestrator.cluster.placement import REFRESH_SECONDS, Placement, Room, later

CPU_NODE = {"CPU": 4.0, "memory": 1e9, "node:10.0.0.1": 1.0}
GPU_NODE = {"CPU": 8.0, "GPU": 2.0}


def deal(placement: Placement, structure: str = "s") -> list[dict[str, float]]:
    """Everything that is dealt out before the placement says no."""
    dealt = []
    while placement.has_room():
        dealt.append(placement.place(structure))
        assert len(dealt) < 1000
    return dealt


def test_the_room_counts_cores_without_gpus_and_gpus_with_cores() -> None:
    assert Room.of([CPU_NODE, GPU_NODE, {"CPU": 1.0, "GPU": 4.0}, {"memory": 1.0}]) == Room(cores=4, gpus=3)


def test_as_many_packs_wait_as_run() -> None:
    assert deal(Placement(lambda: Room(cores=3))) == [{"CPU": 1.0}] * 6


def test_on_a_mixed_cluster_both_kinds_work_from_the_start() -> None:
    dealt = deal(Placement(lambda: Room(cores=2, gpus=1)))
    assert [d.get("GPU", 0.0) for d in dealt[:3]] in ([0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0])
    assert sum("GPU" in d for d in dealt) == 2
    assert len(dealt) == 6


@pytest.mark.parametrize(
    ("memory", "share"), [(0.01, 0.125), (0.1, 0.125), (0.11, 0.25), (0.3, 0.5), (0.45, 1.0), (0.99, 1.0)]
)
def test_a_measured_structure_takes_the_smallest_share_that_holds_it(memory: float, share: float) -> None:
    placement = Placement(lambda: Room(gpus=1))
    assert placement.place("a")["GPU"] == 1.0, "nothing is known of it yet"
    placement.measured("a", memory)
    assert placement.place("a")["GPU"] == share
    assert placement.place("b")["GPU"] == 1.0, "another structure is not known by it"


def test_what_is_over_makes_room() -> None:
    placement = Placement(lambda: Room(cores=1, gpus=1))
    dealt = deal(placement)
    for resources in dealt:
        placement.free(resources)
    assert sorted(map(str, deal(placement))) == sorted(map(str, dealt))


def test_workers_that_come_are_used_and_those_that_go_are_not_waited_for() -> None:
    rooms, now = [Room(cores=2)], [0.0]
    placement = Placement(lambda: rooms[-1], clock=lambda: now[0])
    assert len(deal(placement)) == 4
    rooms.append(Room(cores=5))
    assert not placement.has_room(), "it does not ask Ray at every turn"
    now[0] += REFRESH_SECONDS
    assert len(deal(placement)) == 6
    rooms.append(Room(cores=1))
    now[0] += REFRESH_SECONDS
    assert not placement.has_room()


def test_an_autoscaler_sees_what_could_run_later() -> None:
    assert len(deal(Placement(Room, later=Room(gpus=8)))) == 8
    assert all("GPU" in d for d in deal(Placement(Room, later=Room(gpus=8))))


def test_workers_are_at_most_as_many_as_the_user_says() -> None:
    assert len(deal(Placement(lambda: Room(cores=64), most=2))) == 4
    assert len(deal(Placement(lambda: Room(cores=1), most=3))) == 3, "an autoscaler may bring the others"


def test_workers_are_counted_as_they_are_or_may_come() -> None:
    cores = Placement(lambda: Room(cores=3), later=Room(cores=5))
    assert (cores.num_workers, cores.num_cores) == (5, 5)
    assert Placement(lambda: Room(cores=3), most=2).num_cores == 2
    mixed = Placement(lambda: Room(cores=3), later=Room(gpus=1))
    assert (mixed.num_workers, mixed.num_cores) == (3, 0), "where a GPU may come, packs stay large"


def test_a_cluster_file_says_what_may_come() -> None:
    file = {
        "max_workers": 5,
        "head_node_type": "head",
        "available_node_types": {
            "head": {"resources": {"CPU": 64}, "max_workers": 0},
            "gpu": {"resources": {"CPU": 8, "GPU": 1}, "max_workers": 4},
            "cpu": {"resources": {"CPU": 16}},
        },
    }
    assert later(file) == Room(gpus=4, cores=16), "five nodes at most"
    assert later({"provider": {"type": "local"}}) == Room()
