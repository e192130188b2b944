"""The contracts of runners and stores, kept by those that are here, and broken in several ways."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import RAY_WARNINGS
from obstore.store import MemoryStore
from test_bucket import bucket, elsewhere, server  # noqa: F401

from orchestrator import ContractError, check_runner, check_store
from orchestrator.cluster.placement import Placement
from orchestrator.cluster.ray_connection import connect
from orchestrator.runners import ray_tune, serial
from orchestrator.storage.object_store import Bucket
from orchestrator.study.runs import Pack


def test_the_runner_in_this_process_keeps_it() -> None:
    check_runner(serial.run)


@pytest.mark.ray
@pytest.mark.filterwarnings(*RAY_WARNINGS)
def test_the_runner_on_ray_keeps_it(ray_address: str) -> None:
    def on_ray(coordinator: Any, objective: Any) -> None:
        with connect(ray_address, workers=2) as connection:
            ray_tune.run(coordinator, objective, placement=Placement(connection.room, most=2), checkpoint_seconds=0)

    check_runner(on_ray)


def gives_up(coordinator: Any, objective: Any) -> None:
    """Trains one pack and goes."""
    pack = coordinator.ask()
    assert isinstance(pack, Pack)
    serial._train(coordinator, objective, pack, 0)


class Confused:
    """Passes on an objective that says of every run what is true of another."""

    def __init__(self, objective: Any) -> None:
        self.objective = objective

    def __getattr__(self, name: str) -> Any:
        return getattr(self.objective, name)

    def train(self, pack: Any, state: Any = None) -> Any:
        outcomes = yield from self.objective.train(pack, state)
        return dict(zip(outcomes, reversed(list(outcomes.values())), strict=True))


@pytest.mark.parametrize(
    ("runner", "words"),
    [
        (gives_up, "must go on until the coordinator has nothing left"),
        (lambda c, o: serial.run(c, Confused(o)), "must have the rows of one that trains in this process"),
    ],
    ids=["gives up", "confuses runs"],
)
def test_a_runner_that_breaks_it_is_named(runner: Any, words: str) -> None:
    with pytest.raises(ContractError, match=words):
        check_runner(runner)


def memory() -> Bucket:
    return Bucket("memory://bucket/results", store=MemoryStore())


def test_a_store_in_memory_keeps_it() -> None:
    check_store(memory())


def test_a_store_over_the_network_keeps_it(bucket: Bucket) -> None:  # noqa: F811
    check_store(bucket)


@pytest.mark.parametrize(
    ("name", "broken", "words"),
    [
        ("create", Bucket.put, "must not be created again"),
        ("replace", lambda self, name, data, tag: self.put(name, data), "replaced meanwhile must not be written"),
        ("names", lambda self, prefix: [], "all objects below a folder must be listed"),
        ("remove", lambda self, *names: None, "what is removed must be gone"),
    ],
)
def test_a_store_that_breaks_it_is_named(name: str, broken: Any, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bucket, name, broken)
    with pytest.raises(ContractError, match=words):
        check_store(memory())
