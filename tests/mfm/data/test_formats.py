"""HDF5 and .npz files: arrays, or one clear line."""

import warnings

import h5py
import numpy as np
import pytest

from mfm.data.formats.array_files import as_float32, npz_names, read_h5, read_npz


@pytest.mark.parametrize("name", ["d1", "data"])
def test_an_h5_array_comes_back_as_float32(tmp_path, write_h5, rng, name):
    array = rng.normal(size=(3, 2, 4))
    read = read_h5(write_h5(tmp_path / "a.h5", array, name=name))
    assert read.dtype == np.float32
    np.testing.assert_allclose(read, array, rtol=1e-6)


def test_an_h5_without_the_expected_array_says_what_it_holds(tmp_path, write_h5):
    path = write_h5(tmp_path / "a.h5", [1.0], name="other")
    with pytest.raises(ValueError, match=r"a\.h5 must hold one array named 'd1' or 'data'.*\['other'\]"):
        read_h5(path)


def test_an_h5_with_both_arrays_is_refused_as_ambiguous(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["d1"] = file["data"] = np.zeros(2)
    with pytest.raises(ValueError, match=r"must hold one array"):
        read_h5(tmp_path / "a.h5")


def test_a_text_file_named_h5_is_refused(tmp_path):
    (tmp_path / "a.h5").write_text("not HDF5")
    with pytest.raises(ValueError, match=r"a\.h5 must be a whole HDF5 file"):
        read_h5(tmp_path / "a.h5")


def test_a_truncated_h5_is_refused(tmp_path, write_h5, rng):
    path = write_h5(tmp_path / "a.h5", rng.normal(size=(100, 20)))
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ValueError, match=r"a\.h5 must be a whole HDF5 file"):
        read_h5(path)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_a_value_that_is_not_finite_in_float32_is_refused_with_its_place(tmp_path, write_h5, bad):
    array = np.zeros((3, 2))
    array[2, 1] = bad
    with pytest.raises(ValueError, match=r"a\.h5 must be finite; 1 values .* the first at \(2, 1\)"):
        read_h5(write_h5(tmp_path / "a.h5", array))


def test_a_missing_file_and_a_folder_are_not_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"must be a file; there is none"):
        read_h5(tmp_path / "a.h5")
    with pytest.raises(FileNotFoundError, match="must be a file; it is a folder"):
        read_npz(tmp_path, ["x"])


def test_text_in_place_of_numbers_is_refused():
    with pytest.raises(ValueError, match="column must hold numbers; got the type <U1"):
        as_float32(["a"], where="column")


def test_rows_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="column must be an array whose rows have one length"):
        as_float32([[1.0], [1.0, 2.0]], where="column")


def test_an_npz_gives_the_arrays_asked_for(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(3), y=np.array(["a"]))
    assert npz_names(tmp_path / "a.npz") == ["x", "y"]
    read = read_npz(tmp_path / "a.npz", ["x"])
    assert list(read) == ["x"]
    np.testing.assert_array_equal(read["x"], [0, 1, 2])


def test_an_npz_that_lacks_an_array_says_which(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(3))
    with pytest.raises(ValueError, match=r"a\.npz must hold .*; it lacks \['z'\] and holds \['x'\]"):
        read_npz(tmp_path / "a.npz", ["x", "z"])


def test_objects_in_an_npz_are_never_unpickled(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match=r"a\.npz must be a whole \.npz archive of plain arrays"):
        read_npz(tmp_path / "a.npz", ["x"])


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.9])
def test_a_truncated_npz_is_refused(tmp_path, rng, keep):
    np.savez_compressed(tmp_path / "a.npz", x=rng.normal(size=1000))
    whole = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(whole[: int(keep * len(whole))])
    with pytest.raises(ValueError, match=r"a\.npz must be a whole \.npz archive"):
        read_npz(tmp_path / "a.npz", ["x"])


def test_damage_inside_an_npz_is_found(tmp_path, rng):
    np.savez_compressed(tmp_path / "a.npz", x=rng.normal(size=1000))
    damaged = bytearray((tmp_path / "a.npz").read_bytes())
    damaged[500:600] = bytes(100)
    (tmp_path / "a.npz").write_bytes(damaged)
    with pytest.raises(ValueError, match=r"a\.npz must be a whole \.npz archive"):
        read_npz(tmp_path / "a.npz", ["x"])


def test_an_empty_file_is_no_npz(tmp_path):
    (tmp_path / "a.npz").touch()
    with pytest.raises(ValueError, match=r"a\.npz must be a whole"):
        npz_names(tmp_path / "a.npz")


def test_numbers_beyond_float32_raise_no_warning_of_their_own():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match="must be finite"):
            as_float32([1e300], where="x")
