"""One room for all tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from room import Room, make_image, make_room


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home to start hosts from."""
    home = tmp_path_factory.mktemp("image")
    make_image(home)
    return home


@pytest.fixture(scope="session")
def room(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """Hosts, without Ray."""
    with make_room(image, tmp_path_factory.mktemp("room")) as room:
        yield room
