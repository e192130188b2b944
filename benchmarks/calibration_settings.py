"""What `calibration.py` simulates: each setting is a way to draw a study and to let the analysis judge it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize
from simulation import MARGIN, SD, Array, Crowd, Noise, all_seeds, skewed, t3, under_rule

from analysis.results.paired_runs import Pairs
from analysis.statistics import paired_tests as st
from analysis.statistics.sequential_looks import Rule, looks
from analysis.statistics.variance_components import tuning_variance
from analysis.statistics.verdict import BETTER, EQUIVALENT, WORSE, verdicts
from analysis.tables.ablation import compare
from analysis.tables.verdict_scope import TUNING, VIDEOS

COVERAGE, DIFFERENCE, EQUIVALENCE, POWER = "coverage", "false difference", "false equivalence", "power"
EQUIVALENCE_POWER, SEEDS_USED = "power of equivalence", "seeds used"
FIXED, PLANNED, ADAPTIVE = "fixed seeds", "seeds needed", "adaptive seeds"
BOTH = ", both tunings"  # a difference must be shown with the reference's hyperparameters too
NUM_ARMS = 9
FEWER = 5  # studies with recorded items, and with both tunings, are so many times fewer
Scores = Mapping[str, float]  # measure -> what one study contributes to it


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One row of the table: how a study is simulated and analysed, and which measures have a target."""

    group: str
    name: str
    play: Callable[[np.random.Generator], Scores]  # one simulated study
    has_target: bool = True
    share: int = 1  # one of so many studies is simulated


def settings() -> list[Setting]:
    """Every setting of the table."""
    return [*fixed_settings(), *planned_settings(), *adaptive_settings(), *item_settings(), *tuning_settings()]


def fixed_settings() -> list[Setting]:
    """One look at all seeds."""
    group, harder = FIXED, f"{FIXED}, no target"
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
            Setting(group=group, name=f"normal, {n} seeds{BOTH}", play=_fixed(Noise(), n, is_both=True), share=FEWER)
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
        Setting(
            group=PLANNED,
            name=f"effect {margin / SD:g} sd, {n} seeds{BOTH if is_both else ''}",
            play=_planned(margin, n, is_both=is_both),
            share=FEWER if is_both else 1,
        )
        for margin, n in needed.items()
        if n is not None
        for is_both in (False, True)
    ]


def adaptive_settings() -> list[Setting]:
    """`--seeds auto --max-seeds 30`."""
    noises = {"normal": Noise(), "rho .8": Noise(rho=0.8), "t3": Noise(draw=t3), "10 % of runs fail": Noise(fail=0.1)}
    return [
        *(
            Setting(group=ADAPTIVE, name=f"{name}, at most 30 seeds", play=_adaptive(noise, 30))
            for name, noise in noises.items()
        ),
        *(
            Setting(
                group=ADAPTIVE,
                name=f"{name}, at most 30 seeds{BOTH}",
                play=_adaptive(noises[name], 30, is_both=True),
                share=FEWER,
            )
            for name in ("normal", "10 % of runs fail")
        ),
    ]


def item_settings() -> list[Setting]:
    """Recorded test items of videos, read as a report reads them."""
    few = Crowd(num_videos=10, num_items=100)
    crowds = {
        "31 videos, 10 seeds": Crowd(), "31 videos, 20 seeds": Crowd(num_seeds=20), "10 videos, 10 seeds": few,
        "31 videos, effects alike in all": Crowd(video_sd=0.0),
    }  # fmt: skip
    return [Setting(group="seeds+videos", name=name, play=_items(crowd), share=FEWER) for name, crowd in crowds.items()]


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
            play=_items(Crowd(searches=2, luck_sd=0.02)), share=FEWER,
        )
    ]  # fmt: skip


def _fixed(noise: Noise, num_seeds: int, *, is_both: bool = False) -> Callable[[np.random.Generator], Scores]:
    def simulate(rng: np.random.Generator, effect_M: Sequence[float]) -> list[Pairs]:
        return all_seeds(*_drawn(noise, is_both)(rng, effect_M, num_seeds))

    return _three_truths(simulate, _eighty_percent(noise, num_seeds))


def _drawn(noise: Noise, is_both: bool) -> Callable[..., tuple[Array, ...]]:
    return noise.both_tunings if is_both else noise.study


def _planned(margin: float, num_seeds: int, *, is_both: bool) -> Callable[[np.random.Generator], Scores]:
    """One arm differs by just the smallest effect, the others not at all."""

    def play(rng: np.random.Generator) -> Scores:
        arms = all_seeds(*_drawn(Noise(), is_both)(rng, [margin] + [0.0] * (NUM_ARMS - 1), num_seeds))
        said = words(arms, margin=margin)
        return {POWER: said[0] == WORSE, EQUIVALENCE_POWER: said[1] == EQUIVALENT}

    return play


def _adaptive(noise: Noise, most: int, *, is_both: bool = False) -> Callable[[np.random.Generator], Scores]:
    rule = Rule(looks=looks(NUM_ARMS, most), reference="full", margin=MARGIN)

    def simulate(rng: np.random.Generator, effect_M: Sequence[float]) -> list[Pairs]:
        return under_rule(rule, *_drawn(noise, is_both)(rng, effect_M, most))

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
            COVERAGE: float(np.mean([covers(arm, 0.0) for arm in none if len(arm.d_S) > 1])),
            DIFFERENCE: bool({WORSE, BETTER} & set(words(none))),
            EQUIVALENCE: EQUIVALENT in words(just),
            POWER: words(one)[0] == WORSE,
        }

    return play


def words(arms: Sequence[Pairs], *, margin: float = MARGIN) -> list[str]:
    """The verdicts on them."""
    return [word for word, _ in verdicts([arm.differences for arm in arms], lower_is_better=True, margin=margin)]


def covers(arm: Pairs, truth: float) -> bool:
    """Whether the interval for the difference holds the truth."""
    low, high = st.paired_t_interval(arm.d_S, level=arm.level)
    return low <= truth <= high


def _items(crowd: Crowd) -> Callable[[np.random.Generator], Scores]:
    """No arm differs in the population of videos and searches, but on these items and searches all do."""

    def play(rng: np.random.Generator) -> Scores:
        results, here_M = crowd.results(rng)
        rows = compare(results)[1:]
        wrong = [row for row in rows if row.verdict in (WORSE, BETTER)]
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
