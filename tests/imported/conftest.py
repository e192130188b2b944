"""A results folder of a study of ours, beside the runs of others."""

from __future__ import annotations

from pathlib import Path

import pytest
from results_folders import SMALL, write_results


@pytest.fixture(scope="session")
def small_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two arms, six hyperparameters."""
    return write_results(tmp_path_factory.mktemp("small"), SMALL)
