"""Pickles of arrays, read by an allow-list that can execute nothing.

A pickle is a program. This reader runs it with every name replaced by a stand-in of our own, so that neither
a foreign callable nor numpy's own unpickling code (which trusts flags and pointers in the file) ever sees what
the file holds: a stand-in only checks sizes and copies bytes. Any other name ends the reading.
"""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any, Never

import numpy as np

from mfm.data.formats.array_files import require_file

# Booleans, integers, floats, byte strings, strings; objects are taken only if they are plain values, see _array.
_PLAIN_DTYPE = re.compile(r"[<>=|]?[biufSUO?]\d*")
_LATIN1 = ("latin1", "latin-1")
# Deeper than any layout we know; a pickle that contains itself ends here.
_MAX_DEPTH = 12


def read_pickle(path: Path) -> Any:
    """What a pickle of dicts, lists, tuples, numbers, strings and numpy arrays holds.

    Protocols 0 to 5, written by Python 2 or 3 with any numpy. Byte strings of Python 2 come back as latin-1 text.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not a pickle, cut short, or it asks for anything but arrays of plain values.
    """
    require_file(path)
    try:
        with path.open("rb") as file:
            return _settle(_Reader(file, encoding="latin1").load(), {}, _MAX_DEPTH)
    except _RefusedError as error:
        raise ValueError(
            f"{path} must hold arrays, numbers and strings only; it {error}. "
            "Nothing of it was run. Save it again as plain numpy arrays"
        ) from error
    # A damaged or hostile pickle may raise anything: the pickle documentation gives no closed list.
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"{path} must be a whole pickle; reading it failed ({reason}). Fetch it again") from error


class _RefusedError(Exception):
    """The pickle asks for something that is not a plain value; completes the sentence 'it ...'."""


class _Reader(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> type:
        module = module_name.replace("numpy._core", "numpy.core").replace("__builtin__", "builtins")
        try:
            return _ALLOWED[module, global_name]
        except KeyError:
            asked = f"{module_name}.{global_name}"
            raise _RefusedError(f"asks for {asked[:80]!r}") from None

    def persistent_load(self, pid: object, /) -> Never:
        raise _RefusedError(f"refers to the object {str(pid)[:40]!r} outside the file")


class _StandIn:
    """A name of the allow-list. The opcode BUILD, which would set attributes, finds this method instead."""

    def __setstate__(self, state: Any) -> None:
        raise _RefusedError("sets the state of something that has none")


class _Dtype(_StandIn):
    """Stands for numpy.dtype: a plain type code and a byte order, nothing else of its state."""

    def __init__(self, code: str, *_align_and_copy: object) -> None:
        if not _PLAIN_DTYPE.fullmatch(code):
            raise _RefusedError(f"holds an array of the type {code[:40]!r}")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: Any) -> None:
        _, order, *fields = state
        if any(field is not None for field in fields[:3]):
            raise _RefusedError("holds an array of records")
        self.dtype = self.dtype.newbyteorder(order)


class _Array(_StandIn):
    """Stands for numpy.ndarray; `values` is set once the file has given shape, type and bytes."""

    values: np.ndarray | None = None

    def __setstate__(self, state: Any) -> None:
        shape, dtype, fortran, raw = state[-4:]
        self.values = _array(shape, dtype, "F" if fortran else "C", raw)


class _Reconstruct(_StandIn):
    """Stands for numpy's _reconstruct(ndarray, (0,), b'b'), which starts an array."""

    def __new__(cls, subtype: type, *_shape_and_code: object) -> Any:
        if subtype is not _Array:
            raise _RefusedError("asks for an array of a special class")
        return _Array()


class _FromBuffer(_StandIn):
    """Stands for numpy's _frombuffer(buffer, dtype, shape, order), which is an array in protocol 5."""

    def __new__(cls, buffer: bytes, dtype: _Dtype, shape: tuple, order: str) -> Any:
        array = _Array()
        array.values = _array(shape, dtype, order, buffer)
        return array


class _Scalar(_StandIn):
    """Stands for numpy's scalar(dtype, bytes)."""

    def __new__(cls, dtype: _Dtype, raw: bytes | str) -> Any:
        return _array((), dtype, "C", raw)[()]


class _Encode(_StandIn):
    """Stands for _codecs.encode(text, 'latin1'): how protocols 0 to 2 of Python 3 write bytes.

    No other codec: looking one up imports a module, and some of them unpack what they are given.
    """

    def __new__(cls, text: str, encoding: str) -> Any:
        if encoding not in _LATIN1:
            raise _RefusedError(f"asks for the codec {encoding[:40]!r}")
        return text.encode("latin1")


class _Empty(_StandIn):
    """Stands for bytes(): how protocols 0 to 2 of Python 3 write an empty byte string."""

    def __new__(cls) -> Any:
        return b""


_ALLOWED: dict[tuple[str, str], type] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("numpy.core.multiarray", "_reconstruct"): _Reconstruct,
    ("numpy.core.multiarray", "scalar"): _Scalar,
    ("numpy.core.numeric", "_frombuffer"): _FromBuffer,
    ("_codecs", "encode"): _Encode,
    ("builtins", "bytes"): _Empty,
    ("collections", "OrderedDict"): dict,
}


def _array(shape: tuple[int, ...], dtype: _Dtype, order: Any, raw: Any) -> np.ndarray:
    if min(shape, default=0) < 0:
        raise _RefusedError(f"holds an array of the shape {shape}")
    if dtype.dtype.hasobject:
        return _plain_objects(raw).reshape(shape, order=order)
    # The data of an array from Python 2 is text by now, one character a byte.
    raw = raw.encode("latin1") if isinstance(raw, str) else raw
    return np.frombuffer(raw, dtype.dtype).reshape(shape, order=order)


def _plain_objects(raw: object) -> np.ndarray:
    plain = (str, bytes, int, float, np.generic)
    if not isinstance(raw, list) or not all(isinstance(value, plain) for value in raw):
        raise _RefusedError("holds an array of objects that are not plain strings or numbers")
    return np.array(raw)


def _settle(value: Any, seen: dict[int, Any], depth: int) -> Any:
    """The value with every stand-in replaced by its array; `seen` keeps a shared part from being walked twice."""
    if depth == 0:
        raise _RefusedError(f"is nested deeper than {_MAX_DEPTH} levels")
    if id(value) not in seen:
        seen[id(value)] = _settled(value, seen, depth - 1)
    return seen[id(value)]


def _settled(value: Any, seen: dict[int, Any], depth: int) -> Any:
    if isinstance(value, _Array):
        return value.values
    if isinstance(value, dict):
        return {key: _settle(part, seen, depth) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_settle(part, seen, depth) for part in value)
    if isinstance(value, (_StandIn, type)):
        raise _RefusedError("holds a name in place of a value")
    return value
