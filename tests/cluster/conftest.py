"""One room for all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from room import Room, make_image, make_room


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home to start hosts from. Who is not root is told so; CI is to be."""
    if os.geteuid() != 0 and not os.environ.get("CI"):
        pytest.skip("hosts of their own need root: run the tests of the marker 'cluster' as root")
    home = tmp_path_factory.mktemp("image")
    make_image(home)
    return home


@pytest.fixture(scope="package")
def room(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """Hosts, without Ray."""
    with make_room(image, tmp_path_factory.mktemp("room")) as room:
        yield room


@pytest.fixture(scope="package")
def cluster(room: Room) -> Iterator[Room]:
    """The cluster, brought up by its own file, and at the end taken down by it."""
    room["laptop"].run("cd studies && .venv/bin/ray up -y cluster-owned.yaml")
    room.wait_for_nodes(3)
    yield room
    room["laptop"].run("cd studies && .venv/bin/ray down -y cluster-owned.yaml")
