"""Are the intervals, p values and verdicts of a report right? Thousands of studies whose truth is known.

    python benchmarks/calibration.py [--studies 2000] [--seed 0] [--csv calibration.csv] [--figure FILE.png]

Each simulated study goes through the functions that a report goes through. Measured are the coverage of the 95 %
intervals, the share of studies with any false word (family-wise error: 9 arms, Holm), and the power beside that of
theory. A target is printed where docs/statistics.md claims one; the other rows are published as measured. Settings
with recorded test items, which take far longer a study, get a fifth of the studies.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from calibration_figure import draw
from calibration_settings import (
    ADAPTIVE,
    COVERAGE,
    DIFFERENCE,
    EQUIVALENCE,
    PLANNED,
    POWER,
    SEEDS_USED,
    Setting,
    settings,
)
from scipy import stats

from analysis.statistics import paired_tests as st

SHOWN = (COVERAGE, DIFFERENCE, EQUIVALENCE, POWER, SEEDS_USED)  # columns of the printed table


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One measure of one setting."""

    group: str
    setting: str
    measure: str
    value: float
    low: float  # 95 % interval from the number of simulated studies
    high: float
    target_low: float  # nan: no target
    target_high: float
    studies: int

    @property
    def is_met(self) -> bool:
        """Whether the measure reaches its target, or has none."""
        return not (self.value < self.target_low or self.value > self.target_high)


def measure(setting: Setting, *, studies: int, seed: int) -> Iterator[Measured]:
    """Simulates so many studies of a setting, or its share of them."""
    num = max(2, studies // setting.share)
    rng = np.random.default_rng([seed, *setting.name.encode(), *setting.group.encode()])
    scores = pd.DataFrame([setting.play(rng) for _ in range(num)]).astype(float)
    for name, values in scores.items():
        low, high = _interval(values.to_numpy())
        target_low, target_high = _target(setting, str(name), num)
        yield Measured(
            group=setting.group, setting=setting.name, measure=str(name), value=float(values.mean()), low=low,
            high=high, target_low=target_low, target_high=target_high, studies=num,
        )  # fmt: skip


def _interval(values: np.ndarray) -> tuple[float, float]:
    """Of a share of studies, Wilson's; of a mean over studies, whose arms share a reference, Student's."""
    if set(values) <= {0.0, 1.0}:
        found = stats.binomtest(int(values.sum()), len(values)).proportion_ci(method="wilson")
        return float(found.low), float(found.high)
    return st.paired_t_interval(values)


def _target(setting: Setting, measure: str, studies: int) -> tuple[float, float]:
    if not setting.has_target:
        return math.nan, math.nan
    if measure == COVERAGE:
        # An interval that holds whenever an arm stops covers more at any one of the looks.
        return (0.95, 1.0) if setting.group == ADAPTIVE else (0.93, 0.97)
    if setting.group == PLANNED:
        return st.POWER - 2 * math.sqrt(st.POWER * (1 - st.POWER) / studies), 1.0
    if measure in (DIFFERENCE, EQUIVALENCE):
        return 0.0, st.ALPHA + 2 * math.sqrt(st.ALPHA * (1 - st.ALPHA) / studies)
    return math.nan, math.nan


def markdown(rows: Sequence[Measured]) -> str:
    """The main measures in percent, one line a setting; an asterisk: beyond its target."""
    cells = {(row.group, row.setting): dict.fromkeys(SHOWN, "") for row in rows}
    for row in rows:
        if row.measure in SHOWN:
            cells[row.group, row.setting][row.measure] = f"{100 * row.value:.1f}{'' if row.is_met else '*'}"
    lines = [["", *SHOWN], ["---"] * (1 + len(SHOWN))]
    lines += [[f"{group}: {setting}", *values.values()] for (group, setting), values in cells.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Prints the table, writes the CSV and the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=2000, help="simulated studies a setting and truth")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--csv", type=Path, default=Path("calibration.csv"))
    parser.add_argument("--figure", type=Path, help="PNG to draw; default: none")
    arguments = parser.parse_args()
    began, rows = time.process_time(), []
    for setting in settings():
        print(f"{setting.group}: {setting.name}", file=sys.stderr)
        rows += measure(setting, studies=arguments.studies, seed=arguments.seed)
    table = pd.DataFrame([asdict(row) for row in rows])
    table.to_csv(arguments.csv, index=False)
    if arguments.figure:
        draw(table, arguments.figure)
    print(markdown(rows))
    print(f"{len(rows)} measures in {time.process_time() - began:.0f} s of one core; {arguments.csv}")


if __name__ == "__main__":
    main()
