"""Old results, kept aside."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from orchestrator.storage.results_folder import Folder
from orchestrator.storage.writer_lock import Lock


def archive(folder: Folder, console: Console) -> None:
    """Moves old results aside, under a name with the time.

    Raises:
        BusyError: a driver writes there.
    """
    if not folder.root.exists() and not folder.bucket:
        return
    aside = first = f"{folder.address}-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    number = 1
    while not folder.bucket and Path(aside).exists():
        number += 1
        aside = f"{first}-{number}"
    with Lock(folder):
        if folder.bucket:
            folder.bucket.rename(aside.rpartition("/")[2])
            shutil.rmtree(folder.root)
        else:
            folder.root.rename(aside)
    console.print(f"The old results are kept in {aside}", soft_wrap=True, highlight=False)
