"""Are the verdicts of imported runs right? Thousands of tables of runs whose truth is known.

    python benchmarks/calibration_imports.py [--studies 2000] [--seed 0]

Every study is a table as a user has it, read by `analysis.read`. Four arms are like the reference; or all worse by
the smallest effect of interest, .03; or one is worse by twice that. A run's luck has a standard deviation of .03;
where runs are paired, half of its variance is shared by all arms of a seed. Printed is the share of studies in which
any arm that is like the reference is called worse or better; in which any that differs by the smallest effect is
called equivalent (a quarter as many studies); and in which the worse arm is called worse (as many). Intervals: 95 %,
Wilson.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from simulation import normal, skewed

import analysis
from analysis.tables.ablation import compare

MARGIN, SD = 0.03, 0.03
Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A kind of record."""

    name: str
    seeds: int = 12
    is_seeded: bool = True  # else no column says which runs belong together
    noise: Draw = normal
    noisier: float = 1.0  # times, of the second arm
    failed: float = 0.0  # share of runs at random
    fewer: int = 0  # seeds that the second arm lacks

    def table(self, rng: np.random.Generator, effects: dict[str, float]) -> pd.DataFrame:
        """One record."""
        shared = rng.normal(0, SD / np.sqrt(2), self.seeds) if self.is_seeded else np.zeros(self.seeds)
        own = SD / np.sqrt(2) if self.is_seeded else SD
        rows = []
        for i, (arm, effect) in enumerate(effects.items()):
            scale = own * (self.noisier if i == 1 else 1.0)
            values = 1 + effect + shared + scale * self.noise(rng, (self.seeds,))
            values[rng.random(self.seeds) < self.failed] = np.nan
            kept = self.seeds - (self.fewer if i == 1 else 0)
            rows += [{"arm": arm, "seed": s, "loss": values[s]} for s in range(kept)]
        frame = pd.DataFrame(rows)
        return frame if self.is_seeded else frame.drop(columns="seed")


SETTINGS = (
    Setting(name="paired, 8 seeds", seeds=8),
    Setting(name="paired, 12 seeds"),
    Setting(name="paired, 12 seeds, 10 % fail", failed=0.1),
    Setting(name="not paired, 5 runs", seeds=5, is_seeded=False),
    Setting(name="not paired, 12 runs", is_seeded=False),
    Setting(name="not paired, 12 and 6 runs", is_seeded=False, fewer=6),
    Setting(name="not paired, 12 runs, 10 % fail", is_seeded=False, failed=0.1),
    Setting(name="not paired, 12 runs, skewed", is_seeded=False, noise=skewed),
    Setting(name="not paired, 12 runs, one arm 4 times noisier", is_seeded=False, noisier=4),
    Setting(
        name="not paired, 20 runs, skewed, one arm 4 times noisier", seeds=20, is_seeded=False, noise=skewed, noisier=4
    ),
)
SAME = dict.fromkeys(("full", "a", "b", "c", "d"), 0.0)
AT_MARGIN = dict.fromkeys(("a", "b", "c", "d"), MARGIN) | {"full": 0.0}
ONE_WORSE = SAME | {"a": 2 * MARGIN}


def words(setting: Setting, rng: np.random.Generator, effects: dict[str, float]) -> dict[str, str]:
    """What the import says of each arm."""
    results = analysis.read(setting.table(rng, effects), reference="full", minimise="loss", smallest_effect=MARGIN)
    return {row.arm: row.verdict for row in compare(results) if row.verdict}


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(
        "| runs | a difference is claimed where there is none | equivalent, at the smallest effect | worse is found |"
    )
    print("|---|---|---|---|")
    for i, setting in enumerate(SETTINGS):
        rng = np.random.default_rng([options.seed, i])
        false, missed, found = [], [], []
        for k in range(options.studies):
            false.append(bool({"worse", "better"} & set(words(setting, rng, SAME).values())))
            if k % 4 == 0:
                missed.append("equivalent" in words(setting, rng, AT_MARGIN).values())
                found.append(words(setting, rng, ONE_WORSE)["a"] == "worse")
        print(f"| {setting.name} | {_share(false)} | {_share(missed)} | {_share(found)} |", flush=True)


def _share(is_so: list[bool]) -> str:
    interval = stats.binomtest(sum(is_so), len(is_so)).proportion_ci(method="wilson")
    return f"{100 * np.mean(is_so):.1f} % [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"


if __name__ == "__main__":
    main()
