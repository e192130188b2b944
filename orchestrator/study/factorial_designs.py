"""Designs: the arms that tell what components are worth together, and not only one at a time.

A component is given by the pins that switch it off; an arm switches off some of them. Every design has the arm in which
all components work, the reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations

from orchestrator.study.design import Arm
from orchestrator.study.params import Factors, Params

REFERENCE = "full"
MOST = 8  # components: 64 arms
# Box, Hunter and Hunter (2005), Statistics for Experimenters, table of fractions. In each word an even number of
# components is off, so that no main effect or two-way interaction is confounded with another (resolution V or more).
WORDS: Mapping[int, Sequence[Sequence[int]]] = {
    5: [(0, 1, 2, 3, 4)],
    6: [(0, 1, 2, 3, 4, 5)],
    7: [(0, 1, 2, 3, 4, 5, 6)],
    8: [(0, 1, 2, 3, 6), (0, 1, 4, 5, 7)],
}
# Raises a ValueError where a model cannot exist with these pins.
Check = Callable[[Params], object]


def _any_pins(_pins: Params) -> None: ...


def factorial(factors: Factors, *, check: Check = _any_pins) -> tuple[Arm, ...]:
    """All combinations of up to 4 components; from 5 on a fraction of resolution V: 16, 32, 64, 64 arms.

    >>> parts = {"momentum": {"momentum": 0.0}, "decay": {"decay": 0.0}}
    >>> [arm.name for arm in factorial(parts)]
    ['full', 'no_momentum', 'no_decay', 'no_momentum+decay']

    Args:
        factors: component -> the hyperparameters that switch it off.
        check: raises a ValueError where a model cannot hold such hyperparameters fixed.

    Raises:
        ValueError: a cell of the design cannot exist, two components pin the same hyperparameter, or there are too few
            or many.
    """
    names = list(factors)
    if not 2 <= len(names) <= MOST:
        raise ValueError(f"a factorial design needs 2 to {MOST} components; got {len(names)}: {names}")
    subsets = (off for size in range(len(names) + 1) for off in combinations(range(len(names)), size))
    words = WORDS.get(len(names), [])
    kept = (off for off in subsets if all(len(set(word) & set(off)) % 2 == 0 for word in words))
    return _arms(factors, ([names[i] for i in off] for off in kept), check=check)


def leave_two_out(factors: Factors, *, check: Check = _any_pins) -> tuple[Arm, ...]:
    """Every component left out alone, and every two together: 1 + k + k (k - 1) / 2 arms.

    >>> parts = {"momentum": {"momentum": 0.0}, "decay": {"decay": 0.0}}
    >>> len(leave_two_out(parts))
    4

    Args:
        factors: component -> the hyperparameters that switch it off.
        check: raises a ValueError where a model cannot hold such hyperparameters fixed.

    Raises:
        ValueError: a cell of the design cannot exist, two components pin the same hyperparameter, or there are fewer
            than 2.
    """
    if len(factors) < 2:
        raise ValueError(f"leaving two out needs at least 2 components; got {list(factors)}")
    return _arms(factors, (off for size in range(3) for off in combinations(factors, size)), check=check)


def _arms(factors: Factors, cells: Iterable[Sequence[str]], *, check: Check) -> tuple[Arm, ...]:
    _check_disjoint(factors)
    arms = []
    for off in cells:
        pins = {param: value for name in off for param, value in factors[name].items()}
        try:
            check(pins)
        except ValueError as error:
            raise ValueError(
                f"every cell of a design must exist; the one without {' and '.join(off)} cannot: {error}. "
                "Leave one of these components out"
            ) from error
        arms.append(Arm(name=f"no_{'+'.join(off)}" if off else REFERENCE, pins=pins))
    return tuple(arms)


def _check_disjoint(factors: Factors) -> None:
    for one, other in combinations(factors, 2):
        if shared := sorted(set(factors[one]) & set(factors[other])):
            raise ValueError(
                f"components of a design must switch hyperparameters of their own; {one!r} and {other!r} both "
                f"switch {shared}"
            )
    if empty := [name for name, pins in factors.items() if not pins]:
        raise ValueError(f"a component is switched off by at least one hyperparameter; {empty} have none")
