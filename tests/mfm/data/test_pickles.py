"""Pickles are read by an allow-list: every protocol of plain arrays comes back, and nothing is executed."""

import io
import os
import pickle
import pickletools
import struct
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from mfm.data.formats.safe_pickle import read_pickle


@pytest.fixture
def load(tmp_path):
    """Reads pickled bytes through a file."""

    def read(data):
        (tmp_path / "a.pkl").write_bytes(data)
        return read_pickle(tmp_path / "a.pkl")

    return read


ARRAYS = {
    "float32": np.arange(24, dtype="f4").reshape(2, 3, 4),
    "float64": np.linspace(-1, 1, 5),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big_endian": np.arange(4, dtype=">i4"),
    "int64": np.arange(3),
    "int8": np.array([-1, 1], "i1"),
    "bool": np.array([True, False]),
    "text": np.array([["aé", "b"], ["cc", ""]]),
    "bytes": np.array([b"abc", b"d"]),
    "objects": np.array(["video", b"bytes"], dtype=object),
    "empty": np.zeros((0, 3), "f4"),
    "no_axes": np.array(2.5),
    "strided": np.arange(10.0)[::2],
}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_come_back_from_every_protocol(load, name, protocol):
    read = load(pickle.dumps(ARRAYS[name], protocol))
    assert type(read) is np.ndarray
    np.testing.assert_array_equal(read, np.array(ARRAYS[name].tolist()) if name == "objects" else ARRAYS[name])


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_containers_scalars_and_byte_strings_come_back_from_every_protocol(load, protocol):
    value = {
        "train": OrderedDict(a=[1, (2.5, "x")], b=b"\xff\x00", c=b""),
        "scalar": np.float32(1.5),
        "count": np.int64(7),
        "nothing": None,
        "yes": True,
    }
    read = load(pickle.dumps(value, protocol))
    assert read == value
    assert type(read["scalar"]) is np.float32


def test_an_array_that_is_shared_stays_shared(load):
    shared = np.arange(3)
    first, second = load(pickle.dumps([shared, shared]))
    assert first is second


def python2_array(values):
    """A protocol-2 pickle as numpy wrote it under Python 2: old module names, str as byte strings."""

    def text(string):
        data = string if isinstance(string, bytes) else string.encode()
        return b"T" + struct.pack("<i", len(data)) + data

    def number(value):
        return b"J" + struct.pack("<i", value)

    code = text(values.dtype.str[1:])
    shape = b"(" + b"".join(number(n) for n in values.shape) + b"t"
    start = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n" + number(0) + b"\x85" + text("b") + b"\x87R"
    dtype = b"cnumpy\ndtype\n" + code + number(0) + number(1) + b"\x87R"
    state = b"(" + number(3) + text("<") + b"NNN" + number(-1) + number(-1) + number(0) + b"tb"
    return start + b"(" + number(1) + shape + dtype + state + b"\x89" + text(values.tobytes()) + b"tb"


def test_arrays_of_python_2_come_back(load):
    values = np.array([[1.5, -2.0], [255.0, 1e-3]])
    pickled = b"\x80\x02}U\x05train" + python2_array(values) + b"s."
    pickletools.dis(pickled, out=io.StringIO())
    np.testing.assert_array_equal(load(pickled)["train"], values)
    np.testing.assert_array_equal(pickle.loads(pickled, encoding="latin1")["train"], values)


class Call:
    """Pickles as a call of `function` with `args`."""

    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


MARK = "executed.txt"


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (Call(os.system, f"touch {MARK}"), "system"),
        (Call(eval, f"open('{MARK}', 'w')"), "eval"),
        (Call(exec, f"open('{MARK}', 'w')"), "exec"),
        (Call(open, MARK, "w"), "open"),
        (Call(getattr, "text", "upper"), "getattr"),
        (Call(np.load, "x.npy"), "numpy.load"),
        (Call(np.array, [1]), "numpy.array"),
        (Call(Path, MARK), "Path"),
        (Call(map, len, []), "map"),
        (Call(bytearray, 10**6), "bytearray"),
    ],
)
def test_a_call_is_refused_by_name_and_not_executed(load, tmp_path, monkeypatch, call, named):
    monkeypatch.chdir(tmp_path)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(ValueError, match=rf"a\.pkl must hold arrays.*asks for '.*{named}'.*Nothing of it was run"):
            load(pickle.dumps({"train": call}, protocol))
        assert not (tmp_path / MARK).exists()


def test_the_same_pickle_does_execute_in_the_ordinary_reader(tmp_path, monkeypatch):
    """The control of the test above: the attack is real."""
    monkeypatch.chdir(tmp_path)
    pickle.loads(pickle.dumps(Call(os.system, f"touch {MARK}")))
    assert (tmp_path / MARK).exists()


HOSTILE = {
    "a codec that is not latin-1": b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00rot13\x86R.",
    "a codec that would import": b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x04\x00\x00\x00idna\x86R.",
    "a dotted name": b"\x80\x04\x8c\x05numpy\x8c\x0cndarray.fill\x93.",
    "a subclass of ndarray": (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nmatrix\nK\x00\x85X\x01\x00\x00\x00b\x87R."
    ),
    "a type that is no array": (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\ndtype\nK\x00\x85X\x01\x00\x00\x00b\x87R."
    ),
    "a record type": b"\x80\x02cnumpy\ndtype\nX\x02\x00\x00\x00V8K\x00K\x01\x87R.",
    "a type by its name": b"\x80\x02cnumpy\ndtype\nX\x09\x00\x00\x00os.systemK\x00K\x01\x87R.",
    "attributes set on a stand-in": b"\x80\x02cnumpy\ndtype\n}X\x01\x00\x00\x00aK\x01sb.",
    "slots set on a stand-in": b"\x80\x02c_codecs\nencode\nN}X\x01\x00\x00\x00aK\x01s\x86b.",
    "slots set on dict": b"\x80\x02ccollections\nOrderedDict\nN}X\x01\x00\x00\x00aK\x01s\x86b.",
    "a name as a value": b"\x80\x02cnumpy\nndarray\n.",
    "an object elsewhere": b"\x80\x02X\x01\x00\x00\x00aQ.",
    "an extension code": b"\x80\x02\x82\x01.",
    "many bytes": b"\x80\x02c__builtin__\nbytes\nJ\x00\x00\x00\x7f\x85R.",
    "an array of its own shape": b"\x80\x02cnumpy\nndarray\nJ\x00\x00\x00\x7f\x85\x85R.",
    "itself": b"\x80\x02]q\x00h\x00a.",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_not_a_plain_value_is_refused(load, name):
    with pytest.raises(ValueError, match=r"a\.pkl must"):
        load(HOSTILE[name])


def array_state(dtype, shape, raw, *, flags=0):
    """A pickled array whose parts are chosen freely."""

    class Dtype:
        def __reduce__(self):
            return np.dtype, (dtype, False, True), (3, "|", None, None, None, -1, -1, flags)

    class Array:
        def __reduce__(self):
            rebuild = np.zeros(1).__reduce__()[0]
            return rebuild, (np.ndarray, (0,), b"b"), (1, shape, Dtype(), False, raw)

    return pickle.dumps(Array())


@pytest.mark.parametrize(
    ("dtype", "shape", "raw"),
    [
        ("f4", (1 << 40,), b"1234"),
        ("f4", (-1,), b"1234"),
        ("f4", ("a",), b"1234"),
        ("f4", (1,), [1.0]),
        ("S0", (1 << 40,), b""),
        ("O8", (1,), [{"a": 1}]),
        ("O8", (1,), [["nested"]]),
        ("O8", (2,), ["only one"]),
    ],
)
def test_an_array_whose_parts_do_not_fit_is_refused(load, dtype, shape, raw):
    with pytest.raises(ValueError, match=r"a\.pkl must"):
        load(array_state(dtype, shape, raw))


def test_bytes_are_never_taken_for_object_pointers_whatever_the_flags_say(load):
    """numpy's own unpickling trusts the flags of a dtype; ours never hands bytes to an object array."""
    with pytest.raises(ValueError, match="array of objects"):
        load(array_state("O8", (1,), b"\x41" * 8, flags=0))


def test_shared_parts_are_walked_once(load):
    """A list of lists of lists ... of 10 references each would take 10^10 steps if walked again and again."""
    value = [0]
    for _ in range(10):
        value = [value] * 10
    assert len(load(pickle.dumps(value))) == 10


@pytest.mark.parametrize("data", [b"", b"video,label\na,1\n", pickle.dumps(np.arange(100))[:-40], b"\x80\x7f"])
def test_a_file_that_is_no_whole_pickle_is_refused(load, data):
    with pytest.raises(ValueError, match=r"a\.pkl must be a whole pickle"):
        load(data)


def test_a_missing_pickle_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.pkl must be a file"):
        read_pickle(tmp_path / "none.pkl")
