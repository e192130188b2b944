"""What every store of results must keep, as a check that whoever writes one can run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from orchestrator.contracts.objective_contract import ContractError


class Store(Protocol):
    """The objects below one address, by names with slashes: what results on object storage rest on.

    >>> class Memory:
    ...     def __init__(self):
    ...         self.objects = {}
    ...
    ...     def put(self, name, data):
    ...         self.objects[name] = (data, object())
    ...         return str(id(self.objects[name][1]))
    >>> Memory().put("runs/part", b"rows") != ""
    True

    Every method raises an OSError where the store cannot be reached or refuses.
    """

    def put(self, name: str, data: bytes) -> str | None:
        """Writes an object, whatever was there; returns its tag."""
        ...

    def create(self, name: str, data: bytes) -> str | None:
        """Writes a new object; FileExistsError: there is one of that name."""
        ...

    def replace(self, name: str, data: bytes, tag: str | None) -> str | None:
        """Writes an object if it still is the one with this tag; FileExistsError: it is another one by now."""
        ...

    def get(self, name: str) -> bytes:
        """An object's contents; FileNotFoundError: there is none of that name."""
        ...

    def head(self, name: str) -> Mapping[str, Any]:
        """An object's `last_modified` and `e_tag`."""
        ...

    def names(self, prefix: str) -> list[str]:
        """The names of all objects below a folder, sorted."""
        ...

    def remove(self, *names: str) -> None:
        """Removes objects; one that is gone already is no error."""
        ...


def check_store(store: Store, *, folder: str = "contract") -> None:
    """Writes, replaces, lists and removes a few small objects, and leaves none behind.

    >>> from obstore.store import MemoryStore
    >>> from orchestrator.storage.object_store import Bucket
    >>> check_store(Bucket("memory://bucket/results", store=MemoryStore()))

    Args:
        store: what is checked.
        folder: below which it is done; nothing else may be there.

    Raises:
        ContractError: with the first thing that does not hold.
    """
    one, two = f"{folder}/one", f"{folder}/below/two"
    try:
        _absent(lambda: store.get(one), "what is not there must be a FileNotFoundError")
        tag = store.create(one, b"1")
        _refused(lambda: store.create(one, b"2"), "an object that is there must not be created again")
        _same(store.get(one), b"1", "a refused write must change nothing")
        newer = store.replace(one, b"3", tag)
        _same(store.get(one), b"3", "a replaced object must hold what was written last")
        _refused(lambda: store.replace(one, b"4", tag), "an object that was replaced meanwhile must not be written")
        _same(store.head(one)["e_tag"], newer, "the tag of an object must be that of its last write")
        store.put(two, bytes(range(256)) * 4096)
        _same(store.get(two), bytes(range(256)) * 4096, "a megabyte must come back as it was")
        _same(store.names(folder), sorted([one, two]), "all objects below a folder must be listed, sorted")
    finally:
        store.remove(one, two, one)
    _same(store.names(folder), [], "what is removed must be gone")


def _same(came: object, due: object, words: str) -> None:
    if came != due:
        raise ContractError(f"{words}; got {came!r:.200}")


def _refused(call: Callable[[], object], words: str) -> None:
    try:
        call()
    except FileExistsError:
        return
    raise ContractError(f"{words}; it was, and must be a FileExistsError")


def _absent(call: Callable[[], object], words: str) -> None:
    try:
        call()
    except FileNotFoundError:
        return
    raise ContractError(f"{words}; there was no error")
