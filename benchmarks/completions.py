"""What search quality is lost where suggestions share their structure, so that they train together in a pack.

    python benchmarks/completions.py TRIALS [--searches 100] [--trials 64]

TRIALS is the log of random trials of MFN on CMU-MOSI in the MFN repository, as trials.csv: 17 hyperparameters and the
validation error. A random forest on it stands for training: its mean is the truth, and its error out of bag the noise
of a trial. Learning rate and dropout rates are fusable, as in MFM; sizes and batch size are structure. A pack is told
as a whole. Printed is how far the true error of the best trial by observed error lies above the best that the forest
knows.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from scipy import stats
from sklearn.ensemble import RandomForestRegressor

from orchestrator.plan.optuna_search import Search
from orchestrator.study.model import Model
from orchestrator.study.params import ParamValue
from orchestrator.study.study import Study

DROPOUTS = ("NN1_drop", "NN2_drop", "g1_drop", "g2_drop", "out_drop")
SIZES = ("batchsize", "memsize", "hl", "ha", "hv", "NN1_h", "NN2_h", "g1_h", "g2_h", "out_h")
PARAMS = ("lr", *DROPOUTS, *SIZES)
FUSABLE = frozenset({"lr", *DROPOUTS})
AT = (8, 16, 32, 64, 128)  # numbers of trials at which the best is looked at
PACKS = {
    "one at a time": (1, 1), "4 single runs at a time": (1, 4), "packs of 2": (2, 1), "packs of 4": (4, 1),
    "packs of 8": (8, 1),
    "4 packs of 4 at a time": (4, 4),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class World:
    """What a configuration would give."""

    space: Mapping[str, BaseDistribution]
    truth: Callable[[Mapping[str, ParamValue]], float]
    noise: float  # standard deviation of a trial
    best: float  # the smallest truth that is known

    @classmethod
    def of(cls, path: Path) -> World:
        """From the log."""
        table = pd.read_csv(path)
        x_NK, y_N = table[list(PARAMS)].to_numpy(float), table["valid_best"].to_numpy(float)
        forest = RandomForestRegressor(300, min_samples_leaf=3, oob_score=True, random_state=0).fit(x_NK, y_N)
        noise = float(np.std(y_N - forest.oob_prediction_, ddof=1))
        forest = RandomForestRegressor(60, min_samples_leaf=3, random_state=0).fit(x_NK, y_N)
        sizes = {k: CategoricalDistribution(sorted(table[k].unique().tolist())) for k in SIZES}
        space = {
            "lr": FloatDistribution(0.001, 0.01, log=True), **dict.fromkeys(DROPOUTS, FloatDistribution(0.0, 0.7)),
            **sizes,
        }  # fmt: skip
        rng = np.random.default_rng(0)
        many = np.column_stack([rng.choice(table[k].unique(), 200_000) for k in PARAMS])
        return cls(
            space=space,
            truth=lambda params: float(forest.predict(np.array([[float(params[k]) for k in PARAMS]]))[0]),
            noise=noise,
            best=float(forest.predict(many).min()),
        )


def study_of(world: World, *, trials: int, seed: int) -> Study:
    """A search for the smallest error."""
    middle = {
        k: d.choices[len(d.choices) // 2] for k, d in world.space.items() if isinstance(d, CategoricalDistribution)
    }
    return Study(
        name="completions", title="completions", params={"lr": 0.005, **dict.fromkeys(DROPOUTS, 0.5), **middle},
        arms={"full": {}}, space=world.space, model=Model(fusable=FUSABLE),
        minimise=("valid_mae", "test_mae"), smallest_effect=0.03, trials=trials, seeds=1, epochs=1, seed=seed,
    )  # fmt: skip


def search(world: World, *, trials: int, seed: int, completions: int, packs: int) -> list[float]:
    """The truths of the best by observed error after every trial, in the order in which they are told.

    Args:
        completions: suggestions of one structure.
        packs: so many are asked for before the first of them is told.
    """
    optuna, rng = Search(study_of(world, trials=trials, seed=seed), "full", 0, ()), np.random.default_rng([seed, 1])
    observed, truths, waiting, number = [], [], list[list[tuple[int, Mapping[str, ParamValue]]]](), 0
    while len(truths) < trials:
        while len(waiting) < packs and number < trials:
            pack: list[tuple[int, Mapping[str, ParamValue]]] = []
            while len(pack) < completions and number < trials:
                pack.append((number, optuna.suggest(like=pack[0][1] if pack else None)))
                number += 1
            waiting.append(pack)
        for told, params in waiting.pop(0):
            truths.append(world.truth(params))
            observed.append(truths[-1] + world.noise * float(rng.standard_normal()))
            optuna.report(told, 1, observed[-1])
            optuna.finish(told, status="completed", value=observed[-1])
    return [truths[int(np.argmin(observed[: n + 1]))] for n in range(trials)]


def at_random(world: World, *, trials: int, seed: int) -> list[float]:
    """The same for configurations that are drawn."""
    rng, truths = np.random.default_rng([seed, 2]), []
    for _ in range(trials):
        params = {k: _drawn(d, rng) for k, d in world.space.items()}
        truths.append(world.truth(params))
    observed = np.array(truths) + world.noise * rng.standard_normal(trials)
    return [truths[int(np.argmin(observed[: n + 1]))] for n in range(trials)]


def _drawn(distribution: BaseDistribution, rng: np.random.Generator) -> ParamValue:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[rng.integers(len(distribution.choices))]  # type: ignore[return-value]
    assert isinstance(distribution, FloatDistribution)
    low, high = distribution.low, distribution.high
    return float(np.exp(rng.uniform(np.log(low), np.log(high)))) if distribution.log else float(rng.uniform(low, high))


def show(name: str, regret_SN: np.ndarray, at: Sequence[int]) -> str:
    """A line: means with Student's 95 % half widths."""
    half_N = stats.t.ppf(0.975, len(regret_SN) - 1) * regret_SN.std(axis=0, ddof=1) / np.sqrt(len(regret_SN))
    return f"{name:24}" + "".join(f"{regret_SN[:, n - 1].mean():9.4f} ±{half_N[n - 1]:.4f}" for n in at)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=Path, metavar="TRIALS")
    parser.add_argument("--searches", type=int, default=100)
    parser.add_argument("--trials", type=int, default=64)
    options = parser.parse_args()
    world = World.of(options.log)
    at = [n for n in AT if n <= options.trials]
    print(f"noise of a trial {world.noise:.4f}; best known {world.best:.4f}")
    print(f"{'regret after trials':24}" + "".join(f"{n:>17}" for n in at))
    drawn = [at_random(world, trials=options.trials, seed=seed) for seed in range(options.searches)]
    print(show("at random", np.array(drawn) - world.best, at), flush=True)
    for name, (completions, packs) in PACKS.items():
        found = [
            search(world, trials=options.trials, seed=seed, completions=completions, packs=packs)
            for seed in range(options.searches)
        ]
        print(show(name, np.array(found) - world.best, at), flush=True)


if __name__ == "__main__":
    main()
