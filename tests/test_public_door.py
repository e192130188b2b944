"""Every exported name says what it is, and its example runs."""

from __future__ import annotations

import doctest
import functools
import importlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optuna.distributions import FloatDistribution
from rich.console import Console

from orchestrator import Study, run

DOORS = ("orchestrator", "analysis", "mfm")
READERS = {"mosi", "mmmo", "pom"}  # their examples read real files
ALIASES = {"State"}  # of types: they have no docstring of their own
NAMES = [
    pytest.param(door, name, marks=pytest.mark.data if name in READERS else ())
    for door in DOORS
    for name in importlib.import_module(door).__all__
    if name not in ALIASES
]  # fmt: skip


def train(params, seed, epochs):
    """As in docs/own_model.md, and faster."""
    loss = 1.0
    for _ in range(epochs):
        loss -= (params["lr"] + 0.1 * params["momentum"]) * loss
        yield {"valid_loss": loss}
    return {"test_loss": loss + 0.001 * (seed % 3)}


def small_study() -> Study:
    return Study(
        name="momentum", params={"lr": 0.01, "momentum": 0.9}, arms={"full": {}, "no_momentum": {"momentum": 0.0}},
        space={"lr": FloatDistribution(1e-3, 0.1, log=True)}, minimise=("valid_loss", "test_loss"),
        smallest_effect=0.5, trials=2, seeds=2, epochs=2,
    )  # fmt: skip


def exported(door: str) -> dict[str, Any]:
    module = importlib.import_module(door)
    return {name: getattr(module, name) for name in module.__all__}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the examples run; they share the results of the first."""
    return tmp_path_factory.mktemp("examples")


@pytest.mark.parametrize(("door", "name"), NAMES)
def test_the_example_of_every_name_runs(
    door: str, name: str, place: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    if name in READERS and not Path("data").exists():
        Path("data").symlink_to(request.getfixturevalue("data_dir"))
    what = getattr(importlib.import_module(door), name)
    text = what.__doc__
    assert text, "a docstring"
    assert text.strip().splitlines()[0].rstrip().endswith((".", ":")), "its first line is a whole sentence"
    quiet = functools.partial(run, console=Console(file=io.StringIO()))
    known = {"study": small_study(), "train": train, "np": np, "FloatDistribution": FloatDistribution}
    known |= exported("orchestrator") | exported("analysis") | exported(door) | {"run": quiet}
    if not Path("results/first").exists():
        quiet(small_study(), train, serial=True, results="results/first")
    example = doctest.DocTestParser().get_doctest(text, known, name, None, None)
    assert example.examples, "an example"
    told: list[str] = []
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    doctest.DocTestRunner(optionflags=options).run(example, out=told.append)
    assert not told, "".join(told)
