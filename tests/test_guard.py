"""The guard of the benchmarks' ratios."""

from __future__ import annotations

import json

from guard import NOISE, RECORD, slower

RECORDED = json.loads(RECORD.read_text())


def test_noise_passes_and_what_is_slower_is_named() -> None:
    assert slower(RECORDED, RECORDED) == set()
    name = next(iter(RECORDED))
    assert slower({**RECORDED, name: 1.01 * NOISE * RECORDED[name]}, RECORDED) == {name}


def test_a_ratio_that_is_not_recorded_or_not_a_number_does_not_pass() -> None:
    assert slower({"new": 1.0}, RECORDED) == {"new"}
    assert slower({"new": float("nan")}, {"new": 1.0}) == {"new"}
