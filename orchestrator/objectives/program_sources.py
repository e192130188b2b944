"""A hash of a program: of its command, the files that this names, and what Python files among them import."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path


def sources_sha256(said: Iterable[str], words: Iterable[str], *, folder: Path, also: Iterable[Path] = ()) -> str:
    """The hash.

    Args:
        said: the command as it was written, and what else is known of it.
        words: of the command; those that are files count with their content.
        folder: from which their paths go.
        also: further files, or folders of files, that make the numbers.
    """
    digest = hashlib.sha256("\0".join(said).encode())
    for path in sorted({*_named(words, folder), *_files(also)}):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _named(words: Iterable[str], folder: Path) -> Iterator[Path]:
    for word in words:
        path = folder / word
        if path.is_file() and path.suffix:  # an interpreter has none
            yield from _with_imports(path)


def _files(also: Iterable[Path]) -> Iterator[Path]:
    for path in also:
        yield from (sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path])


def _with_imports(path: Path) -> set[Path]:
    """A file and, of Python, the files beside it that it imports, directly or not."""
    root, waiting, found = path.parent, [path], {path}
    while waiting:
        one = waiting.pop()
        if one.suffix != ".py":
            continue
        for module in _imported(one):
            for file in (root / f"{module}.py", root / module / "__init__.py"):
                if file.is_file() and file not in found:
                    found.add(file)
                    waiting.append(file)
    return found


def _imported(path: Path) -> Iterator[Path]:
    """The modules that a file names, as paths; one that cannot be parsed names none."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Path(*alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = Path(*(node.module or ".").split("."))
            yield module
            yield from (module / alias.name for alias in node.names)
