"""Which rule may call an arm worse or better: a search's luck is part of every difference.

python benchmarks/verdict_rules.py --studies 4000 --seed 0

Every arm is trained with the hyperparameters of its own search ("own") and with those of the reference's search, on the
same seeds, beside the same runs of the reference. A search's luck is a constant: what its choice is worth. Under "no
effect" the own difference is the luck of two searches, the other has none. Two more nulls: no effect once tuned, but a
loss with the reference's hyperparameters; and the converse. A false word is any "worse" or "better" in a study.

Rules, all with Holm's correction over the arms at .05:

own: two-sided sign-flip test of the own differences (the rule of 0.1.0).
reference: the same of the differences with the reference's hyperparameters.
both: the larger of the two p, where the signs agree.
own first: own, and the other has the same sign and p <= .05 on that side, uncorrected.
reference first: the same with the roles exchanged.
one-sided: the larger of the two one-sided p, on the side of their common sign (an intersection-union test: Berger 1982,
Technometrics 24), a family a side.
joint: the same in one family, and never below the two-sided p of both together: how often signs that are drawn for
whole seeds bring both differences as far to one side. Where the two are one (the arm chose what the reference chose),
it is their two-sided test. The rule of the report.
one-sided, luck: the same, the own test by t with a variance for luck, estimated from how far the two differences of all
arms lie apart.
"""

from __future__ import annotations

import argparse
import math
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.statistics.paired_tests import ALPHA, holm

Array = NDArray[np.float64]
MOST_FLIPS = 4096  # of 10 seeds all 1,024; of more, so many at random


@dataclass(frozen=True, kw_only=True)
class World:
    """What is true in a study, in units of the metric; lower is better."""

    num_arms: int = 5
    num_seeds: int = 10
    sd: float = 0.02  # of a result over seeds
    luck: float = 0.0  # sd of what a search's choice is worth, in units of `sd`
    own: float = 0.0  # loss of every arm with the hyperparameters of its own search
    other: float = 0.0  # and with those of the reference's
    fails: float = 0.0  # share of runs that fail at random
    one: float = 0.0  # loss of the first arm in both ways
    alike: float = 0.0  # correlation over seeds of the two runs of an arm
    is_skewed: bool = False  # whether arms are 4 times as noisy as the reference, by exponential noise

    def draw(self, rng: np.random.Generator) -> tuple[Array, Array]:
        """The differences of a study: [arm, seed] with own hyperparameters, and with the reference's."""
        shape = self.num_arms, self.num_seeds
        luck_A = self.luck * self.sd * rng.standard_normal(self.num_arms)
        luck = self.luck * self.sd * rng.standard_normal()
        reference_S = self._noise(rng, (self.num_seeds,)) + luck
        first_A = np.where(np.arange(self.num_arms) == 0, self.one, 0.0)[:, None]
        both_AS = math.sqrt(self.alike) * self.sd * rng.standard_normal(shape)
        noise = self._skewed if self.is_skewed else self._noise
        own_AS, other_AS = (both_AS + math.sqrt(1 - self.alike) * noise(rng, shape) for _ in range(2))
        own_AS = own_AS + luck_A[:, None] + self.own + first_A
        other_AS = other_AS + luck + self.other + first_A
        return own_AS - reference_S, other_AS - reference_S

    def _skewed(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return 4 * self.sd * (rng.standard_exponential(shape) - 1)

    def _noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        noise = self.sd * rng.standard_normal(shape)
        return np.where(rng.random(shape) < self.fails, np.nan, noise)


@dataclass(frozen=True, kw_only=True)
class Sides:
    """One-sided p of the differences of one kind: that arms are worse, and that they are better."""

    worse_A: Array
    better_A: Array

    @property
    def two_sided_A(self) -> Array:
        """P of no difference."""
        return np.minimum(1.0, 2 * np.minimum(self.worse_A, self.better_A))


def sign_flips(d_AS: Array, flips: Array) -> Sides:
    """By the sign-flip test; pairs that failed are left out."""
    d_AS = np.nan_to_num(d_AS)
    seen_A, all_AB = d_AS.sum(axis=1)[:, None], d_AS @ flips.T
    slack = 1e-12 * np.abs(d_AS).sum(axis=1)[:, None]
    return Sides(worse_A=(all_AB >= seen_A - slack).mean(axis=1), better_A=(all_AB <= seen_A + slack).mean(axis=1))


def together(own_AS: Array, other_AS: Array, flips: Array) -> Array:
    """Two-sided p of both together, by the nearer of the two to 0 where they are on one side."""
    is_known = np.isfinite(own_AS) & np.isfinite(other_AS)
    sums = []
    for every_AS in (own_AS, other_AS):
        d_AS = np.where(is_known, every_AS, 0.0)
        scale_A = np.sqrt((d_AS**2).sum(axis=1))[:, None]
        sums.append((d_AS.sum(axis=1)[:, None] / scale_A, d_AS @ flips.T / scale_A))
    (own_A, own_AB), (other_A, other_AB) = sums
    seen_A, all_AB = _same_side(own_A, other_A), _same_side(own_AB, other_AB)
    return (all_AB >= seen_A - 1e-12).mean(axis=1)


def _same_side(one: Array, other: Array) -> Array:
    """How far both lie on one side; below 0 where they do not."""
    return np.maximum(np.minimum(one, other), np.minimum(-one, -other))


def flips_of(num_seeds: int, rng: np.random.Generator) -> Array:
    """Rows of signs: all of them, or so many at random and the one that was seen."""
    if 2**num_seeds <= MOST_FLIPS:
        bits = np.arange(2**num_seeds)[:, None] >> np.arange(num_seeds) & 1
        return 1.0 - 2.0 * bits
    drawn = rng.choice([-1.0, 1.0], size=(MOST_FLIPS - 1, num_seeds))
    return np.vstack([np.ones(num_seeds), drawn])


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a study shows: the differences of both kinds, [arm, seed], and their tests."""

    own_AS: Array
    other_AS: Array
    own: Sides
    other: Sides
    together_A: Array  # two-sided p of both kinds together


# -> corrected p that arms are worse, and that they are better
Rule = Callable[[Evidence], tuple[Array, Array]]


def _split(p_A: Array, d_AS: Array) -> tuple[Array, Array]:
    is_worse = np.nanmean(d_AS, axis=1) > 0
    return np.where(is_worse, p_A, 1.0), np.where(is_worse, 1.0, p_A)


def _own(seen: Evidence) -> tuple[Array, Array]:
    return _split(holm(seen.own.two_sided_A), seen.own_AS)


def _reference(seen: Evidence) -> tuple[Array, Array]:
    return _split(holm(seen.other.two_sided_A), seen.other_AS)


def _both(seen: Evidence) -> tuple[Array, Array]:
    agree = np.sign(np.nanmean(seen.own_AS, axis=1)) == np.sign(np.nanmean(seen.other_AS, axis=1))
    larger = np.maximum(seen.own.two_sided_A, seen.other.two_sided_A)
    return _split(holm(np.where(agree, larger, 1.0)), seen.own_AS)


def _own_first(seen: Evidence) -> tuple[Array, Array]:
    return _gated(_own(seen), seen.other)


def _reference_first(seen: Evidence) -> tuple[Array, Array]:
    return _gated(_reference(seen), seen.own)


def _gated(p: tuple[Array, Array], gate: Sides) -> tuple[Array, Array]:
    return np.where(gate.worse_A <= ALPHA, p[0], 1.0), np.where(gate.better_A <= ALPHA, p[1], 1.0)


def _one_sided(seen: Evidence) -> tuple[Array, Array]:
    return _union(seen.own, seen.other)


def _joint(seen: Evidence) -> tuple[Array, Array]:
    worse_A, better_A = (
        np.maximum(a, b) for a, b in ((seen.own.worse_A, seen.other.worse_A), (seen.own.better_A, seen.other.better_A))
    )
    corrected = holm(np.maximum(np.minimum(worse_A, better_A), seen.together_A))
    return np.where(worse_A < better_A, corrected, 1.0), np.where(worse_A < better_A, 1.0, corrected)


def _one_sided_luck(seen: Evidence) -> tuple[Array, Array]:
    return _union(_with_luck(seen.own_AS, seen.other_AS), seen.other)


def _union(one: Sides, other: Sides) -> tuple[Array, Array]:
    return holm(np.maximum(one.worse_A, other.worse_A)), holm(np.maximum(one.better_A, other.better_A))


def _with_luck(own_AS: Array, other_AS: Array) -> Sides:
    """T tests of the own differences, with a variance for luck.

    Over the arms, own - other scatters by luck and by the noise of its two runs a seed; what it scatters beyond that
    noise is luck of one search, and a difference holds two of them. Degrees of freedom: Satterthwaite.
    """
    num_A = np.isfinite(own_AS).sum(axis=1)
    apart_AS = own_AS - other_AS
    noise = float(np.mean(np.nanvar(apart_AS, axis=1, ddof=1) / np.isfinite(apart_AS).sum(axis=1)))
    scatter = float(np.var(np.nanmean(apart_AS, axis=1), ddof=1))
    luck, df_luck = 2 * max(0.0, scatter - noise), len(own_AS) - 1
    seeds_A = np.nanvar(own_AS, axis=1, ddof=1) / num_A
    df_A = (seeds_A + luck) ** 2 / (seeds_A**2 / (num_A - 1) + luck**2 / df_luck)
    t_A = np.nanmean(own_AS, axis=1) / np.sqrt(seeds_A + luck)
    return Sides(worse_A=stats.t.sf(t_A, df_A), better_A=stats.t.cdf(t_A, df_A))


RULES: dict[str, Rule] = {
    "own": _own,
    "reference": _reference,
    "both": _both,
    "own first": _own_first,
    "reference first": _reference_first,
    "one-sided": _one_sided,
    "joint": _joint,
    "one-sided, luck": _one_sided_luck,
}


SIZES = ((5, 10, 0.02), (5, 20, 0.02), (12, 10, 0.02), (12, 20, 0.02), (5, 10, 0.035), (12, 20, 0.035))


def worlds() -> Iterator[tuple[str, World, bool]]:
    """What is simulated, in words; whether words are false there, or asked for of the first arm."""
    for num_arms, num_seeds, sd in SIZES:
        size = f"{num_arms} arms, {num_seeds} seeds, sd {sd}"
        same = {"num_arms": num_arms, "num_seeds": num_seeds, "sd": sd}
        for luck in (0.0, 0.5, 1.0):
            yield f"no effect, luck {luck}; {size}", World(**same, luck=luck), True
            yield f"no effect, luck {luck}, alike .9; {size}", World(**same, luck=luck, alike=0.9), True
        for luck in (0.0, 0.5):
            yield f"loss with the reference's alone, luck {luck}; {size}", World(**same, luck=luck, other=0.05), True
            yield f"loss with its own alone, luck {luck}; {size}", World(**same, luck=luck, own=0.05), True
        yield f"no effect, 10 % fail; {size}", World(**same, fails=0.1), True
        yield f"no effect, arms 4 times noisier and skewed; {size}", World(**same, is_skewed=True), True
        for luck in (0.0, 0.5):
            yield f"one arm worse by .05, luck {luck}; {size}", World(**same, luck=luck, one=0.05), False


def measure(world: World, is_false: bool, *, studies: int, rng: np.random.Generator) -> dict[str, float]:
    """By rule: the share of studies with a false word, or in which the first arm is called worse."""
    flips, counts = flips_of(world.num_seeds, rng), dict.fromkeys(RULES, 0)
    for _ in range(studies):
        own_AS, other_AS = world.draw(rng)
        seen = Evidence(
            own_AS=own_AS, other_AS=other_AS, own=sign_flips(own_AS, flips), other=sign_flips(other_AS, flips),
            together_A=together(own_AS, other_AS, flips),
        )  # fmt: skip
        for name, rule in RULES.items():
            worse_A, better_A = rule(seen)
            said = (np.minimum(worse_A, better_A) <= ALPHA).any() if is_false else worse_A[0] <= ALPHA
            counts[name] += int(said)
    return {name: count / studies for name, count in counts.items()}


def main() -> None:
    """Prints the table, a world a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print("| share of studies with a word, % |", " | ".join(RULES), "|")
    print("|---|", "|".join("---" for _ in RULES), "|")
    for words, world, is_false in worlds():
        rng = np.random.default_rng([arguments.seed, zlib.crc32(words.encode())])
        found = measure(world, is_false, studies=arguments.studies, rng=rng)
        print(f"| {words} |", " | ".join(f"{100 * share:.1f}" for share in found.values()), "|", flush=True)


if __name__ == "__main__":
    main()
