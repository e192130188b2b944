"""What lies in a folder, in words: for the errors of readers that expected something else."""

from __future__ import annotations

from pathlib import Path

# More names than a line can show are counted.
_MOST = 12


def holds(folder: Path) -> str:
    """The files and folders in `folder`."""
    entries = sorted(folder.iterdir())
    files, folders = ([e.name for e in entries if e.is_dir() == is_dir] for is_dir in (False, True))
    parts = [_names(files)] if files else []
    parts += [f"the folder{'s' * (len(folders) > 1)} {_names(folders)}"] if folders else []
    return " and ".join(parts) or "nothing"


def _names(names: list[str]) -> str:
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return f"{names[:_MOST]}{more}"
