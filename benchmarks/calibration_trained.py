"""The measures of calibration.py where results are not drawn but trained, by real training on planted data.

    python studies/mosi_ablation.py --trials 0 --rerank 0 --seeds 200 --results POOL
    python benchmarks/calibration_trained.py POOL [--studies 2000] [--seed 0]

The first trains every arm of the quick study with 200 seeds on planted data. The second draws studies from them, seeds
without replacement and the same for all arms, and lets the functions of a report judge each. The truth is the mean of
all 200 differences. It is shifted to nought, to the smallest effect, or left as it is: spread, shape, correlation and
failures of the arms stay what training made them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from calibration_settings import COVERAGE, DIFFERENCE, EQUIVALENCE, SEEDS_USED, Scores, covers, words
from simulation import Array, all_seeds, under_rule

from analysis.results.load import Results, load
from analysis.results.paired_runs import Pairs
from analysis.statistics import paired_tests as st
from analysis.statistics.sequential_looks import Rule, looks
from analysis.statistics.verdict import BETTER, EQUIVALENT, WORSE

RIGHT, WRONG = "right words", "wrong words"
Judge = Callable[[Array, Array], list[Pairs]]


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Trained results of M arms with N seeds each; nan: failed."""

    arms: Sequence[str]
    a_MN: Array
    r_N: Array
    margin: float

    @classmethod
    def of(cls, results: Results) -> Pool:
        """What a study's confirm runs reached."""
        study = results.study
        confirm = results.confirm.assign(value=lambda runs: results.values(runs, study.primary_metric))
        if study.mode(study.primary_metric) != "min":
            raise ValueError(f"the primary metric must be an error; {study.primary_metric} is better when it is larger")
        table = confirm.pivot_table(index="arm", columns="seed", values="value", dropna=False)
        arms = [arm for arm in study.arms if arm != study.reference]
        return cls(
            arms=arms,
            a_MN=table.loc[arms].to_numpy(dtype=float),
            r_N=table.loc[study.reference].to_numpy(dtype=float),
            margin=study.smallest_effect,
        )

    @property
    def effect_M(self) -> Array:
        """The true differences."""
        return np.nanmean(self.a_MN - self.r_N, axis=1)

    def study(self, rng: np.random.Generator, effect_M: Array, num_seeds: int) -> tuple[Array, Array]:
        """So many seeds of every arm: (a_MS, r_S), with these true differences."""
        drawn = rng.choice(len(self.r_N), num_seeds, replace=False)
        return self.a_MN[:, drawn] + (effect_M - self.effect_M)[:, None], self.r_N[drawn]


def play(pool: Pool, rng: np.random.Generator, judge: Judge, num_seeds: int) -> Scores:
    """One study of each truth: no arm differs, all differ by just the smallest effect, all differ as they do."""
    none = judge(*pool.study(rng, np.zeros(len(pool.arms)), num_seeds))
    just = judge(*pool.study(rng, np.full(len(pool.arms), pool.margin), num_seeds))
    real = judge(*pool.study(rng, pool.effect_M, num_seeds))
    said = words(real, margin=pool.margin)
    return {
        COVERAGE: float(np.mean([covers(arm, effect) for arm, effect in zip(real, pool.effect_M, strict=True)])),
        DIFFERENCE: bool({WORSE, BETTER} & set(words(none, margin=pool.margin))),
        EQUIVALENCE: EQUIVALENT in words(just, margin=pool.margin),
        RIGHT: float(np.mean([_is_right(w, e, pool.margin) for w, e in zip(said, pool.effect_M, strict=True)])),
        WRONG: any(_is_wrong(w, e, pool.margin) for w, e in zip(said, pool.effect_M, strict=True)),
        SEEDS_USED: float(np.mean([len(arm.d_S) + arm.num_lost for arm in real])),
    }


def _is_right(word: str, effect: float, margin: float) -> bool:
    """Of a larger error without it: it helps; of a difference within the margin, equivalent as well."""
    return word == (WORSE if effect > 0 else BETTER) or (word == EQUIVALENT and abs(effect) < margin)


def _is_wrong(word: str, effect: float, margin: float) -> bool:
    return word in (WORSE, BETTER, EQUIVALENT) and not _is_right(word, effect, margin)


def judges(num_arms: int, margin: float) -> Mapping[str, tuple[Judge, int]]:
    """By name: how a study is judged, and the most seeds that it may use."""

    def adaptive(most: int) -> Judge:
        rule = Rule(looks=looks(num_arms, most), reference="full", margin=margin)
        return lambda a_MS, r_S: under_rule(rule, a_MS, r_S)

    fixed: dict[str, tuple[Judge, int]] = {f"{n} seeds": (all_seeds, n) for n in (5, 10, 20, 40)}
    return fixed | {f"auto, at most {most}": (adaptive(most), most) for most in (20, 40)}


def table(pool: Pool, *, studies: int, seed: int) -> pd.DataFrame:
    """Means over studies, one row a way to judge."""
    rows = {}
    for name, (judge, num_seeds) in judges(len(pool.arms), pool.margin).items():
        rng = np.random.default_rng([seed, *name.encode()])
        rows[name] = pd.DataFrame([play(pool, rng, judge, num_seeds) for _ in range(studies)]).astype(float).mean()
    return pd.DataFrame(rows).T


def describe(pool: Pool) -> Iterator[str]:
    """The arms: what they truly differ by, in the spread of their differences."""
    for arm, a_N, effect in zip(pool.arms, pool.a_MN, pool.effect_M, strict=True):
        done = np.isfinite(a_N - pool.r_N)
        sd = float((a_N - pool.r_N)[done].std(ddof=1))
        rho = st.correlation(a_N[done], pool.r_N[done])[0]
        yield f"{arm:24} {effect:+.3f}  sd of a difference {sd:.3f}  rho {rho:+.2f}  failed {(~done).sum()}"


def main() -> None:
    """Prints the arms and the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pool", type=Path, metavar="POOL", help="results of the study with many seeds")
    parser.add_argument("--studies", type=int, default=2000, help="that are drawn from the pool")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    pool = Pool.of(load(options.pool))
    print(f"{len(pool.r_N)} seeds of {1 + len(pool.arms)} arms; smallest effect {pool.margin}")
    print("\n".join(describe(pool)))
    print(table(pool, studies=options.studies, seed=options.seed).round(3).to_string())


if __name__ == "__main__":
    main()
