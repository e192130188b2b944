"""Designs: which arms they have, what they confound, and what is refused."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from orchestrator.study.design import Arm
from orchestrator.study.factorial_designs import MOST, REFERENCE, factorial, leave_two_out


def factors(k: int) -> dict[str, dict[str, bool]]:
    return {f"c{i}": {f"use_{i}": False} for i in range(k)}


def signs(arms: tuple[Arm, ...], k: int) -> np.ndarray:
    """-1 with and 1 without, one row an arm."""
    return np.array([[1 if f"use_{i}" in arm.pins else -1 for i in range(k)] for arm in arms])


@pytest.mark.parametrize(("k", "num_arms"), [(2, 4), (3, 8), (4, 16), (5, 16), (6, 32), (7, 64), (8, 64)])
def test_no_main_effect_or_interaction_of_two_is_confounded_with_another(k: int, num_arms: int) -> None:
    arms = factorial(factors(k), check=lambda _: None)
    assert len({arm.name for arm in arms}) == num_arms
    x = signs(arms, k)
    columns = [np.ones(num_arms), *x.T, *(x[:, i] * x[:, j] for i, j in combinations(range(k), 2))]
    assert np.array_equal(np.array(columns) @ np.array(columns).T, num_arms * np.eye(len(columns)))


def test_every_design_has_the_reference_and_names_what_an_arm_removes() -> None:
    for arms in (factorial(factors(6), check=lambda _: None), leave_two_out(factors(6), check=lambda _: None)):
        assert arms[0] == Arm(name=REFERENCE)
    assert leave_two_out(factors(3), check=lambda _: None)[-1] == Arm(
        name="no_c1+c2", pins={"use_1": False, "use_2": False}
    )


def test_leaving_two_out_has_every_component_and_every_two() -> None:
    arms = leave_two_out(factors(5), check=lambda _: None)
    assert len(arms) == 1 + 5 + 10
    assert {len(arm.pins) for arm in arms} == {0, 1, 2}


def test_a_cell_that_cannot_exist_is_refused_by_name() -> None:
    def check(pins: object) -> None:
        if isinstance(pins, dict) and {"use_0", "use_2"} <= set(pins):
            raise ValueError("a model needs one of them")

    message = "the one without c0 and c2 cannot: a model needs one of them. Leave one of these components out"
    for design in (factorial, leave_two_out):
        with pytest.raises(ValueError, match=message):
            design(factors(3), check=check)
    assert len(factorial({"c0": {"use_0": False}, "c1": {"use_1": False}}, check=check)) == 4


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"a": {"x": 1}, "b": {"x": 2}}, "'a' and 'b' both switch \\['x'\\]"),
        ({"a": {"x": 1}, "b": {}}, "\\['b'\\] have none"),
        ({"a": {"x": 1}}, "2 to 8 components; got 1"),
        (factors(MOST + 1), "2 to 8 components; got 9"),
    ],
)
def test_components_that_make_no_design_are_refused(given: dict[str, dict[str, int]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        factorial(given, check=lambda _: None)
