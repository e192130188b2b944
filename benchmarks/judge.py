"""How often the judge of a stream keeps what it should not, and what it should, and what it costs.

    python benchmarks/judge.py [--streams 400] [--proposals 1000] [--seed 0]

A stream has 1,000 proposals, each judged by the functions that `analysis.Judge` calls, with one reference that all
share until a proposal is kept. Runs have normal noise of standard deviation 1, or noise that is skewed, or half of
the variance shared by all runs of a seed. "No effect": no proposal differs from the first reference. "One in 100":
every hundredth is better by 2 than the reference at that time. Beside it what "keep if better" does with one run each
to the same streams.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from scipy import stats
from simulation import normal, skewed

from analysis.judge.rule import DISCARD, KEEP, MORE, Rule, screened, tested

RULE = Rule()
EFFECT, EVERY = 2.0, 100
Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def stream(
    rng: np.random.Generator, num: int, *, noise: Draw, shared: float, effect: float
) -> tuple[int, int, int, int, int]:
    """One stream: false keeps, true keeps, proposals worth it, runs, and the false keeps of "keep if better"."""
    num_seeds = RULE.test_seeds[-1] + 1
    luck = np.sqrt(shared) * rng.normal(size=num_seeds)
    own = np.sqrt(1 - shared)
    reference_S, level, num_tested = luck + own * noise(rng, (num_seeds,)), 0.0, 0
    naive_best, false, true, worth, runs, naive_false = float(reference_S[0]), 0, 0, 0, num_seeds, 0
    squares, degrees = _squares(reference_S[RULE.screen_seeds.start : RULE.screen_seeds.stop])
    for i in range(num):
        is_worth = bool(effect) and i % EVERY == EVERY - 1
        worth += is_worth
        values_S = level + is_worth * effect + luck + own * noise(rng, (num_seeds,))
        spread = float(np.sqrt(squares / degrees))
        word, used, entered = judged(values_S - reference_S, num_tested + 1, spread=spread)
        of_screening = min(used, RULE.screen_seeds.stop)
        squares, degrees = (np.array([squares, degrees]) + _squares(values_S[:of_screening])).tolist()
        runs, num_tested = runs + used, num_tested + entered
        if word == KEEP:
            false, true = false + (not is_worth), true + is_worth
            reference_S, level = values_S, level + is_worth * effect
        if values_S[0] > naive_best:
            naive_false, naive_best = naive_false + (not is_worth), float(values_S[0])
    return false, true, worth, runs, naive_false


def _squares(values_S: np.ndarray) -> tuple[float, int]:
    """The sum of squares about their mean, and its degrees of freedom."""
    return float(((values_S - values_S.mean()) ** 2).sum()), len(values_S) - 1


def judged(better_S: np.ndarray, number: int, *, spread: float) -> tuple[str, int, bool]:
    """What is said of a proposal, how many runs it took, and whether it came to a test."""
    first = RULE.test_seeds[0]
    num_screen, num_test = 0, 0
    word = screened(better_S[:0], spread=spread, rule=RULE)
    while word.word == MORE and word.seeds[0] < first:
        num_screen = word.seeds[-1] + 1
        word = screened(better_S[:num_screen], spread=spread, rule=RULE)
    if word.word == DISCARD:
        return DISCARD, num_screen, False
    while word.word == MORE:
        num_test = word.seeds[-1] + 1 - first
        word = tested(better_S[first : first + num_test], number=number, spread=spread, rule=RULE)
    return word.word, num_screen + num_test, True


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=400)
    parser.add_argument("--proposals", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(
        f"| {options.streams} streams of {options.proposals} proposals | streams with any false keep | "
        'kept of those worth 2 sd | runs a proposal | "keep if better", one run each: false keeps a stream |'
    )
    print("|---|---|---|---|---|")
    for name, noise, shared, effect in (
        ("no effect, normal", normal, 0.0, 0.0),
        ("no effect, half of the variance shared by a seed's runs", normal, 0.5, 0.0),
        ("no effect, skewed", skewed, 0.0, 0.0),
        ("one in 100 is better by 2 sd", normal, 0.0, EFFECT),
        ("the same, half of the variance shared", normal, 0.5, EFFECT),
    ):
        rng = np.random.default_rng([options.seed, len(name)])
        found = [
            stream(rng, options.proposals, noise=noise, shared=shared, effect=effect) for _ in range(options.streams)
        ]
        false, true, worth, runs, naive = (np.array(column, dtype=float) for column in zip(*found, strict=True))
        interval = stats.binomtest(int((false > 0).sum()), len(false)).proportion_ci(method="wilson")
        kept = f"{100 * true.sum() / worth.sum():.0f} %" if worth.sum() else ""
        print(
            f"| {name} | {100 * (false > 0).mean():.1f} % [{100 * interval.low:.1f}, {100 * interval.high:.1f}] | "
            f"{kept} | {runs.mean() / options.proposals:.2f} | {naive.mean():.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
