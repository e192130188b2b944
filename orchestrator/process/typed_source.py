"""The source of what was typed into a notebook, with all that it names there."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

from orchestrator.process.value_hash import value_sha256


def typed_source(kind: type | FunctionType) -> tuple[bytes, list[Any]] | None:
    """What a class or function of a notebook is made of; None: its source is not kept, as in a plain interpreter.

    Returns:
        The sources of it and of every class and function of the notebook that it names, directly or not, with the plain
        values and arrays that they name; and what they name that is defined in files.
    """
    found: dict[str, bytes] = {}
    elsewhere: list[Any] = []
    waiting: list[tuple[str, Any]] = [(kind.__qualname__, kind)]
    while waiting:
        name, value = waiting.pop()
        if name in found:
            continue
        if isinstance(value, type | FunctionType) and value.__module__ == kind.__module__:
            try:
                found[name] = inspect.getsource(value).encode()
            except (OSError, TypeError):
                return None
            waiting += _named(value)
        elif isinstance(value, type | FunctionType):
            elsewhere.append(value)
        elif not isinstance(value, ModuleType):
            try:
                found[name] = value_sha256(value).encode()
            except (ValueError, TypeError, RuntimeError):  # a tool, or data that should travel as `data`
                continue
    return b"\0".join(name.encode() + b"\0" + found[name] for name in sorted(found)), elsewhere


def _named(value: type | FunctionType) -> Iterator[tuple[str, Any]]:
    """The names of the notebook that a class or function uses, and what they stand for."""
    functions = [value] if isinstance(value, FunctionType) else list(vars(value).values())
    for function in functions:
        inner = getattr(function, "__func__", function)  # of a class method
        if isinstance(inner, FunctionType):
            for name in sorted(_names_of(inner.__code__)):
                if name in inner.__globals__:
                    yield name, inner.__globals__[name]
    if isinstance(value, type):
        yield from ((base.__qualname__, base) for base in value.__bases__)


def _names_of(code: CodeType) -> set[str]:
    inner = [_names_of(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    return set(code.co_names).union(*inner)
