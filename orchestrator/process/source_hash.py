"""A hash of the code that makes the numbers, where an objective does not say its own.

It covers the source of the module that defines the objective, and of every module that this one imports, directly or
not, from the same project: an edited loss makes other runs. Of the objective's own module, what it does not use is left
out, so that a script may declare its study beside the model: more seeds are no other code. Installed packages are not
covered; rows have their versions.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

INSTALLED = ("site-packages", "dist-packages")


def code_sha256(objective: Any) -> str:
    """The objective's own `code_sha256`, or the hash of its sources.

    Raises:
        ValueError: its source cannot be found (it was typed into a notebook), so that nobody would notice a change.
    """
    own = getattr(objective, "code_sha256", None)
    if own is not None:
        return str(own)
    kind = objective if callable(objective) and hasattr(objective, "__module__") else type(objective)
    module = sys.modules.get(getattr(kind, "__module__", ""))
    if module is None or _file_of(module) is None:
        raise ValueError(
            "an objective needs a source file, whose hash says which runs are of the same code; "
            f"{getattr(kind, '__qualname__', kind)} has none. Give it an attribute code_sha256, any text that you "
            "change with the code"
        )
    digest = hashlib.sha256()
    used = getattr(kind, "__qualname__", "").partition(".")[0]
    for name, source in sorted(_sources(module, used).items()):
        digest.update(name.encode() + b"\0" + source + b"\0")
    return digest.hexdigest()


def _sources(module: ModuleType, used: str) -> dict[str, bytes]:
    """The sources of a module and of what it imports from its own project, directly or not, by their place in it.

    Args:
        used: the name in it that is used.
    """
    first = _file_of(module)
    assert first is not None
    root, found, waiting = _project_of(first), {first}, [(first, module.__package__ or "")]
    places = [first.parent, root, root / "src", *map(Path, sys.path)]
    while waiting:
        path, package = waiting.pop()
        for name in _imported(path, package):
            source = _file_of(sys.modules.get(name)) or _beside(name, places)
            if source is not None and source not in found and source.is_relative_to(root):
                found.add(source)
                waiting.append((source, name if source.name == "__init__.py" else name.rpartition(".")[0]))
    sources = {path.relative_to(root).as_posix(): path.read_bytes() for path in found}
    return sources | {first.relative_to(root).as_posix(): _needed(first.read_text(encoding="utf-8"), used)}


def _needed(text: str, used: str) -> bytes:
    """The statements of a module without those that define only what `used` does not need, directly or not."""
    statements = ast.parse(text).body
    defined = [_defines(statement) for statement in statements]
    # What is run without defining a name (a seed, a switch of a library) counts, but not what runs a script.
    kept = {i for i, names in enumerate(defined) if not names and not _runs_script(statements[i])}
    needed, waiting = set[str](), {used}.union(*(_mentions(statements[i]) for i in kept))
    while waiting:
        name = waiting.pop()
        needed.add(name)
        for i in [i for i, names in enumerate(defined) if name in names and i not in kept]:
            kept.add(i)
            waiting |= _mentions(statements[i]) - needed
    return "\n".join(ast.get_source_segment(text, statements[i]) or "" for i in sorted(kept)).encode()


def _defines(statement: ast.stmt) -> set[str]:
    """The names that a statement gives a meaning."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.partition(".")[0] for alias in statement.names} - {"annotations"}
    if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
        names = (node for node in ast.walk(statement) if isinstance(node, ast.Name))
        return {node.id for node in names if isinstance(node.ctx, ast.Store)}
    return set()


def _mentions(statement: ast.stmt) -> set[str]:
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}


def _runs_script(statement: ast.stmt) -> bool:
    """A docstring, or `if __name__ == "__main__"`."""
    is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return is_text or (isinstance(statement, ast.If) and "__name__" in _mentions(statement))


def _project_of(source: Path) -> Path:
    """The nearest folder above that is a checkout or has a pyproject.toml; without one, that of the top package."""
    for folder in source.parents:
        if (folder / ".git").exists() or (folder / "pyproject.toml").exists():
            return folder
    folder = source.parent
    while (folder / "__init__.py").exists():
        folder = folder.parent
    return folder


def _imported(path: Path, package: str) -> Iterator[str]:
    """Names of modules that a file may import, at any place in it."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            above = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            base = ".".join(part for part in (above, node.module or "") if part)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _beside(name: str, places: Sequence[Path]) -> Path | None:
    """The file of a module that is not loaded. Nothing is imported to find it."""
    inside = Path(*name.split(".")) if name else Path()
    candidates = (place / end for place in places for end in (inside.with_suffix(".py"), inside / "__init__.py"))
    return next((path for one in candidates if (path := _python(one))), None) if name else None


def _file_of(module: ModuleType | None) -> Path | None:
    return _python(Path(getattr(module, "__file__", None) or ""))


def _python(path: Path) -> Path | None:
    path = path.resolve()
    return path if path.suffix == ".py" and path.is_file() and not set(INSTALLED) & set(path.parts) else None
