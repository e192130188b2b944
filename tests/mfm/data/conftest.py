"""Writers of the forms that users bring."""

import json

import h5py
import numpy as np
import pytest


@pytest.fixture(scope="session")
def write_h5():
    """Writes one array into an HDF5 file, as the MFN repository does."""

    def write(path, array, *, name="d1"):
        with h5py.File(path, "w") as file:
            file.create_dataset(name, data=np.asarray(array))
        return path

    return write


@pytest.fixture(scope="session")
def write_csd():
    """Writes a computational sequence: {id: (intervals, features)}, with metadata, as the SDK's write_CSD does."""

    def write(path, root, entries):
        with h5py.File(path, "w") as file:
            group = file.create_group(root)
            data = group.create_group("data")
            for name, (intervals, features) in entries.items():
                video = data.create_group(name)
                video.create_dataset("features", data=np.asarray(features))
                video.create_dataset("intervals", data=np.asarray(intervals, float))
            metadata = group.create_group("metadata")
            for key, value in {"root name": root, "md5": None}.items():
                text = metadata.create_dataset(key, (1,), dtype=h5py.special_dtype(vlen=str))
                text[0] = json.dumps(value)
        return path

    return write


@pytest.fixture
def rng():
    return np.random.default_rng(0)
