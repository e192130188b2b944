"""Are words about a component right where every arm is searched? Real training on planted data, and real luck.

    python benchmarks/calibration_searches.py [--csv FILE] [--configurations 24] [--seeds 40] [--studies 2000]

Configurations are drawn at random from the space of the quick study. Each is trained several times as a search trains
it, and with many seeds as it is confirmed. Studies are drawn from these runs, seeds with replacement: the reference and
5 arms search 8 or 16 of the configurations each and confirm the one that their search liked best, the arms also what
the reference chose. All arms are the same model, so that every "worse" and "better" is false; what differs is seed
noise and the luck of searches. For power the results of the first arm are shifted, and nothing else.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from selection import Bench, bench_of
from simulation import MARGIN, Array, all_seeds

from analysis.statistics.verdict import BETTER, EQUIVALENT, WORSE, verdicts

ARMS = 5
SEARCHED = 6  # times that each configuration is trained as in a search
SHIFTS = (0.0, 0.05, 0.1)  # of the first arm, in units of the metric


@dataclass(frozen=True, kw_only=True)
class Pool:
    """What C configurations reached: in V search runs on valid items, and over S confirm seeds on test items."""

    valid_CV: Array
    test_CS: Array

    def study(self, rng: np.random.Generator, *, trials: int, num_seeds: int) -> tuple[Array, Array, Array, float]:
        """Results of 5 arms by their own searches, of the reference, and of the arms with its hyperparameters.

        Returns:
            The three, and what the reference's choice is worth: its mean over all seeds.
        """
        C, S = self.test_CS.shape
        chosen = []
        for _ in range(ARMS + 1):
            drawn = rng.choice(C, min(trials, C), replace=False)
            valid = self.valid_CV[drawn, rng.integers(self.valid_CV.shape[1], size=len(drawn))]
            chosen.append(int(drawn[np.argmin(valid)]))
        reference, *own = chosen
        r_S = self.test_CS[reference, rng.integers(S, size=num_seeds)]
        frozen_MS = np.stack([self.test_CS[reference, rng.integers(S, size=num_seeds)] for _ in own])
        a_MS = np.stack([self.test_CS[c, rng.integers(S, size=num_seeds)] for c in own])
        is_same = np.array(own) == reference  # then its runs are the same ones
        return np.where(is_same[:, None], frozen_MS, a_MS), r_S, frozen_MS, float(self.test_CS[reference].mean())


def measure(pool: Pool, *, trials: int, num_seeds: int, studies: int, seed: int) -> Iterator[str]:
    """Lines of the table: one a shift."""
    for shift in SHIFTS:
        rng, counts, worth = np.random.default_rng([seed, trials, num_seeds]), np.zeros(3), []
        for _ in range(studies):
            a_MS, r_S, frozen_MS, level = pool.study(rng, trials=trials, num_seeds=num_seeds)
            worth.append(level)
            first_M1 = np.where(np.arange(ARMS) == 0, shift, 0.0)[:, None]
            alone, both = (
                [arm.differences for arm in all_seeds(a_MS + first_M1, r_S, other_MS)]
                for other_MS in (None, frozen_MS + first_M1)
            )
            said_alone, said = ([w for w, _ in verdicts(d, lower_is_better=True, margin=MARGIN)] for d in (alone, both))
            if shift:
                counts += [said_alone[0] == WORSE, said[0] == WORSE, 0]
            else:
                false = [bool({WORSE, BETTER} & set(words)) for words in (said_alone, said)]
                counts += [*false, np.mean([w == EQUIVALENT for w in said])]
        alone, both, equal = 100 * counts / studies
        what = f"first arm worse by {shift:g}: found" if shift else "no effect: studies with a false word"
        more = "" if shift else f"; arms called equivalent {equal:.1f}; luck {np.std(worth):.4f}"
        yield f"{trials:3} trials, {num_seeds} seeds, {what}: own search alone {alone:.1f}, report {both:.1f} %{more}"


def train(bench: Bench, options: argparse.Namespace) -> Pool:
    """The pool; configurations that a file has already are not trained again."""
    known = _known(options.csv)
    for number in range(options.configurations):
        if number not in known:
            params = bench.params(number)
            valid = bench.results(params, "search", [(seed, None) for seed in range(SEARCHED)], "valid_mae")
            test = bench.results(params, "confirm", [(1 + seed, None) for seed in range(options.seeds)], "test_mae")
            known[number] = [*valid, *test]
            print(f"configuration {number}: test MAE {np.mean(test):.3f}", file=sys.stderr, flush=True)
            if options.csv is not None:
                with options.csv.open("a", newline="") as file:
                    csv.writer(file).writerow([number, *known[number]])
    values = np.array([known[number] for number in range(options.configurations)])
    values = values[np.isfinite(values).all(axis=1)]
    return Pool(valid_CV=values[:, :SEARCHED], test_CS=values[:, SEARCHED:])


def _known(path: Path | None) -> dict[int, list[float]]:
    if path is None or not path.exists():
        return {}
    with path.open() as file:
        return {int(row[0]): [float(value) for value in row[1:]] for row in csv.reader(file)}


def main() -> None:
    """Trains what is missing, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configurations", type=int, default=24, metavar="N")
    parser.add_argument("--seeds", type=int, default=40, metavar="N", help="confirm seeds of each (default: 40)")
    parser.add_argument("--epochs", type=int, default=20, metavar="N")
    parser.add_argument("--studies", type=int, default=2000, metavar="N", help="drawn for each line (default: 2000)")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="results so far, to go on with")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.data = None
    pool = train(bench_of(options), options)
    over_seeds, between = pool.test_CS.std(axis=1, ddof=1), pool.test_CS.mean(axis=1).std(ddof=1)
    print(f"{len(pool.test_CS)} configurations; sd over seeds {np.median(over_seeds):.4f}, between them {between:.4f}")
    for trials in (8, 16):
        for num_seeds in (10, 20):
            for line in measure(pool, trials=trials, num_seeds=num_seeds, studies=options.studies, seed=options.seed):
                print(line, flush=True)


if __name__ == "__main__":
    main()
