"""Results on object storage (s3://, gs://, az://): whole objects under fresh names, and a lease instead of a lock.

There is no append, no rename and no lock there. A results folder with such an address has a copy on the local disk,
and every file that counts is put to the store before it counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import obstore
from obstore import exceptions
from obstore.store import from_url

SCHEMES = ("s3://", "gs://", "az://", "abfs://", "abfss://")
MOVING = "moving-to"  # the object that says where a move goes that is under way
LEASE = "journal/lease.json"  # of the driver that moves; it stays


def is_address(place: object) -> bool:
    """Whether results at `place` lie on object storage."""
    return str(place).startswith(SCHEMES)


class Bucket:
    """The objects below one address. Credentials and endpoints come from the environment, as the store's tools have it.

    Every method raises an OSError where the store cannot be reached or refuses.
    """

    def __init__(self, address: str, *, store: Any = None) -> None:
        """Objects at an address; `store` is one of obstore's, None: the one that the address names."""
        self.address = address.rstrip("/")
        parent, _, self._base = self.address.rpartition("/")
        if not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/]+(/[^/]+)+", self.address):
            raise ValueError(f"results on object storage need a bucket and a name, s3://BUCKET/NAME; got {address}")
        with _as_os_error(self.address):
            self._store: Any = from_url(parent) if store is None else store

    def put(self, name: str, data: bytes) -> str | None:
        """Writes an object, whatever was there; returns its tag."""
        with _as_os_error(self._at(name)):
            return obstore.put(self._store, self._key(name), data)["e_tag"]

    def create(self, name: str, data: bytes) -> str | None:
        """Writes a new object.

        Raises:
            FileExistsError: there is one of that name.
        """
        with _as_os_error(self._at(name)):
            return obstore.put(self._store, self._key(name), data, mode="create")["e_tag"]

    def replace(self, name: str, data: bytes, tag: str | None) -> str | None:
        """Writes an object if it still is the one with this tag.

        Stores without conditional puts write it in any case: what is built on this is best effort there.

        Raises:
            FileExistsError: it is another one by now.
        """
        with _as_os_error(self._at(name)):
            try:
                mode: Any = {"e_tag": tag}
                return obstore.put(self._store, self._key(name), data, mode=mode)["e_tag"]
            except exceptions.NotSupportedError:
                return obstore.put(self._store, self._key(name), data)["e_tag"]

    def get(self, name: str) -> bytes:
        """An object's contents.

        Raises:
            FileNotFoundError: there is none of that name.
        """
        with _as_os_error(self._at(name)):
            return bytes(obstore.get(self._store, self._key(name)).bytes())

    def get_if_there(self, name: str) -> bytes | None:
        """An object's contents; None: there is none of that name."""
        with suppress(FileNotFoundError):
            return self.get(name)
        return None

    def head(self, name: str) -> Mapping[str, Any]:
        """An object's `last_modified` and `e_tag`."""
        with _as_os_error(self._at(name)):
            return dict(obstore.head(self._store, self._key(name)))

    def names(self, prefix: str) -> list[str]:
        """The names of all objects below a folder."""
        with _as_os_error(self._at(prefix)):
            found = [entry["path"] for page in obstore.list(self._store, prefix=self._key(prefix)) for entry in page]
        return sorted(path.removeprefix(f"{self._base}/") for path in found)

    def remove(self, *names: str) -> None:
        """Removes objects; one that is gone already is no error."""
        for name in names:
            with _as_os_error(self._at(name)):
                try:
                    obstore.delete(self._store, self._key(name))
                except exceptions.NotFoundError:
                    continue

    def rename(self, base: str) -> None:
        """Moves every object to another address beside this one. What cuts it short, `finish_rename` makes good."""
        self.put(MOVING, base.encode())
        self.finish_rename()

    def finish_rename(self) -> None:
        """Ends a move that was begun."""
        try:
            base = self.get(MOVING).decode()
        except FileNotFoundError:
            return
        for name in self.names(""):
            if name not in (MOVING, LEASE):
                with _as_os_error(self._at(name)):
                    obstore.rename(self._store, self._key(name), f"{base}/{name}")
        self.remove(MOVING)

    def now(self) -> datetime:
        """The store's own time, by which ages of objects are told."""
        name = f"journal/clock-{datetime.now(UTC).timestamp():.6f}"
        self.put(name, b"")
        try:
            return self.head(name)["last_modified"]
        finally:
            self.remove(name)

    def _key(self, name: str) -> str:
        return f"{self._base}/{name}".rstrip("/")

    def _at(self, name: str) -> str:
        return f"{self.address}/{name}"


@contextmanager
def _as_os_error(where: str) -> Iterator[None]:
    """The store's exceptions as the ones that files have."""
    try:
        yield
    except (exceptions.AlreadyExistsError, exceptions.PreconditionError) as error:
        raise FileExistsError(f"{where} is there already, or another one by now") from error
    except (exceptions.NotFoundError, FileNotFoundError) as error:
        raise FileNotFoundError(f"{where} is not there") from error
    except exceptions.BaseError as error:
        raise OSError(f"{where}: {' '.join(str(error).split())[:300]}") from error
