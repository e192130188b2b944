"""Results on object storage (s3://, gs://, az://): a copy is fetched, and the report put beside them."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

TABLES = ("runs", "epochs", "items", "generated")
COPIES = Path("~/.cache/study-reports")
DATABASES = ("sqlite:", "mysql", "postgresql", "http:", "https:")  # storages of other tools
AT_ONCE = 16  # objects


def is_address(results: str) -> bool:
    """Whether results lie on object storage."""
    return "://" in results and not results.startswith(DATABASES)


def local(results: str) -> Path:
    """A folder on this machine; results on object storage are fetched."""
    return fetch(results) if is_address(results) else Path(results)


def fetch(address: str) -> Path:
    """What a report needs, in a folder on this machine. Parts never change: those that are there stay.

    Raises:
        ValueError: nothing like results can be read at the address.
    """
    store = _store(address)
    name = f"{address.rstrip('/').rpartition('/')[2]}-{hashlib.sha256(address.encode()).hexdigest()[:12]}"
    folder = COPIES.expanduser() / name
    try:
        _get(store, folder, "study.json")
        names = [entry["path"] for table in TABLES for page in store.list(table) for entry in page]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda n: _get(store, folder, n), [n for n in names if not (folder / n).exists()]))
    except Exception as error:  # the store's own kinds
        raise ValueError(
            f"results must lie at {address}; reading failed: {' '.join(str(error).split())[:300]}"
        ) from error
    return folder


def send(folder: Path, address: str) -> None:
    """Puts the report beside the results."""
    store = _store(address)
    for path in sorted((folder / "report").rglob("*")):
        if path.is_file():
            store.put(path.relative_to(folder).as_posix(), path.read_bytes())


def _get(store: Any, folder: Path, name: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f"{path.name}.half")
    half.write_bytes(bytes(store.get(name).bytes()))
    half.replace(path)


def _store(address: str) -> Any:
    try:
        from obstore.store import from_url  # needed for such addresses only
    except ImportError as error:
        raise ValueError(
            f"to read {address} takes the package obstore; it is not installed here: pip install obstore"
        ) from error
    try:
        return from_url(address)
    except Exception as error:
        raise ValueError(
            f"results must be a folder or an address of object storage; got {address} ({error})"
        ) from error
