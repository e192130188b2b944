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
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from calibration_figure import draw
from scipy import optimize, stats
from simulation import MARGIN, SD, Crowd, Noise, all_seeds, skewed, t3, under_rule

from analysis import statistics as st
from analysis.adaptive import Rule, looks
from analysis.comparison import compare
from analysis.pairs import Pairs
from analysis.reach import TUNING, VIDEOS
from analysis.variance import tuning_variance
from analysis.verdict import EQUIVALENT, HELPS, HURTS, verdicts

COVERAGE, DIFFERENCE, EQUIVALENCE, POWER = "coverage", "false difference", "false equivalence", "power"
EQUIVALENCE_POWER, SEEDS_USED = "power of equivalence", "seeds used"
NUM_ARMS = 9
ITEMS_SHARE = 5  # studies with recorded items are so many times fewer
Scores = Mapping[str, float]  # measure -> what one study contributes to it


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One row of the table: how a study is simulated and analysed, and which measures have a target."""

    group: str
    name: str
    play: Callable[[np.random.Generator], Scores]  # one simulated study
    has_target: bool = True
    share: int = 1  # one of so many studies is simulated


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


def settings() -> list[Setting]:
    """Every setting of the table."""
    return [*fixed_settings(), *planned_settings(), *adaptive_settings(), *item_settings(), *tuning_settings()]


def fixed_settings() -> list[Setting]:
    """One look at all seeds."""
    group, harder = "fixed seeds", "fixed seeds, no target"
    symmetric = {
        "rho -.2": Noise(rho=-0.2), "rho .3": Noise(rho=0.3), "rho .8": Noise(rho=0.8), "t3": Noise(draw=t3),
        "skewed, arms and reference alike": Noise(draw=skewed), "arms 4 x noisier": Noise(arm_scale=4),
    }  # fmt: skip
    others = {
        "arms 4 x noisier and skewed": Noise(draw=skewed, arm_scale=4),
        "10 % of seeds collapse": Noise(collapse=0.1, reference_collapses=True),
        "10 % collapse, in arms only": Noise(collapse=0.1),
        "the arms' worst 10 % fail": Noise(fail_worst=0.1),
    }
    return [
        *(Setting(group=group, name=f"normal, {n} seeds", play=_fixed(Noise(), n)) for n in (5, 10, 20, 30)),
        *(Setting(group=group, name=f"{name}, 10 seeds", play=_fixed(noise, 10)) for name, noise in symmetric.items()),
        Setting(group=group, name="rho .8, 20 seeds", play=_fixed(Noise(rho=0.8), 20)),
        *(
            Setting(group=group, name=f"10 % of runs fail, {n} seeds", play=_fixed(Noise(fail=0.1), n))
            for n in (10, 20)
        ),
        *(
            Setting(group=harder, name=f"{name}, {n} seeds", play=_fixed(noise, n), has_target=False)
            for name, noise in others.items()
            for n in (10, 20)
        ),
    ]


def planned_settings() -> list[Setting]:
    """As many seeds as the report says it takes for 80 % power, near the reach of the test and beyond."""
    needed = {
        margin: st.seeds_needed(Noise().sd_d, smallest_effect=margin, num_arms=NUM_ARMS) for margin in (0.1, 0.06)
    }
    return [
        Setting(group="seeds needed", name=f"effect {margin / SD:g} sd, {n} seeds", play=_planned(margin, n))
        for margin, n in needed.items()
        if n is not None
    ]


def adaptive_settings() -> list[Setting]:
    """`--seeds auto --max-seeds 30`."""
    noises = {"normal": Noise(), "rho .8": Noise(rho=0.8), "t3": Noise(draw=t3), "10 % of runs fail": Noise(fail=0.1)}
    return [
        Setting(group="adaptive seeds", name=f"{name}, at most 30 seeds", play=_adaptive(noise, 30))
        for name, noise in noises.items()
    ]


def item_settings() -> list[Setting]:
    """Recorded test items of videos, read as a report reads them."""
    few = Crowd(num_videos=10, num_items=100)
    crowds = {
        "31 videos, 10 seeds": Crowd(), "31 videos, 20 seeds": Crowd(num_seeds=20), "10 videos, 10 seeds": few,
        "31 videos, effects alike in all": Crowd(video_sd=0.0),
    }  # fmt: skip
    return [
        Setting(group="seeds+videos", name=name, play=_items(crowd), share=ITEMS_SHARE)
        for name, crowd in crowds.items()
    ]


def tuning_settings() -> list[Setting]:
    """Independent searches whose luck differs."""
    shapes = [(13, 2, 10, 0.010), (13, 2, 10, 0.030), (13, 3, 30, 0.010), (13, 3, 30, 0.030), (3, 2, 10, 0.010)]
    return [
        Setting(
            group="seeds+tuning", name=f"{arms - 1} arms, {R} searches, {S} seeds, luck {luck:.3f}".replace("0.", "."),
            play=_tuning(arms, R, S, luck),
        )
        for arms, R, S, luck in shapes
    ] + [
        Setting(
            group="seeds+videos+tuning", name="5 arms, 2 searches, 31 videos, luck .020",
            play=_items(Crowd(searches=2, luck_sd=0.02)), share=ITEMS_SHARE,
        )
    ]  # fmt: skip


def _fixed(noise: Noise, num_seeds: int) -> Callable[[np.random.Generator], Scores]:
    def simulate(rng: np.random.Generator, effect_M: Sequence[float]) -> list[Pairs]:
        return all_seeds(*noise.study(rng, effect_M, num_seeds))

    return _three_truths(simulate, _eighty_percent(noise, num_seeds))


def _planned(margin: float, num_seeds: int) -> Callable[[np.random.Generator], Scores]:
    """One arm differs by just the smallest effect, the others not at all."""

    def play(rng: np.random.Generator) -> Scores:
        arms = all_seeds(*Noise().study(rng, [margin] + [0.0] * (NUM_ARMS - 1), num_seeds))
        said = _words(arms, margin=margin)
        return {POWER: said[0] == HELPS, EQUIVALENCE_POWER: said[1] == EQUIVALENT}

    return play


def _adaptive(noise: Noise, most: int) -> Callable[[np.random.Generator], Scores]:
    rule = Rule(looks=looks(NUM_ARMS, most), reference="full", margin=MARGIN)

    def simulate(rng: np.random.Generator, effect_M: Sequence[float]) -> list[Pairs]:
        return under_rule(rule, *noise.study(rng, effect_M, most))

    play = _three_truths(simulate, _eighty_percent(noise, most))

    def counted(rng: np.random.Generator) -> Scores:
        arms = simulate(rng, np.linspace(0, 0.08, NUM_ARMS).tolist())
        return {**play(rng), SEEDS_USED: float(np.mean([len(arm.d_S) + arm.num_lost for arm in arms])) / most}

    return counted


def _eighty_percent(noise: Noise, num_seeds: int) -> float:
    """The effect that theory shows with 80 % power, were the noise normal; out of reach, a large one."""
    largest = 20 * noise.sd_d

    def short_of(effect: float) -> float:
        power = st.difference_power(num_seeds, sd_d=noise.sd_d, effect=effect, alpha=st.ALPHA / NUM_ARMS)
        return power - st.POWER

    return float(optimize.brentq(short_of, 0, largest)) if short_of(largest) > 0 else largest  # type: ignore[arg-type]


def _three_truths(
    simulate: Callable[[np.random.Generator, Sequence[float]], list[Pairs]], effect: float
) -> Callable[[np.random.Generator], Scores]:
    """Studies in which no arm differs; in which all differ by just the smallest effect; in which one differs."""

    def play(rng: np.random.Generator) -> Scores:
        none = simulate(rng, [0.0] * NUM_ARMS)
        just = simulate(rng, [MARGIN] * NUM_ARMS)
        one = simulate(rng, [effect] + [0.0] * (NUM_ARMS - 1))
        return {
            COVERAGE: float(np.mean([_covers(arm, 0.0) for arm in none if len(arm.d_S) > 1])),
            DIFFERENCE: bool({HELPS, HURTS} & set(_words(none))),
            EQUIVALENCE: EQUIVALENT in _words(just),
            POWER: _words(one)[0] == HELPS,
        }

    return play


def _words(arms: Sequence[Pairs], *, margin: float = MARGIN) -> list[str]:
    return [word for word, _ in verdicts([arm.differences for arm in arms], lower_is_better=True, margin=margin)]


def _covers(arm: Pairs, truth: float) -> bool:
    low, high = st.paired_t_interval(arm.d_S, level=arm.level)
    return low <= truth <= high


def _items(crowd: Crowd) -> Callable[[np.random.Generator], Scores]:
    """No arm differs in the population of videos and searches, but on these items and searches all do."""

    def play(rng: np.random.Generator) -> Scores:
        results, here_M = crowd.results(rng)
        rows = compare(results)[1:]
        wrong = [row for row in rows if row.verdict in (HELPS, HURTS)]
        narrow = [row.ci_low <= truth <= row.ci_high for row, truth in zip(rows, here_M, strict=True)]
        scores: dict[str, float] = {
            f"{COVERAGE} of these items": float(np.mean(narrow)),
            f"{DIFFERENCE}, if all carried": bool(wrong),
        }
        if crowd.searches > 1:
            return {**scores, DIFFERENCE: any(row.holds_for == TUNING for row in wrong)}
        wide = [row.ci_items_low <= 0 <= row.ci_items_high for row in rows]
        carried = any(row.holds_for == VIDEOS for row in wrong)
        return {**scores, COVERAGE: float(np.mean(wide)), DIFFERENCE: carried}

    return play


def _tuning(num_arms: int, searches: int, num_seeds: int, luck: float) -> Callable[[np.random.Generator], Scores]:
    def play(rng: np.random.Generator) -> Scores:
        lucky = luck * rng.standard_normal((num_arms, searches, 1))
        value_ARS = 1 + lucky + SD * rng.standard_normal((num_arms, searches, num_seeds // searches))
        variance = tuning_variance(value_ARS)
        assert variance is not None
        reference_S, *arms = value_ARS.reshape(num_arms, -1)
        delta_M = [float((a_S - reference_S).mean()) for a_S in arms]
        narrow = [st.paired_t_interval(a_S - reference_S) for a_S in arms]
        wide = [variance.interval(delta) for delta in delta_M]
        return {
            COVERAGE: float(np.mean([low <= 0 <= high for low, high in wide])),
            f"{COVERAGE} by seeds alone": float(np.mean([low <= 0 <= high for low, high in narrow])),
        }

    return play


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
        return (0.95, 1.0) if setting.group == "adaptive seeds" else (0.93, 0.97)
    if setting.group == "seeds needed":
        return st.POWER - 2 * math.sqrt(st.POWER * (1 - st.POWER) / studies), 1.0
    if measure in (DIFFERENCE, EQUIVALENCE):
        return 0.0, st.ALPHA + 2 * math.sqrt(st.ALPHA * (1 - st.ALPHA) / studies)
    return math.nan, math.nan


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
        for row in measure(setting, studies=arguments.studies, seed=arguments.seed):
            rows.append(row)
            target = "" if math.isnan(row.target_high) else f"{row.target_low:.3f} to {row.target_high:.3f}"
            said = "" if row.is_met else "  MISSED"
            print(
                f"{row.group:24} {row.setting:42} {row.measure:38} {row.value:.3f} [{row.low:.3f}, {row.high:.3f}] "
                f"{target:15} {row.studies}{said}", flush=True,
            )  # fmt: skip
    table = pd.DataFrame([asdict(row) for row in rows])
    table.to_csv(arguments.csv, index=False)
    if arguments.figure:
        draw(table, arguments.figure)
    print(f"{len(rows)} measures in {time.process_time() - began:.0f} s of one core; {arguments.csv}")


if __name__ == "__main__":
    main()
