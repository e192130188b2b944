"""Results folders that several tests read."""

from __future__ import annotations

from pathlib import Path

import pytest
from results_folders import SMALL, Recipe, write_results

from analysis.results.load import Results, load


@pytest.fixture(scope="session")
def mosi_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study in the shape of CMU-MOSI: 13 arms, 20 hyperparameters, a few failures."""
    recipe = Recipe(seeds=12, failed_seeds={"no_prior": [3], "late_fusion": [1, 2, 3, 4]})
    return write_results(tmp_path_factory.mktemp("mosi"), recipe)


@pytest.fixture(scope="session")
def mosi(mosi_folder: Path) -> Results:
    """The same, read."""
    return load(mosi_folder)


@pytest.fixture(scope="session")
def small_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two arms, six hyperparameters."""
    return write_results(tmp_path_factory.mktemp("small"), SMALL)


@pytest.fixture(scope="session")
def small(small_folder: Path) -> Results:
    """The same, read."""
    return load(small_folder)
