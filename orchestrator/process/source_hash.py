"""A hash of the code that makes the numbers, where an objective does not say its own.

It covers the source of the module that defines the objective, and of every module that this one imports, directly or
not, from the same project: an edited loss makes other runs. Of the objective's own module, what it does not use is left
out, so that a script may declare its study beside the model: more seeds are no other code. Installed packages and this
one are not covered; rows have their versions.
"""

from __future__ import annotations

import ast
import hashlib
import sys
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import CellType, FunctionType, MethodType, ModuleType
from typing import Any

from orchestrator.process.typed_source import typed_source

REFLECTING = {"globals", "eval", "exec", "__import__"}  # who uses these may use any name
ENGINE = {"orchestrator", "analysis"}  # they run a study, and make none of its numbers
INSTALLED = ("site-packages", "dist-packages")


def code_sha256(objective: Any) -> str:
    """The objective's own `code_sha256`, or the hash of its sources.

    Raises:
        ValueError: its source cannot be found (it was typed into a notebook), so that nobody would notice a change.
    """
    own = getattr(objective, "code_sha256", None)
    if own is not None:
        return str(own)
    kind = _code_of(objective)
    digest = hashlib.sha256()
    objects = [kind, *_within(objective)]
    for one in [one for one in objects if isinstance(one, type | FunctionType) and one.__module__ == "__main__"]:
        if _module_of(one) is None and (typed := typed_source(one)) is not None:
            digest.update(typed[0])
            objects += typed[1]
            objects.remove(one)
    known = {one: module for one in objects if (module := _module_of(one)) is not None}
    if kind in objects and kind not in known:
        raise ValueError(
            "an objective needs its source, whose hash says which runs are of the same code; "
            f"{getattr(kind, '__qualname__', kind)} has none. Give it an attribute code_sha256, any text that you "
            "change with the code"
        )
    for one, module in known.items():
        used = getattr(one, "__qualname__", "").partition(".")[0]
        for name, source in sorted(_sources(module, used).items()):
            digest.update(name.encode() + b"\0" + source + b"\0")
    return digest.hexdigest()


def _module_of(value: Any) -> ModuleType | None:
    """The module that defines a class or function, where it is a file."""
    module = sys.modules.get(getattr(value, "__module__", ""))
    return module if module is not None and _file_of(module) is not None else None


def _within(objective: Any) -> Iterator[Any]:
    """The classes and functions that an objective holds or was handed, however deep, in the order in which they stand.

    Followed are attributes, closures, defaults, the arguments of a `partial`, and what stands in plain containers.
    """
    waiting, seen = [objective], set[int]()
    while waiting:
        value = waiting.pop(0)
        if id(value) in seen:
            continue
        seen.add(id(value))
        if value is not objective and callable(value) and not isinstance(value, partial | MethodType):
            yield _code_of(value)
        elif value is not objective and _is_of_project(type(value)):
            yield type(value)
        waiting += _held(value)


def _held(value: Any) -> list[Any]:
    held: list[Any] = []
    match value:
        case partial():
            held = [value.func, *value.args, *value.keywords.values()]
        case MethodType():
            held = [value.__func__, value.__self__]
        case FunctionType():
            cells = [cell.cell_contents for cell in value.__closure__ or () if _is_filled(cell)]
            held = [*cells, *(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values(), *vars(value).values()]
        case Mapping():
            held = list(value.values())
        case list() | tuple():
            held = list(value)
        case set() | frozenset():
            held = sorted(value, key=lambda one: (type(one).__name__, getattr(one, "__qualname__", "")))
        case type() | ModuleType():
            pass
        case _ if _is_of_project(type(value)):
            held = list(getattr(value, "__dict__", {}).values())
    return held


def _is_filled(cell: CellType) -> bool:
    """Whether a name of a closure has a value already."""
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False


def _is_of_project(kind: type) -> bool:
    """Whether a class is the user's: not Python's, not of an installed package, and not of this one."""
    module = sys.modules.get(kind.__module__)
    return kind.__module__.partition(".")[0] not in ENGINE and module is not None and _file_of(module) is not None


def _code_of(value: Any) -> Any:
    """The class or function that a value is made of."""
    while isinstance(value, partial | MethodType):
        value = value.func if isinstance(value, partial) else value.__func__
    return value if isinstance(value, type | FunctionType) else type(value)


def _sources(module: ModuleType, used: str) -> dict[str, bytes]:
    """The sources of a module and of what it imports from its own project, directly or not, by their place in it.

    Args:
        used: the name in it that is used.
    """
    first = _file_of(module)
    assert first is not None
    root, found, waiting = _project_of(first), {first}, [(first, module.__package__ or "")]
    places = {p.resolve(): None for p in (first.parent, root, root / "src", *map(Path, sys.path))}
    places, seen = [place for place in places if place.is_relative_to(root)], set[str]()
    while waiting:
        path, package = waiting.pop()
        for name in set(_imported(path, package)) - seen:
            seen.add(name)
            if name.partition(".")[0] in ENGINE and _file_of(sys.modules.get(name)) is not None:
                continue
            source = _file_of(sys.modules.get(name)) or _beside(name, places)
            if source is not None and source not in found and source.is_relative_to(root):
                found.add(source)
                waiting.append((source, name if source.name == "__init__.py" else name.rpartition(".")[0]))
    sources = {path.relative_to(root).as_posix(): path.read_bytes() for path in found}
    with tokenize.open(first) as file:
        return sources | {first.relative_to(root).as_posix(): _needed(file.read(), used)}


def _needed(text: str, used: str) -> bytes:
    """The statements of a module without those that define only what `used` does not need, directly or not."""
    statements = ast.parse(text).body
    defined = [_defines(statement) for statement in statements]
    # What is run without defining a name (a seed, a switch of a library) counts, but not what runs a script.
    # So does what a decorator may register.
    kept = {
        i
        for i, (statement, names) in enumerate(zip(statements, defined, strict=True))
        if not (names or _runs_script(statement)) or getattr(statement, "decorator_list", [])
    }
    if not any(used in names for names in defined):  # it was made otherwise
        kept = {i for i, statement in enumerate(statements) if not _runs_script(statement)}
    needed, waiting = set[str](), {used}.union(*(_mentions(statements[i]) for i in kept))
    while waiting:
        name = waiting.pop()
        needed.add(name)
        for i in [i for i, names in enumerate(defined) if name in names and i not in kept]:
            kept.add(i)
            waiting |= _mentions(statements[i]) - needed
    if REFLECTING & set[str]().union(*(_mentions(statements[i]) for i in kept)):
        kept = {i for i, statement in enumerate(statements) if not _runs_script(statement)}
    lines = text.splitlines()
    return "\n".join(
        "\n".join(lines[_start(statements[i]) - 1 : statements[i].end_lineno]) for i in sorted(kept)
    ).encode()


def _start(statement: ast.stmt) -> int:
    """Its first line, that of its decorators included."""
    return min([statement.lineno, *(node.lineno for node in getattr(statement, "decorator_list", []))])


def _defines(statement: ast.stmt) -> set[str]:
    """The names that a statement gives a meaning."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        changed = (node.names for node in ast.walk(statement) if isinstance(node, ast.Global))
        return {statement.name}.union(*changed)
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.partition(".")[0] for alias in statement.names} - {"annotations"}
    if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
        names = (node for node in ast.walk(statement) if isinstance(node, ast.Name))
        return {node.id for node in names if isinstance(node.ctx, ast.Store)}
    return set()


def _mentions(statement: ast.stmt) -> set[str]:
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}


def _runs_script(statement: ast.stmt) -> bool:
    """A docstring, or `if __name__ == "__main__"` without an else."""
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    guard = isinstance(statement, ast.If) and not statement.orelse and ast.unparse(statement.test)
    return guard in ("__name__ == '__main__'", "'__main__' == __name__")


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
    try:
        tree = ast.parse(path.read_bytes())
    except SyntaxError:  # of a file that was not needed, or is of another Python; its bytes count
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (parent for alias in node.names for parent in _with_parents(alias.name))
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from (
                word.value for word in node.args if isinstance(word, ast.Constant) and isinstance(word.value, str)
            )
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            above = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            base = ".".join(part for part in (above, node.module or "") if part)
            yield from _with_parents(base)
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _with_parents(name: str) -> list[str]:
    """A module and the packages around it, which are imported with it."""
    parts = name.split(".")
    return [".".join(parts[: end + 1]) for end in range(len(parts))]


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
